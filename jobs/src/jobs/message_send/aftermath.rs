//! What follows from Meta's answer to a send: for the message, the account, the holds and the job. The error-class table in
//! `meta` says what an error means; this file says what the product does about it.

use crate::ledger::hold::{Subject, hold};
use crate::outcome::{Decision, Failure, Outcome};
use domain::clock::{DAY, MINUTE, Millis};
use domain::db::Tx;
use domain::outbound::{self, Outgoing, Trouble};
use meta::{ErrorClass, GraphError, Operation, SendError, Sent, Usage, classify};
use sea_orm::DbErr;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Waiting time after a rate limit that names none, and between sends when Meta's budget is nearly used.
const RATE_LIMIT_PAUSE: Millis = MINUTE;
/// Above this share of a budget, sending slows down by itself.
const FULL_PERCENT: u32 = 80;

/// An answer, understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Aftermath {
    /// Meta has it; where its usage headers say so, sending rests before Meta refuses.
    Sent { mid: String, rest: Option<(Subject, Millis)> },
    /// Nobody can say.
    Unknown { failure: Failure },
    /// Provably not sent; try again.
    Again { failure: Failure },
    /// Provably not sent; the account or the app must not send until then.
    Held { failure: Failure, subject: Subject, until: Millis },
    /// Provably not sent; the account's token does not work.
    Reconnect { failure: Failure, hint: &'static str },
    /// Provably not sent; Meta restricts the account.
    Restricted { failure: Failure, hint: &'static str },
    /// Provably not sent, and never will be.
    Never { failure: Failure, hint: &'static str },
}

impl Aftermath {
    pub(super) fn of(outgoing: &Outgoing, answer: Result<Sent, SendError>, now: Millis) -> Self {
        let SendError { error, usage } = match answer {
            Ok(sent) => {
                return Self::Sent { rest: rest(&sent.usage, outgoing.connection.id, now), mid: sent.message_id };
            }
            Err(error) => error,
        };
        let classified = classify(Operation::Send, &error);
        let wait = usage.regain_access().or(error.retry_after);
        let failure = failure(classified.class, classified.hint, &error, wait);
        let hint = classified.hint;
        match classified.class {
            ErrorClass::UnknownOutcome => Self::Unknown { failure },
            ErrorClass::Transient => Self::Again { failure },
            ErrorClass::RateLimited => {
                let pause = wait.map_or(RATE_LIMIT_PAUSE, |d| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX));
                // These count against the app as a whole: every other call would only prolong it.
                let subject = match error.code {
                    Some(4 | 341) => Subject::App,
                    _ => Subject::Connection(outgoing.connection.id),
                };
                // After a day every window that is open now has closed: what waits must be told then.
                Self::Held { failure, subject, until: now.saturating_add(pause.min(DAY)) }
            }
            ErrorClass::Reconnect | ErrorClass::OwnerAction => Self::Reconnect { failure, hint },
            ErrorClass::AccountRestricted => Self::Restricted { failure, hint },
            ErrorClass::WindowClosed
            | ErrorClass::RecipientUnavailable
            | ErrorClass::AppConfiguration
            | ErrorClass::LoginRestart
            | ErrorClass::Permanent => Self::Never { failure, hint },
        }
    }

    /// What the job's policy is told.
    pub(super) fn outcome(&self, outgoing: &Outgoing, now: Millis) -> Outcome {
        match self {
            Self::Sent { mid, .. } => Outcome::Completed(json!({ "status": "sent", "externalId": mid })),
            Self::Unknown { failure } => Outcome::CompletedWith(json!({ "status": "unknown" }), failure.clone()),
            Self::Again { failure } => Outcome::Retry(failure.clone(), outgoing.window_closes_at),
            Self::Held { failure, until, .. } => Outcome::Snooze(failure.clone(), *until),
            Self::Reconnect { failure, .. } => {
                let recheck = now + super::RECHECK;
                Outcome::Snooze(
                    failure.clone(),
                    outgoing.window_closes_at.map_or(recheck, |closes| closes.min(recheck)),
                )
            }
            Self::Restricted { failure, .. } | Self::Never { failure, .. } => Outcome::Discard(failure.clone()),
        }
    }

    /// The effects, in the transaction that settles the job.
    pub(super) async fn apply(
        &self,
        tx: &Tx,
        outgoing: &Outgoing,
        decision: &Decision,
        now: Millis,
    ) -> Result<(), DbErr> {
        let (db, id) = (tx.conn(), outgoing.message.id);
        match self {
            Self::Sent { mid, rest } => {
                if let Some((subject, until)) = rest {
                    hold(tx, *subject, *until, "Meta's usage headers show little room.", now).await?;
                }
                outbound::sent(db, id, mid, None, now).await
            }
            Self::Unknown { failure } => outbound::unknown(db, id, &trouble(failure, outbound::UNKNOWN)).await,
            Self::Again { failure } if decision.is_final() => {
                outbound::fail(db, id, &trouble(failure, "Meta could not be reached in time.")).await
            }
            Self::Again { .. } => outbound::requeue(db, id).await,
            Self::Held { failure, subject, until } => {
                hold(tx, *subject, *until, &failure.message, now).await?;
                outbound::requeue(db, id).await
            }
            Self::Reconnect { hint, .. } => {
                let news = outbound::needs_reconnect(tx, &outgoing.connection, hint, now).await?;
                if news {
                    tracing::warn!(connection = %outgoing.connection.id, "the account needs to be connected again");
                }
                outbound::requeue(db, id).await
            }
            Self::Restricted { failure, hint } => {
                outbound::restricted(tx, &outgoing.connection, hint, now).await?;
                outbound::fail(db, id, &trouble(failure, hint)).await
            }
            Self::Never { failure, hint } => outbound::fail(db, id, &trouble(failure, hint)).await,
        }
    }
}

/// Whose sending rests until when, after an answer that shows little room: calls while throttled prolong the throttle.
fn rest(usage: &Usage, connection_id: Uuid, now: Millis) -> Option<(Subject, Millis)> {
    let account = Subject::Connection(connection_id);
    if let Some(wait) = usage.regain_access() {
        let wait = Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX);
        return Some((account, now.saturating_add(wait)));
    }
    if usage.app_percent.is_some_and(|percent| percent > FULL_PERCENT) {
        return Some((Subject::App, now + RATE_LIMIT_PAUSE));
    }
    let full = usage.max_percent().is_some_and(|percent| percent > FULL_PERCENT);
    full.then_some((account, now + RATE_LIMIT_PAUSE))
}

