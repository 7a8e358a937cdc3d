//! A budget of calls per second: full at first, refilled as time passes.
//! Real time counts, since a client waits by its own clock however the sandbox's is turned.

use std::time::Instant;

/// What is left of a budget.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    left: f64,
    at: Option<Instant>,
}

impl Rate {
    /// Takes one call of so many per second; false when none is left.
    pub(crate) fn take(&mut self, per_second: u32, now: Instant) -> bool {
        let most = f64::from(per_second);
        let gained = self.at.map_or(most, |at| now.saturating_duration_since(at).as_secs_f64() * most);
        self.left = (self.left + gained).min(most);
        self.at = Some(now);
        let some = self.left >= 1.0;
        if some {
            self.left -= 1.0;
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_a_second() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let mut at = |ms| rate.take(2, start + Duration::from_millis(ms));
        assert!(at(0) && at(0) && !at(0));
        assert!(!at(400) && at(501) && !at(502));
        assert!(at(5_000) && at(5_000) && !at(5_001), "what is not used is not saved up");
    }
}
