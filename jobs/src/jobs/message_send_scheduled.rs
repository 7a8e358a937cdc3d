//! `message.send_scheduled`: makes the message of a scheduled one when it is due, in the transaction that enqueues its sending.
//! It is never early, and does nothing for one that was cancelled or changed since.

use super::{Finish, HandlerError, Kind, Run, message_send, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::operate;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::db::Tx;
use domain::id::OrganizationId;
use domain::scheduled::{self, Released, ScheduleError};
use entities::job::{self, Model as Job};
use entities::scheduled_message;
use futures::future::BoxFuture;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "message.send_scheduled",
    queue: Queue::Send,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: give_up,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    scheduled_id: Uuid,
    /// Of the row when the job was made; a changed one has another job.
    version: i32,
}

/// The job of one version of a scheduled message.
pub fn job(row: &scheduled_message::Model) -> NewJob {
    NewJob::new(&KIND, json!({ "scheduledId": row.id, "version": row.version }))
        .run_at(row.due_at)
        .dedupe_key(key(row))
        .serves(row.organization_id, row.connection_id)
}

/// Cancels one of an organization, with its job. Once this has returned, the message is not sent.
pub async fn cancel(ledger: &Ledger, organization: OrganizationId, id: Uuid) -> Result<(), ScheduleError> {
    let tx = ledger.context().db.begin().await?;
    let before = scheduled::find(tx.conn(), organization, id).await?.ok_or(ScheduleError::NotFound)?;
    drop_job(ledger, &tx, &before).await?;
    scheduled::cancel(&tx, ledger.context(), organization, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends the job of a version that is to be changed or cancelled, while it waits. First of all in the transaction: a job that
/// runs holds its row until its end, and what is decided after that sees what it did.
pub async fn drop_job(ledger: &Ledger, tx: &Tx, row: &scheduled_message::Model) -> Result<(), DbErr> {
    let found = job::Entity::find()
        .filter(job::Column::DedupeKey.eq(key(row)))
        .filter(job::Column::State.is_in(["scheduled", "available", "retryable", "snoozed"]))
        .one(tx.conn())
        .await?;
    if let Some(job) = found {
        operate::withdraw(tx, job.id, ledger.now()).await?;
    }
    Ok(())
}

/// What that job is found by while it waits.
fn key(row: &scheduled_message::Model) -> String {
    format!("scheduled:{}:{}", row.id.simple(), row.version)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { scheduled_id, version } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let mut tx = ledger.context().db.begin().await?;
        still_held(&tx, [job]).await?;
        let result = match scheduled::release(&tx, ledger.context(), scheduled_id, version).await? {
            Released::Now(parts) => {
                let jobs = parts.iter().map(|part| message_send::job(part, job.trace_id.clone())).collect();
                ledger.enqueue(&mut tx, jobs).await?;
                json!({ "messages": parts.iter().map(|part| part.id).collect::<Vec<_>>() })
            }
            Released::Refused(class, sentence) => json!({ "refused": class, "why": sentence }),
            Released::Early(due_at) => {
                tx.rollback().await?;
                let failure = Failure::new("early", "It is not due yet.");
                return Ok(Finish::Outcome(Outcome::Snooze(failure, due_at)));
            }
            Released::Before => json!({ "skipped": "cancelled_changed_or_released" }),
        };
        let now = ledger.now();
        let decision = decide(job, Outcome::Completed(result), now, 0.5);
        settle(&tx, job, &decision, now).await?;
        tx.commit().await?;
        run::log(job, &decision);
        Ok(Finish::Settled)
    })
}

/// A job that is given up leaves nothing waiting.
fn give_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    _: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        let Ok(Payload { scheduled_id, version }) = payload::<Payload>(job) else { return Ok(()) };
        scheduled::give_up(tx, ledger.context(), scheduled_id, version).await
    })
}
