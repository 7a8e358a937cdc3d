//! What a handler says of its job, and what the job's policy makes of it. Deciding is pure, so that every kind can be tested
//! without a database, and so that a handler can know that this was the last try before it writes its effects.

use crate::policy::backoff;
use domain::clock::Millis;
use entities::job::Model as Job;
use serde_json::Value;
use std::time::Duration;

/// Why a try did not succeed. The message is redacted: no token, no message text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// From the error-class table, or `database`, `panic`, `timeout`, `lapsed`, `internal`.
    pub class: String,
    /// Meta's `code/subcode`.
    pub code: Option<String>,
    /// A sentence.
    pub message: String,
    /// Of Meta's answer.
    pub http_status: Option<u16>,
    /// Meta's `fbtrace_id`.
    pub meta_trace_id: Option<String>,
    /// What Meta asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure on our side.
    pub fn new(class: &str, message: impl Into<String>) -> Self {
        Self {
            class: class.to_owned(),
            code: None,
            message: message.into(),
            http_status: None,
            meta_trace_id: None,
            retry_after: None,
        }
    }

    /// Groups failures of one cause: kind, class and code.
    pub fn fingerprint(&self, kind: &str) -> String {
        format!("{kind} {} {}", self.class, self.code.as_deref().unwrap_or("-"))
    }
}

/// What a handler returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done, with a result others may read.
    Completed(Value),
    /// Done, but not plainly: the failure is kept beside the result (an unknown outcome).
    CompletedWith(Value, Failure),
    /// May succeed later. Not after `not_after`, where given: then it is discarded instead.
    Retry(Failure, Option<Millis>),
    /// Not now, through no fault of the job: costs no attempt.
    Snooze(Failure, Millis),
    /// Will never succeed.
    Discard(Failure),
}

/// What becomes of the job row.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The new state.
    pub state: &'static str,
    /// When to run again, for `retryable` and `snoozed`.
    pub run_at: Option<Millis>,
    /// Gives the try back.
    pub attempt: i32,
    /// Kept on the row.
    pub failure: Option<Failure>,
    /// Kept on the row.
    pub result: Option<Value>,
    /// The word in `job_attempts`; none for a plain success.
    pub attempt_outcome: Option<&'static str>,
}

impl Decision {
    /// True when no further try will follow.
    pub fn is_final(&self) -> bool {
        self.run_at.is_none()
    }
}

/// Turns an outcome into the job's next state. `jitter` is in `0.0..1.0`.
pub fn decide(job: &Job, outcome: Outcome, now: Millis, jitter: f64) -> Decision {
    let attempt = job.attempt;
    let base = |state, attempt_outcome| Decision {
        state,
        run_at: None,
        attempt,
        failure: None,
        result: None,
        attempt_outcome,
    };
    match outcome {
        Outcome::Completed(result) => Decision { result: Some(result), ..base("completed", None) },
        Outcome::CompletedWith(result, failure) => {
            Decision { result: Some(result), failure: Some(failure), ..base("completed", Some("unknown")) }
        }
        Outcome::Discard(failure) => Decision { failure: Some(failure), ..base("discarded", Some("discard")) },
        Outcome::Snooze(failure, until) => Decision {
            run_at: Some(until.max(now + 1)),
            attempt: attempt - 1,
            failure: Some(failure),
            ..base("snoozed", Some("snooze"))
        },
        Outcome::Retry(failure, not_after) => {
            let asked = failure.retry_after.map_or(0, |d| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX));
            let wait = backoff(attempt, jitter).max(asked);
            let run_at = now.saturating_add(wait);
            let too_late = not_after.is_some_and(|limit| run_at > limit);
            if attempt >= job.max_attempts || too_late {
                return Decision { failure: Some(failure), ..base("discarded", Some("discard")) };
            }
            Decision { run_at: Some(run_at), failure: Some(failure), ..base("retryable", Some("retry")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::enqueue::tests::a_job;
    use crate::policy::STANDARD;

    fn failure() -> Failure {
        Failure::new("transient", "try again")
    }

    #[test]
    fn retries_wait_longer_each_time_and_then_end() {
        let mut job = a_job("t");
        job.max_attempts = STANDARD.max_attempts;
        let mut waits = Vec::new();
        for attempt in 1..=STANDARD.max_attempts {
            job.attempt = attempt;
            let decision = decide(&job, Outcome::Retry(failure(), None), 1_000, 0.5);
            waits.push(decision.run_at.map(|at| (at - 1_000) / 1_000));
        }
        let expected = [Some(5), Some(30), Some(120), Some(600), Some(1_800), Some(7_200), Some(21_600), None];
        assert_eq!(waits, expected);
    }

    #[test]
    fn what_meta_asked_for_is_a_floor_and_the_window_a_ceiling() {
        let job = a_job("t");
        let asked = Failure { retry_after: Some(Duration::from_secs(90)), ..failure() };
        let decision = decide(&job, Outcome::Retry(asked.clone(), None), 0, 0.5);
        assert_eq!(decision.run_at, Some(90_000));
        let decision = decide(&job, Outcome::Retry(asked, Some(89_999)), 0, 0.5);
        assert_eq!((decision.state, decision.is_final()), ("discarded", true));
    }

    #[test]
    fn a_snooze_gives_the_try_back() {
        let job = a_job("t");
        let decision = decide(&job, Outcome::Snooze(failure(), 500), 1_000, 0.0);
        assert_eq!((decision.state, decision.attempt, decision.run_at), ("snoozed", job.attempt - 1, Some(1_001)));
    }
}
