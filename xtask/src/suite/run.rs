//! Runs a command of a step; its output goes where ours goes, or is read by us as well.

use anyhow::Context as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

/// Runs it; whether it succeeded. What it says goes to standard error, for standard output is the table's.
pub fn succeeds(command: &mut Command) -> anyhow::Result<bool> {
    let (passed, lines) = lines(command)?;
    drop(lines);
    Ok(passed)
}

/// Runs it; whether it succeeded, and the lines it wrote on standard output, which are shown as they come.
pub fn lines(command: &mut Command) -> anyhow::Result<(bool, Vec<String>)> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = started.with_context(|| format!("{} could not be started", command.get_program().display()))?;
    let mut lines = Vec::new();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line?;
            crate::output::progress(&line);
            lines.push(line);
        }
    }
    Ok((child.wait()?.success(), lines))
}
