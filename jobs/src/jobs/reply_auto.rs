//! `reply.auto`: decides on the automatic reply to one new message and, in the same transaction, writes the outbound message
//! and the job that sends it. Calls nobody; running it twice makes one reply.

use super::{Finish, HandlerError, Kind, Run, leave, message_send, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::replies::{self, Decision};
use entities::connection;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "reply.auto",
    queue: Queue::Send,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    message_id: Uuid,
}

/// The job that decides on the reply to a message.
pub fn job(message_id: Uuid, connection: &connection::Model, trace_id: Option<String>) -> NewJob {
    NewJob::new(&KIND, json!({ "messageId": message_id }))
        .dedupe_key(format!("reply:{}", message_id.simple()))
        .serves(connection.organization_id, connection.id)
        .trace(trace_id)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { message_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let mut tx = ledger.context().db.begin().await?;
        still_held(&tx, [job]).await?;
        let result = match replies::decide(&tx, ledger.context(), message_id).await? {
            Decision::Skip(reason) => json!({ "skipped": reason }),
            Decision::Reply(message) => {
                ledger.enqueue(&mut tx, vec![message_send::job(&message, job.trace_id.clone())]).await?;
                json!({ "messageId": message.id })
            }
        };
        let now = ledger.now();
        let decision = decide(job, Outcome::Completed(result), now, 0.5);
        settle(&tx, job, &decision, now).await?;
        tx.commit().await?;
        run::log(job, &decision);
        Ok(Finish::Settled)
    })
}
