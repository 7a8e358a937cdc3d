//! Named places where a test may kill, stop, slow or cut off this process, set by the environment variable `FAILPOINTS`, for example
//! `send.sending_committed=1*return(abort)` or `webhook.event=return(abort:POISON)`. Without the feature they are nothing.

/// Every fault point, in the order a message meets them.
pub const FAILPOINTS: [&str; 12] = [
    "webhook.before_commit",
    "webhook.committed",
    "job.claimed",
    "job.handler",
    "webhook.event",
    "send.sending_committed",
    "send.answer_read",
    "job.settling",
    "job.settled",
    "bell.ring",
    "oauth.code_exchanged",
    "token.refreshed",
];

/// Acts if the fault point `name` is armed. `detail` is what an argument after a colon must occur in.
///
/// `abort` ends the process as a crash would; `panic` and `sleep(ms)` are the fail crate's own.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str, detail: &str) {
    debug_assert!(FAILPOINTS.contains(&name), "unlisted fault point {name}");
    let Some(Some(argument)) = fail::eval(name, |argument| argument) else { return };
    let (act, only) = argument.split_once(':').unwrap_or((&argument, ""));
    if act == "abort" && detail.contains(only) {
        tracing::error!(fault_point = name, "aborting as the fault point asks");
        std::process::abort();
    }
}

/// Nothing, in a program built without fault points.
#[cfg(not(feature = "failpoints"))]
pub fn hit(_name: &str, _detail: &str) {}

/// True where the fault point says `return(cut)`: what it stands before does not happen. `detail` as in [`hit`].
#[cfg(feature = "failpoints")]
pub fn is_cut(name: &str, detail: &str) -> bool {
    debug_assert!(FAILPOINTS.contains(&name), "unlisted fault point {name}");
    let Some(Some(argument)) = fail::eval(name, |argument| argument) else { return false };
    let (act, only) = argument.split_once(':').unwrap_or((&argument, ""));
    act == "cut" && detail.contains(only)
}

/// Never, in a program built without fault points.
#[cfg(not(feature = "failpoints"))]
pub fn is_cut(_name: &str, _detail: &str) -> bool {
    false
}

/// Reads `FAILPOINTS` from the environment; the returned guard keeps them armed.
#[cfg(feature = "failpoints")]
pub fn arm_from_environment() -> impl Sized {
    fail::FailScenario::setup()
}

/// Nothing, in a program built without fault points.
#[cfg(not(feature = "failpoints"))]
pub fn arm_from_environment() -> impl Sized {}
