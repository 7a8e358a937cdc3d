//! Test programs, run by cargo-nextest: which tests there are is asked before, what became of them is read from its report, and
//! the two must agree, so that no test is left out unseen.

use super::report::{Became, became};
use super::rows::Row;
use super::run;
use crate::workspace;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Duration;
use testbed::{POSTGRES_URL, REDIS_URL, SETUP};

/// Test programs by their nextest names, e.g. `jobs::it`.
pub type Programs = BTreeMap<String, Found>;

/// Tests of one test program.
#[derive(Clone, Debug, Default)]
pub struct Found {
    kind: String,
    tests: usize,
    ignored: usize,
}

/// Every test program there is.
pub fn found() -> anyhow::Result<Programs> {
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

/// Runs these programs with this in their environment; a row for each.
pub fn run(programs: &Programs, environment: &[(&str, String)]) -> anyhow::Result<Vec<Row>> {
    let report = workspace::target_directory()?.join("nextest").join("default").join("junit.xml");
    // One that a run before left would be read as this run's.
    let _not_there = fs::remove_file(&report);
    let filter: Vec<_> = programs.keys().map(|name| format!("binary_id(={name})")).collect();
    let mut command = workspace::cargo(&["nextest", "run", "--workspace", "--locked", "--profile", "default"]);
    command.args(["--filterset", &filter.join(" | ")]);
    for name in [SETUP, POSTGRES_URL, REDIS_URL] {
        command.env_remove(name);
    }
    let succeeded = run::succeeds(command.envs(environment.iter().map(|(name, value)| (name, value))))?;
    let report = fs::read_to_string(&report).context("the tests did not run to a report")?;
    let became = became(&report);

    let mut rows = Vec::new();
    for (program, Found { kind, tests, ignored }) in programs {
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
        row.missing = missing;
        rows.push(row);
    }
    ensure!(succeeded || rows.iter().any(|row| row.failed > 0), "cargo-nextest failed, but no test did");
    rows.sort_by(|one, other| one.kind.cmp(&other.kind));
    Ok(rows)
}

/// What a reader calls the tests of a test program.
fn kind(target: &str, package: &str, binary: &str) -> String {
    let kind = match (target, package, binary) {
        ("lib" | "bin" | "proc-macro", ..) => "unit",
        (_, _, "system") => "system",
        (_, "testbed", _) | (_, "jobs", "bell") | (_, "domain", "postgres") => "with servers",
        (_, "jobs" | "domain" | "migration", _) => "with a database",
        _ => "integration",
    };
    format!("{kind}: {package}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_program() {
        assert_eq!(kind("lib", "jobs", "jobs"), "unit: jobs");
        assert_eq!(kind("test", "jobs", "it"), "with a database: jobs");
        assert_eq!(kind("test", "api", "system"), "system: api");
        assert_eq!(kind("test", "api", "edge"), "integration: api");
        assert_eq!(kind("test", "jobs", "bell"), "with servers: jobs");
        assert_eq!(kind("test", "testbed", "servers"), "with servers: testbed");
        assert_eq!(kind("test", "domain", "postgres"), "with servers: domain");
    }
}
