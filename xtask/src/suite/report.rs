//! The report that cargo-nextest writes of a run: for each test program what became of its tests. It is read as text, for the
//! little that is needed of it.

use crate::output;
use std::collections::BTreeMap;

/// What became of the tests of one test program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Became {
    /// How many ran.
    pub ran: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How long they took, in seconds.
    pub took: f64,
}

/// Reads the report: for each test program what ran, what failed, and how long its tests took.
pub fn became(report: &str) -> BTreeMap<&str, Became> {
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
}
