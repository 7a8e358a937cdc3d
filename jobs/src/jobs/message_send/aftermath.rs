//! What follows from Meta's answer to a send: for the message, the account, the holds and the job. The error-class table in
//! `meta` says what an error means; this file says what the product does about it.

use crate::jobs::meta_answer::{failure, mark};
use crate::ledger::Ledger;
use crate::ledger::hold::{Pause, Subject, hold};
use crate::outcome::{Decision, Failure, Outcome};
use domain::clock::{MINUTE, Millis};
use domain::db::Tx;
use domain::outbound::{self, Outgoing, Trouble};
use meta::{Classified, ErrorClass, Operation, SendError, Sent, Usage, classify};
use sea_orm::DbErr;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Above this share of a budget, sending slows down by itself.
const FULL_PERCENT: u32 = 80;

/// An answer, understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Aftermath {
    /// Meta has it; where its usage headers say so, sending rests before Meta refuses.
    Sent { mid: String, rest: Option<(Subject, Pause)> },
    /// Nobody can say.
    Unknown { failure: Failure },
    /// Provably not sent; try again.
    Again { failure: Failure },
    /// Provably not sent; the account or the app must not send for a while.
    Held { failure: Failure, subject: Subject, pause: Pause },
    /// Provably not sent; the account's token does not work.
    Reconnect { failure: Failure, classified: Classified },
    /// Provably not sent; Meta restricts the account.
    Restricted { failure: Failure, classified: Classified },
    /// Provably not sent, and never will be.
    Never { failure: Failure, hint: &'static str },
}

impl Aftermath {
    pub(super) fn of(outgoing: &Outgoing, answer: Result<Sent, SendError>) -> Self {
        let SendError { error, usage } = match answer {
            Ok(sent) => {
                return Self::Sent { rest: rest(&sent.usage, outgoing.connection.id), mid: sent.message_id };
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
                // These count against the app as a whole: every other call would only prolong it.
                let subject = match error.code {
                    Some(4 | 341) => Subject::App,
                    _ => Subject::Connection(outgoing.connection.id),
                };
                let pause = wait.map_or(Pause::Unnamed, |wait| Pause::Named(millis(wait)));
                Self::Held { failure, subject, pause }
            }
            ErrorClass::Reconnect | ErrorClass::OwnerAction => Self::Reconnect { failure, classified },
            ErrorClass::AccountRestricted => Self::Restricted { failure, classified },
            ErrorClass::WindowClosed
            | ErrorClass::RecipientUnavailable
            | ErrorClass::AppConfiguration
            | ErrorClass::LoginRestart
            | ErrorClass::Permanent => Self::Never { failure, hint },
        }
    }

    /// Stops further sending where Meta asked for it; returns when this message, if it must wait, may try again.
    pub(super) async fn hold(&self, tx: &Tx, now: Millis) -> Result<Option<Millis>, DbErr> {
        let jitter = rand::random::<f64>();
        match self {
            Self::Sent { rest: Some((subject, pause)), .. } => {
                hold(tx, *subject, *pause, "Meta's usage headers show little room.", now, jitter).await?;
                Ok(None)
            }
            Self::Held { failure, subject, pause } => {
                let held = hold(tx, *subject, *pause, &failure.message, now, jitter).await?;
                Ok(Some(held.until + rand::random_range(0..held.spread)))
            }
            _ => Ok(None),
        }
    }

    /// What the job's policy is told; `until` is when Meta's window ends, `again_at` what [`Aftermath::hold`] returned.
    pub(super) fn outcome(&self, until: Option<Millis>, again_at: Option<Millis>, now: Millis) -> Outcome {
        match self {
            Self::Sent { mid, .. } => Outcome::Completed(json!({ "status": "sent", "externalId": mid })),
            Self::Unknown { failure } => Outcome::CompletedWith(json!({ "status": "unknown" }), failure.clone()),
            Self::Again { failure } => Outcome::Retry(failure.clone(), until),
            Self::Held { failure, .. } => Outcome::Snooze(failure.clone(), again_at.unwrap_or(now + MINUTE)),
            Self::Reconnect { failure, .. } => {
                let recheck = now + super::RECHECK;
                Outcome::Snooze(failure.clone(), until.map_or(recheck, |closes| closes.min(recheck)))
            }
            Self::Restricted { failure, .. } | Self::Never { failure, .. } => Outcome::Discard(failure.clone()),
        }
    }

    /// The effects, in the transaction that settles the job.
    pub(super) async fn apply(
        &self,
        ledger: &Ledger,
        tx: &mut Tx,
        outgoing: &Outgoing,
        decision: &Decision,
        now: Millis,
    ) -> Result<(), DbErr> {
        if let Self::Reconnect { classified, .. } | Self::Restricted { classified, .. } = self {
            mark(ledger, tx, &outgoing.connection, *classified).await?;
        }
        let (tx, id) = (&*tx, outgoing.message.id);
        match self {
            Self::Sent { mid, .. } => outbound::sent(tx, id, mid, None, now).await,
            Self::Unknown { failure } => outbound::unknown(tx, id, &trouble(failure, outbound::UNKNOWN)).await,
            Self::Again { failure } if decision.is_final() => {
                outbound::fail(tx, &outgoing.message, &trouble(failure, "Meta could not be reached in time.")).await
            }
            Self::Again { .. } | Self::Held { .. } | Self::Reconnect { .. } => {
                outbound::requeue(tx, &outgoing.message).await
            }
            Self::Restricted { failure, classified } => {
                outbound::fail(tx, &outgoing.message, &trouble(failure, classified.hint)).await
            }
            Self::Never { failure, hint } => outbound::fail(tx, &outgoing.message, &trouble(failure, hint)).await,
        }
    }
}

/// Whose sending rests, and how long, after an answer that shows little room: calls while throttled prolong the throttle.
fn rest(usage: &Usage, connection_id: Uuid) -> Option<(Subject, Pause)> {
    let account = Subject::Connection(connection_id);
    if let Some(wait) = usage.regain_access() {
        return Some((account, Pause::Named(millis(wait))));
    }
    if usage.app_percent.is_some_and(|percent| percent > FULL_PERCENT) {
        return Some((Subject::App, Pause::Named(MINUTE)));
    }
    let full = usage.max_percent().is_some_and(|percent| percent > FULL_PERCENT);
    full.then_some((account, Pause::Named(MINUTE)))
}

fn millis(wait: Duration) -> Millis {
    Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX)
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
        let account = |pause| Some((Subject::Connection(id), Pause::Named(pause)));
        let app = |percent| Usage { app_percent: Some(percent), ..Usage::default() };
        assert_eq!(rest(&Usage::default(), id), None, "the headers are absent until enough calls were made");
        assert_eq!(rest(&business(80, None), id), None);
        assert_eq!(rest(&business(81, None), id), account(60_000));
        assert_eq!(rest(&business(5, Some(19 * 60)), id), account(19 * 60_000));
        assert_eq!(rest(&Usage { page_percent: Some(99), ..Usage::default() }, id), account(60_000));
        assert_eq!(rest(&app(80), id), None);
        assert_eq!(rest(&app(81), id), Some((Subject::App, Pause::Named(60_000))));
    }
}
