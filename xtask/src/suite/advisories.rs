//! Known weaknesses of dependencies. Their list lives elsewhere and may be out of reach; then that is said in the table, for
//! a check that did not happen has not passed.

use super::rows::Row;
use super::{Asked, run, tools};
use crate::workspace;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For the list to arrive.
const WITHIN: Duration = Duration::from_secs(60);

/// Fetches the list and checks against it.
pub fn run(_: &Asked) -> anyhow::Result<Vec<Row>> {
    const KIND: &str = "advisories";
    tools::DENY.require()?;
    let began = Instant::now();
    if !fetched(&mut workspace::cargo(&["deny", "--locked", "fetch", "db"]))? {
        let why = "NOT RUN: the list of advisories cannot be had from here".to_owned();
        return Ok(vec![Row::not_run(KIND, why, began.elapsed())]);
    }
    let mut check =
        workspace::cargo(&["deny", "--locked", "--offline", "check", "--hide-inclusion-graph", "advisories"]);
    let passed = run::succeeds(&mut check)?;
    Ok(vec![Row::check(KIND, passed, began.elapsed())])
}

fn fetched(command: &mut Command) -> anyhow::Result<bool> {
    // Its complaint would look like a failure of ours.
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let began = Instant::now();
    while began.elapsed() < WITHIN {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    end(&mut child)?;
    Ok(false)
}

fn end(child: &mut Child) -> std::io::Result<()> {
    child.kill()?;
    child.wait().map(|_| ())
}
