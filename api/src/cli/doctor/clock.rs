//! What a difference between two clocks means. The service lives by its own: the ends of tokens, the age of a login's state and
//! the windows of conversations are all reckoned with it.

use super::report::{Finding, Status};
use domain::clock::{Millis, SECOND};

/// How many milliseconds are odd, and how many are wrong.
pub struct Limits {
    /// From here on somebody should look.
    pub warning: Millis,
    /// From here on something does not work.
    pub problem: Millis,
}

/// Judges how far our clock is ahead of another.
pub fn judge(name: &'static str, whose: &str, ahead: Millis, limits: &Limits) -> Finding {
    let status = match ahead.saturating_abs() {
        skew if skew > limits.problem => Status::Problem,
        skew if skew > limits.warning => Status::Warning,
        _ => return Finding::ok(name, format!("this machine's clock and {whose} agree")),
    };
    let (seconds, side) = (ahead.saturating_abs() / SECOND, if ahead > 0 { "ahead of" } else { "behind" });
    let cure = "let both machines take their time from the network (NTP): logins and tokens are judged by it";
    Finding::new(status, name, format!("this machine's clock is {seconds} s {side} {whose}; {cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_odd_and_much_is_wrong_on_both_sides() {
        let limits = Limits { warning: 2_000, problem: 30_000 };
        let told = |ahead| super::super::report::Report::of(judge("c", "theirs", ahead, &limits)).text();
        assert!(told(-2_000).starts_with("ok") && told(2_000).starts_with("ok"));
        assert!(told(2_001).starts_with("warning") && told(2_001).contains("2 s ahead of theirs"));
        assert!(told(-30_000).starts_with("warning") && told(-30_000).contains("30 s behind theirs"));
        assert!(told(30_001).starts_with("problem") && told(Millis::MIN).starts_with("problem"));
    }
}