fn failure(class: ErrorClass, hint: &str, error: &GraphError, wait: Option<Duration>) -> Failure {
    let code = error.code.map(|code| match error.subcode {
        Some(subcode) => format!("{code}/{subcode}"),
        None => code.to_string(),
    });
    Failure {
        class: class.as_str().to_owned(),
        code,
        message: format!("{hint} Meta said: {}", error.message),
        http_status: error.http_status,
        meta_trace_id: error.fbtrace_id.clone(),
        retry_after: wait,
    }
}

fn trouble(failure: &Failure, sentence: &str) -> Trouble {
    Trouble { class: failure.class.clone(), code: failure.code.clone(), sentence: sentence.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::BusinessUsage;

    fn business(percent: u32, regain: Option<u64>) -> Usage {
        let regain_access = regain.map(Duration::from_secs);
        let entry = BusinessUsage { id: "1".to_owned(), kind: "messenger".to_owned(), percent, regain_access };
        Usage { business: vec![entry], ..Usage::default() }
    }

    #[test]
    fn sending_rests_before_meta_refuses() {
        let id = Uuid::from_u128(7);
        let account = |until| Some((Subject::Connection(id), until));
        let app = |percent| Usage { app_percent: Some(percent), ..Usage::default() };
        assert_eq!(rest(&Usage::default(), id, 0), None, "the headers are absent until enough calls were made");
        assert_eq!(rest(&business(80, None), id, 0), None);
        assert_eq!(rest(&business(81, None), id, 0), account(60_000));
        assert_eq!(rest(&business(5, Some(19 * 60)), id, 1_000), account(19 * 60_000 + 1_000));
        assert_eq!(rest(&Usage { page_percent: Some(99), ..Usage::default() }, id, 0), account(60_000));
        assert_eq!(rest(&app(80), id, 0), None);
        assert_eq!(rest(&app(81), id, 0), Some((Subject::App, 60_000)));
    }
}
