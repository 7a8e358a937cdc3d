//! The tests proper, by cargo-nextest: which there are is asked before, what became of them is read from its report, and the
//! two must agree, so that no test is left out unseen.

use super::build::Built;
use super::rows::Row;
use super::{run, tools};
use crate::{output, workspace};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// Tests of one test program.
#[derive(Debug, Default)]
struct Found {
    kind: String,
    tests: usize,
    ignored: usize,
}

/// What became of the tests of one test program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Became {
    ran: usize,
    failed: usize,
    took: f64,
}

/// Runs them all; a row for each crate and kind.
pub fn run(built: &Built) -> anyhow::Result<Vec<Row>> {
    tools::NEXTEST.require()?;
    // System tests start the program, so it must be the present one.
    built.program()?;
    let found = found()?;
    let report = workspace::target_directory()?.join("nextest").join("default").join("junit.xml");
    // One that a run before left would be read as this run's.
    let _not_there = fs::remove_file(&report);
    let succeeded =
        run::succeeds(&mut workspace::cargo(&["nextest", "run", "--workspace", "--locked", "--profile", "default"]))?;
    let report = fs::read_to_string(&report).context("the tests did not run to a report")?;
    let became = became(&report);

    let mut rows = Vec::new();
    for (program, Found { kind, tests, ignored }) in &found {
        if tests + ignored == 0 {
            continue;
        }
        let Became { ran, failed, took } = became.get(program.as_str()).copied().unwrap_or_default();
        let missing = tests.saturating_sub(ran);
        let mut row = Row::many(kind, ran - failed, failed + missing, Duration::from_secs_f64(took));
        let notes = [
            (missing > 0).then(|| format!("{missing} did not run")),
            (*ignored > 0).then(|| format!("{ignored} more are marked ignore")),
        ];
        row.note = notes.into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
        rows.push(row);
    }
    ensure!(succeeded || rows.iter().any(|row| row.failed > 0), "cargo-nextest failed, but no test did");
    rows.sort_by(|one, other| one.kind.cmp(&other.kind));
    Ok(rows)
}

/// Every test program by its nextest name, e.g. `jobs::it`.
fn found() -> anyhow::Result<BTreeMap<String, Found>> {
    let arguments = ["nextest", "list", "--workspace", "--locked", "--message-format", "json"];
    let told = workspace::cargo(&arguments).stderr(Stdio::inherit()).output()?;
    ensure!(told.status.success(), "the tests could not be built");
    let list: Value = serde_json::from_slice(&told.stdout).context("cargo-nextest listed no JSON")?;
    let suites = list["rust-suites"].as_object().context("cargo-nextest listed no tests")?;
    let found = suites.iter().map(|(name, suite)| {
        let cases = suite["testcases"].as_object();
        let all = cases.map_or(0, |cases| cases.len());
        let ignored = cases.map_or(0, |cases| cases.values().filter(|case| case["ignored"] == true).count());
        let text = |field: &str| suite[field].as_str().unwrap_or_default();
        let kind = kind(text("kind"), text("package-name"), text("binary-name"));
        (name.clone(), Found { kind, tests: all - ignored, ignored })
    });
    Ok(found.collect())
}

/// What a reader calls the tests of a test program.
fn kind(target: &str, package: &str, binary: &str) -> String {
    let kind = match (target, package, binary) {
        ("lib" | "bin" | "proc-macro", ..) => "unit",
        (_, _, "system") => "system",
        (_, "jobs" | "domain" | "migration", _) => "with a database",
        _ => "integration",
    };
    format!("{kind}: {package}")
}

/// Reads the report: for each test program what ran, what failed, and how long its tests took.
fn became(report: &str) -> BTreeMap<&str, Became> {
    let mut became = BTreeMap::new();
    for suite in report.split("<testsuite ").skip(1) {
        let Some(name) = attribute(suite, "name") else { continue };
        let count = |name: &str| attribute(suite, name).and_then(|number| number.parse().ok()).unwrap_or(0);
        let times = suite.split("<testcase ").skip(1).filter_map(|case| attribute(case, "time")?.parse::<f64>().ok());
        let failed = count("failures") + count("errors");
        became.insert(name, Became { ran: count("tests"), failed, took: times.sum() });
    }
    if became.is_empty() {
        output::progress("the report of cargo-nextest names no tests");
    }
    became
}

/// An attribute of the tag whose inside the text begins with.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let inside = tag.split('>').next()?;
    let start = inside.match_indices(name).find(|(at, _)| {
        let before = inside[..*at].chars().next_back();
        before.is_none_or(char::is_whitespace) && inside[at + name.len()..].starts_with("=\"")
    })?;
    inside[start.0 + name.len() + 2..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="0" time="1.5">
    <testsuite name="jobs::it" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="a::b" classname="jobs::it" timestamp="x" time="0.25"></testcase>
        <testcase name="a::c" classname="jobs::it" timestamp="x" time="0.5"><failure message="tests=&quot;9&quot;"/></testcase>
    </testsuite>
    <testsuite name="meta" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="d" classname="meta" timestamp="x" time="0.125"></testcase>
    </testsuite>
</testsuites>"#;
        let became = became(report);
        assert_eq!(became["jobs::it"], Became { ran: 2, failed: 1, took: 0.75 });
        assert_eq!(became["meta"], Became { ran: 1, failed: 0, took: 0.125 });
    }

    #[test]
    fn kinds_are_told_by_program() {
        assert_eq!(kind("lib", "jobs", "jobs"), "unit: jobs");
        assert_eq!(kind("test", "jobs", "it"), "with a database: jobs");
        assert_eq!(kind("test", "api", "system"), "system: api");
        assert_eq!(kind("test", "api", "edge"), "integration: api");
    }
}
