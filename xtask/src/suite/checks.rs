//! The steps that are one command each: it succeeds or it does not.

use super::rows::Row;
use super::{Asked, run, tools};
use crate::{check, openapi, output, workspace};
use std::process::Command;
use std::time::Instant;

/// The sources are formatted.
pub fn format(_: &Asked) -> anyhow::Result<Vec<Row>> {
    one("format", &mut workspace::cargo(&["fmt", "--all", "--check"]))
}

/// No warning in any target.
pub fn lint(_: &Asked) -> anyhow::Result<Vec<Row>> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    one("lint", &mut workspace::cargo(&arguments))
}

/// None either in the program without what is for development only.
pub fn image(_: &Asked) -> anyhow::Result<Vec<Row>> {
    let arguments = ["clippy", "-p", "api", "--no-default-features", "--locked", "--", "-D", "warnings"];
    one("image", &mut workspace::cargo(&arguments))
}

/// The examples in comments work.
pub fn examples(_: &Asked) -> anyhow::Result<Vec<Row>> {
    let began = Instant::now();
    let (succeeded, lines) = run::lines(&mut workspace::cargo(&["test", "--workspace", "--doc", "--locked"]))?;
    let (passed, failed, ignored) = lines
        .iter()
        .filter_map(|line| counted(line))
        .fold((0, 0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1, sum.2 + of.2));
    let broken = usize::from(!succeeded && failed == 0);
    let mut row = Row::many("examples", passed, failed + broken, began.elapsed());
    row.note = (ignored > 0).then(|| format!("{ignored} are marked ignore"));
    Ok(vec![row])
}

/// The documentation builds without a warning.
pub fn docs(_: &Asked) -> anyhow::Result<Vec<Row>> {
    let mut command = workspace::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    one("docs", command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The document is the program's.
pub fn openapi(asked: &Asked) -> anyhow::Result<Vec<Row>> {
    let program = asked.built.program()?;
    let began = Instant::now();
    let difference = openapi::drift(program)?;
    if let Some(difference) = &difference {
        output::progress(difference);
    }
    Ok(vec![Row::check("openapi", difference.is_none(), began.elapsed())])
}

/// Every dependency may be used.
pub fn licenses(_: &Asked) -> anyhow::Result<Vec<Row>> {
    tools::DENY.require()?;
    one(
        "licenses",
        &mut workspace::cargo(&[
            "deny",
            "--locked",
            "--log-level",
            "error",
            "check",
            "--hide-inclusion-graph",
            "licenses",
        ]),
    )
}

/// No dependency that must not come in, and none from elsewhere.
pub fn bans(_: &Asked) -> anyhow::Result<Vec<Row>> {
    tools::DENY.require()?;
    one(
        "bans",
        &mut workspace::cargo(&[
            "deny",
            "--locked",
            "--log-level",
            "error",
            "check",
            "--hide-inclusion-graph",
            "bans",
            "sources",
        ]),
    )
}

/// The journey of a shop.
pub fn demo(asked: &Asked) -> anyhow::Result<Vec<Row>> {
    let report = check::run(asked.built.program()?)?;
    Ok(vec![Row::many("demo steps", report.passed, report.failed, report.took)])
}

fn one(kind: &str, command: &mut Command) -> anyhow::Result<Vec<Row>> {
    let began = Instant::now();
    let passed = run::succeeds(command)?;
    Ok(vec![Row::check(kind, passed, began.elapsed())])
}

/// Passed, failed and ignored of a line "test result: ok. 3 passed; 0 failed; 1 ignored; …".
fn counted(line: &str) -> Option<(usize, usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let of = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word));
        part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    Some((of("passed"), of("failed"), of("ignored")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_examples_are_read() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(counted(line), Some((3, 2, 1)));
        assert_eq!(counted("running 3 tests"), None);
    }
}
