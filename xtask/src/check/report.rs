//! The table of steps: each with ok or FAILED, its time, and a sentence about what was seen.

use crate::output;
use std::time::Duration;

/// The outcomes so far.
#[derive(Debug, Default)]
pub struct Report {
    /// Steps that showed what they should.
    pub passed: usize,
    /// Steps that did not.
    pub failed: usize,
    /// All of them together.
    pub took: Duration,
}

impl Report {
    /// Prints the head of the table.
    pub fn begin() -> Self {
        output::line("step            outcome  seconds  what was seen");
        Self::default()
    }

    /// Counts a step and prints its row.
    pub fn add(&mut self, name: &str, outcome: anyhow::Result<String>, took: Duration) {
        let (word, sentence) = match outcome {
            Ok(sentence) => {
                self.passed += 1;
                ("ok", sentence)
            }
            Err(error) => {
                self.failed += 1;
                ("FAILED", format!("{error:#}"))
            }
        };
        self.took += took;
        output::line(&format!("{name:<15} {word:<8} {:>7.1}  {sentence}", took.as_secs_f64()));
    }

    /// Prints the sum.
    pub fn end(&self) {
        output::line(&format!("\n{} steps ok, {} failed", self.passed, self.failed));
    }

    /// Whether every step showed what it should.
    pub fn is_passed(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}
