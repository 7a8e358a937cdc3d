//! How often and how long a kind of job is tried. The steps are those of the ledger's design; a kind picks its own budget.

use domain::clock::{HOUR, MINUTE, Millis, SECOND};
use std::time::Duration;

/// The waits after the first, second, … try.
pub const STEPS: [Millis; 8] =
    [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR];

/// A kind's policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Tries before the job is discarded.
    pub max_attempts: i32,
    /// A try that takes longer is a failure of class `timeout`; `None` for a kind that bounds itself and must not be dropped.
    pub timeout: Option<Duration>,
    /// May a running try be dropped when its job is cancelled? Not when a call to Meta might be on its way.
    pub cancellable: bool,
}

/// Eight tries over some nine hours, half a minute each.
pub const STANDARD: Policy = Policy { max_attempts: 8, timeout: Some(Duration::from_secs(30)), cancellable: true };

/// The wait after try number `attempt`, ±20 % by `jitter` in `0.0..1.0`.
pub fn backoff(attempt: i32, jitter: f64) -> Millis {
    let step = usize::try_from(attempt - 1).unwrap_or(0).min(STEPS.len() - 1);
    let spread = STEPS[step] / 5;
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few hours in milliseconds")]
    let shift = ((jitter * 2.0 - 1.0) * spread as f64) as Millis;
    STEPS[step] + shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_fifth() {
        for attempt in 0..20 {
            let (low, middle, high) = (backoff(attempt, 0.0), backoff(attempt, 0.5), backoff(attempt, 1.0));
            assert_eq!((low * 5, high * 5), (middle * 4, middle * 6), "attempt {attempt}");
        }
    }
}
