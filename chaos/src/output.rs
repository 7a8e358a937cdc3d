//! What the run says: the table on standard output, progress on standard error, each line stamped with the second of the run.
//! A reader who went away ends nothing.

use std::io::Write as _;
use std::sync::LazyLock;

/// Tells the checker when the run began, so that both count the same seconds.
pub const BEGAN_AT: &str = "CHAOS_BEGAN_AT";

static BEGAN: LazyLock<i64> =
    LazyLock::new(|| std::env::var(BEGAN_AT).ok().and_then(|at| at.parse().ok()).unwrap_or_else(now));

/// When the run began, in milliseconds since 1970.
pub fn began() -> i64 {
    *BEGAN
}

/// A line of the result.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _nobody_reads = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A line about what is going on.
pub fn progress(text: &str) {
    let tenths = (now() - began()) / 100;
    let _nobody_reads = writeln!(std::io::stderr().lock(), "{:>5}.{} s  {text}", tenths / 10, tenths % 10);
}

/// Milliseconds since 1970, as everything here is stamped.
pub fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
