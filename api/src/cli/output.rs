//! What commands say on standard output: sentences for people, or one JSON object for programs.

use serde_json::Value;
use std::io::{self, Write as _};

/// Says the one or the other.
pub fn say(json: bool, sentence: &str, value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{value}")?
    } else {
        writeln!(out, "{sentence}")?
    }
    out.flush()
}

/// Says a text as it is.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
