//! What the commands say: results on standard output, progress on standard error.
//! A reader who went away ends nothing: the work is done, and its exit code told.

use std::io::Write as _;

/// A line of the result.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_reads = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A line about what is going on.
pub fn progress(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr().lock(), "{text}");
}
