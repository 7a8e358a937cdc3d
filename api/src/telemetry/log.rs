//! Log lines on standard error: for people, or one JSON object a line, in which a line break in a value cannot begin a
//! line of its own.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Whether the text says which lines are written.
pub fn is_filter(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok()
}

/// Starts logging; later calls change nothing.
pub fn start(format: &str, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests, finds the first one's subscriber and leaves it.
    let _already_started = if format == "json" {
        lines.json().flatten_event(true).with_span_list(false).try_init()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    // A panic is a log line like any other; its text is told by whoever catches it, for it may quote data.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
}
