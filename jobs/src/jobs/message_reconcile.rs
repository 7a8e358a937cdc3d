//! `message.reconcile`: looks into the conversation at Meta, a minute and again three minutes after a send whose outcome is
//! unknown. Found, the message is `sent`; not found, it stays `unknown`, for an absence proves nothing.

use super::meta_answer::understand;
use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use domain::clock::{MINUTE, Millis, SECOND};
use domain::connections::open_token;
use domain::db::Tx;
use domain::inbox::lock_conversation;
use domain::outbound::{self, Outgoing};
use entities::job::Model as Job;
use entities::message;
use futures::future::BoxFuture;
use meta::{ConversationMessage, Operation};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait as _, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "message.reconcile",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 3, ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// The looks, after the send became unknown.
const LOOKS: [Millis; 2] = [MINUTE, 3 * MINUTE];
/// Messages of the conversation that are looked at.
const DEPTH: u32 = 25;
/// How far Meta's time (in whole seconds) may lie before and after the time we began to send.
const BEFORE: Millis = 5 * SECOND;
const AFTER: Millis = 10 * MINUTE;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    message_id: Uuid,
    /// 0 or 1: which look this is.
    look: usize,
}

/// The first look at an unknown outcome.
pub fn first_look(message: &message::Model, now: Millis, trace_id: Option<String>) -> NewJob {
    look(message, 0, now + LOOKS[0], trace_id)
}

fn look(message: &message::Model, look: usize, at: Millis, trace_id: Option<String>) -> NewJob {
    NewJob::new(&KIND, json!({ "messageId": message.id, "look": look }))
        .run_at(at)
        .dedupe_key(format!("reconcile:{}:{look}", message.id.simple()))
        .serves(message.organization_id, message.connection_id)
        .trace(trace_id)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { message_id, look: number } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let db = ledger.context().db.read();
        let completed = |result| Ok(Finish::Outcome(Outcome::Completed(result)));
        let Some(outgoing) = outbound::load(db, message_id).await? else {
            return completed(json!({ "skipped": "message_gone" }));
        };
        if outgoing.message.status.as_deref() != Some("unknown") {
            return completed(json!({ "status": outgoing.message.status }));
        }
        let Ok(token) = open_token(ledger.context(), &outgoing.connection) else {
            return completed(json!({ "skipped": "no_token" }));
        };
        let route = outbound::route_of(&outgoing.connection);
        let answer = ledger.context().meta.conversation_messages(route, &token, &outgoing.recipient, DEPTH).await;
        let messages = match answer {
            Ok(messages) => messages,
            Err(error) => {
                let understood = understand(Operation::ReadConversation, &error);
                return Ok(Finish::Outcome(understood.outcome(ledger.now(), None)));
            }
        };
        let known = known_mids(db, outgoing.message.conversation_id, &messages).await?;
        let found = find(&outgoing, &messages, &known);
        write(ledger, job, &outgoing, found, number).await
    })
}

/// The message among those of the conversation: ours by author and words, at the right time, and not another one of ours.
fn find<'a>(
    outgoing: &Outgoing,
    messages: &'a [ConversationMessage],
    known: &HashSet<String>,
) -> Option<&'a ConversationMessage> {
    let began = outgoing.message.sending_at.unwrap_or(outgoing.message.created_at);
    let words = outgoing.message.text.as_deref().map(str::trim);
    messages
        .iter()
        .filter(|message| !known.contains(&message.mid))
        .filter(|message| message.from_id.as_deref() != Some(&outgoing.recipient))
        .filter(|message| message.text.as_deref().map(str::trim) == words)
        .filter(|message| message.created_ms.is_some_and(|at| (began - BEFORE..=began + AFTER).contains(&at)))
        .min_by_key(|message| message.created_ms)
}

async fn known_mids(
    db: &impl ConnectionTrait,
    conversation_id: Uuid,
    messages: &[ConversationMessage],
) -> Result<HashSet<String>, DbErr> {
    let mids = messages.iter().map(|message| message.mid.as_str());
    let known: Vec<String> = message::Entity::find()
        .select_only()
        .column(message::Column::ExternalId)
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::ExternalId.is_in(mids))
        .into_tuple()
        .all(db)
        .await?;
    Ok(known.into_iter().collect())
}

async fn is_anothers(tx: &Tx, outgoing: &Outgoing, mid: &str) -> Result<bool, DbErr> {
    let others = message::Entity::find()
        .filter(message::Column::ConversationId.eq(outgoing.message.conversation_id))
        .filter(message::Column::ExternalId.eq(mid))
        .filter(message::Column::Id.ne(outgoing.message.id))
        .filter(message::Column::Origin.ne("external"));
    Ok(others.count(tx.conn()).await? > 0)
}

async fn write(
    ledger: &Ledger,
    job: &Job,
    outgoing: &Outgoing,
    found: Option<&ConversationMessage>,
    number: usize,
) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    lock_conversation(tx.conn(), outgoing.message.conversation_id).await?;
    let status = outbound::load(tx.conn(), outgoing.message.id).await?.and_then(|now| now.message.status);
    // All was read before: meanwhile it may be settled, or another of ours may have turned out to be what was found.
    let found = match found {
        Some(found) if is_anothers(&tx, outgoing, &found.mid).await? => None,
        other => other,
    };
    let result = match (found, LOOKS.get(number + 1)) {
        _ if status.as_deref() != Some("unknown") => json!({ "status": status }),
        (Some(found), _) => {
            outbound::sent(&tx, outgoing.message.id, &found.mid, found.created_ms, now).await?;
            json!({ "status": "sent", "externalId": found.mid })
        }
        (None, Some(next)) => {
            let wait = next - LOOKS[number];
            let next = look(&outgoing.message, number + 1, now + wait, job.trace_id.clone());
            ledger.enqueue(&mut tx, vec![next]).await?;
            json!({ "status": "unknown", "found": false })
        }
        (None, None) => json!({ "status": "unknown", "found": false }),
    };
    let decision = decide(job, Outcome::Completed(result), now, 0.5);
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}
