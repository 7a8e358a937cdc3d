//! The table at the end: what kind, how many ran, passed and failed, and how long it took; and the one line that sums it up.

use crate::output;
use std::time::Duration;

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What kind of test.
    pub kind: String,
    /// How many succeeded.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// How long they took.
    pub took: Duration,
    /// What a reader must know besides.
    pub note: Option<String>,
    /// How many of those that failed did so by not running at all.
    pub missing: usize,
    /// Tells more of the row above it, in which it is counted.
    pub part: bool,
}

impl Row {
    /// A step that is one test by itself.
    pub fn check(kind: &str, passed: bool, took: Duration) -> Self {
        Self::many(kind, usize::from(passed), usize::from(!passed), took)
    }

    /// Many tests of a kind.
    pub fn many(kind: &str, passed: usize, failed: usize, took: Duration) -> Self {
        Self { kind: kind.to_owned(), passed, failed, took, note: None, missing: 0, part: false }
    }

    /// How many did run.
    pub fn ran(&self) -> usize {
        self.passed + self.failed - self.missing
    }

    /// What could not be run, and why.
    pub fn not_run(kind: &str, why: String, took: Duration) -> Self {
        Self { note: Some(why), ..Self::many(kind, 0, 0, took) }
    }
}

/// The table.
#[derive(Debug, Default)]
pub struct Rows(Vec<Row>);

impl Rows {
    /// Adds the rows of a step.
    pub fn extend(&mut self, rows: Vec<Row>) {
        self.0.extend(rows);
    }

    /// Prints it; whether nothing failed.
    pub fn print(&self) -> bool {
        output::line("");
        output::line(&format!("{:<34} {:>5} {:>7} {:>7} {:>8}", "kind", "ran", "passed", "failed", "seconds"));
        for Row { kind, passed, failed, took, note, part, .. } in &self.0 {
            let kind = if *part { format!("  {kind}") } else { kind.clone() };
            let (ran, seconds) = (passed + failed, took.as_secs_f64());
            let note = note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
            output::line(&format!("{kind:<34} {ran:>5} {passed:>7} {failed:>7} {seconds:>8.1}{note}"));
        }
        let sum = |of: fn(&Row) -> usize| self.0.iter().filter(|row| !row.part).map(of).sum::<usize>();
        let (passed, failed) = (sum(|row| row.passed), sum(|row| row.failed));
        output::line("");
        output::line(&format!("{passed} passed, {failed} failed"));
        failed == 0
    }
}
