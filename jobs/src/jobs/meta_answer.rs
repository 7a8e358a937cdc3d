//! What a job makes of an error of Meta: the class from the table with its sentence, and the failure that is kept. Shared by
//! every kind that calls Meta.

use crate::ledger::Ledger;
use crate::outcome::{Failure, Outcome};
use domain::clock::{DAY, MINUTE, Millis};
use domain::connections;
use domain::db::Tx;
use domain::notifications::Told;
use entities::connection;
use meta::{Classified, ErrorClass, GraphError, Operation, classify};
use sea_orm::DbErr;
use std::time::Duration;

use super::notification_mail;

/// An error, understood.
pub(crate) struct Understood {
    pub classified: Classified,
    pub failure: Failure,
}

/// Looks an error up.
pub(crate) fn understand(operation: Operation, error: &GraphError) -> Understood {
    let classified = classify(operation, error);
    let failure = failure(classified.class, classified.hint, error, error.retry_after);
    Understood { classified, failure }
}

/// What is kept of an error.
pub(crate) fn failure(class: ErrorClass, hint: &str, error: &GraphError, wait: Option<Duration>) -> Failure {
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

impl Understood {
    /// Whether the same call may succeed later.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.classified.class, ErrorClass::Transient | ErrorClass::RateLimited | ErrorClass::UnknownOutcome)
    }

    /// Tried again while it may pass, not after `not_after`; otherwise never. A rate limit is not the job's fault: it waits as
    /// long as Meta asks, a minute at least, and no two come back at the same moment.
    pub(crate) fn outcome(self, now: Millis, not_after: Option<Millis>) -> Outcome {
        match self.classified.class {
            ErrorClass::RateLimited => {
                let asked =
                    self.failure.retry_after.map_or(0, |wait| Millis::try_from(wait.as_millis()).unwrap_or(DAY));
                let wait = asked.clamp(MINUTE, DAY);
                let until = now + wait + rand::random_range(0..=wait / 5);
                if not_after.is_some_and(|limit| until > limit) {
                    return Outcome::Discard(self.failure);
                }
                Outcome::Snooze(self.failure, until)
            }
            _ if self.passes() => Outcome::Retry(self.failure, not_after),
            _ => Outcome::Discard(self.failure),
        }
    }
}

/// Writes down what an error says of the account, and has the owner told.
pub(crate) async fn mark(
    ledger: &Ledger,
    tx: &mut Tx,
    connection: &connection::Model,
    classified: Classified,
) -> Result<(), DbErr> {
    let ctx = ledger.context();
    let told = match classified.class {
        ErrorClass::Reconnect | ErrorClass::OwnerAction => {
            connections::needs_reconnect(tx, ctx, connection, classified.hint).await?
        }
        ErrorClass::AccountRestricted => connections::restricted(tx, ctx, connection, classified.hint).await?,
        _ => None,
    };
    tell(ledger, tx, told).await
}

/// Sends what is new to the owner by mail, where mail is set up.
pub async fn tell(ledger: &Ledger, tx: &mut Tx, told: impl IntoIterator<Item = Told>) -> Result<(), DbErr> {
    for Told(id) in told {
        tracing::warn!(notification = %id, "an owner is told of something");
        if ledger.context().settings.mail.is_some() {
            ledger.enqueue(tx, vec![notification_mail::job(id)]).await?;
        }
    }
    Ok(())
}
