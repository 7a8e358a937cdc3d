//! The sandbox's own clock: real time plus an offset, or frozen.
//! Windows, retries and timestamps all use it, so a test turns days without sleeping.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A hundred years: what a clock may be moved by at once.
pub(crate) const FARTHEST_MS: i64 = 100 * 366 * 86_400_000;

/// Milliseconds since 1970, as this sandbox sees them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    offset_ms: i64,
    frozen_at: Option<i64>,
}

fn real_ms() -> i64 {
    Utc::now().timestamp_millis()
}

impl Clock {
    pub(crate) fn now(&self) -> i64 {
        self.frozen_at.unwrap_or_else(|| real_ms() + self.offset_ms)
    }

    pub(crate) fn frozen(&self) -> bool {
        self.frozen_at.is_some()
    }

    pub(crate) fn offset_ms(&self) -> i64 {
        self.now() - real_ms()
    }

    pub(crate) fn advance(&mut self, ms: i64) {
        self.offset_ms = self.offset_ms.saturating_add(ms);
        self.frozen_at = self.frozen_at.map(|at| at.saturating_add(ms));
    }

    pub(crate) fn set(&mut self, ms: i64) {
        self.offset_ms = ms - real_ms();
        self.frozen_at = self.frozen_at.map(|_| ms);
    }

    pub(crate) fn freeze(&mut self, frozen: bool) {
        let now = self.now();
        self.offset_ms = now - real_ms();
        self.frozen_at = frozen.then_some(now);
    }

    /// How long to sleep until this clock shows `due`; none while it stands still.
    pub(crate) fn real_wait(&self, due: i64) -> Option<Duration> {
        let left = due.saturating_sub(self.now());
        match u64::try_from(left) {
            Ok(left) if left > 0 => (!self.frozen()).then(|| Duration::from_millis(left)),
            _ => Some(Duration::ZERO),
        }
    }
}

/// RFC 3339 in UTC with milliseconds, as the control interface shows times.
pub(crate) fn rfc3339(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The form Graph uses in `created_time`.
pub(crate) fn graph_time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

/// The form of a session's end in error 190, which is Pacific time.
pub(crate) fn session_time(ms: i64) -> String {
    let pacific = ms.saturating_sub(8 * 3_600_000);
    DateTime::from_timestamp_millis(pacific).unwrap_or_default().format("%A, %d-%b-%y %H:%M:%S PST").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_freezes_and_thaws() {
        let mut clock = Clock::default();
        clock.set(1_790_000_000_000);
        clock.freeze(true);
        let at = clock.now();
        assert!((1_790_000_000_000..1_790_000_001_000).contains(&at));
        clock.advance(3_600_000);
        assert_eq!(clock.now(), at + 3_600_000);
        assert_eq!(clock.real_wait(at + 3_600_001), None);
        clock.freeze(false);
        assert!(clock.now() - at - 3_600_000 < 1_000);
        assert!(clock.real_wait(clock.now() + 60_000).is_some());
        assert_eq!(clock.real_wait(0), Some(Duration::ZERO));
    }

    #[test]
    fn a_clock_that_stands_shows_what_it_was_set_to() {
        // Real time goes on between the two.
        for at in 1_790_000_000_000..1_790_000_200_000 {
            let mut clock = Clock::default();
            clock.freeze(true);
            clock.set(at);
            assert_eq!(clock.now(), at);
        }
    }

    #[test]
    fn all_forms_of_time() {
        assert_eq!(rfc3339(1_790_000_000_123), "2026-09-21T14:13:20.123Z");
        assert_eq!(graph_time(1_790_000_000_123), "2026-09-21T14:13:20+0000");
        assert_eq!(session_time(1_790_000_000_123), "Monday, 21-Sep-26 06:13:20 PST");
    }
}
