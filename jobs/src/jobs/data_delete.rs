//! `data.delete`: carries out a person's request to have data deleted: messages, conversations and contacts of the person's
//! accounts, what is left of their deliveries, and what would tell which accounts they were.

use super::{Finish, HandlerError, Kind, Run, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::outcome::{Failure, Outcome};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::clock::{DAY, MINUTE, Millis};
use domain::db::Tx;
use domain::feed::What;
use domain::removal::{self, Taken};
use entities::job::Model as Job;
use entities::{
    attachment, contact, conversation, delivery, delivery_event, lead, message, message_mark, scheduled_message,
};
use futures::future::BoxFuture;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "data.delete",
    queue: Queue::Maintenance,
    policy: Policy { timeout: Some(Duration::from_secs(600)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: given_up,
};

/// Conversations of one transaction.
const BATCH: u64 = 50;
/// Rows of one statement otherwise.
const CHUNK: u64 = 500;
/// Deliveries that were being read when the account was let go have been read by then, and what they left is deleted too.
const SETTLED_AFTER: Millis = 5 * MINUTE;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    request_id: Uuid,
    connection_ids: Vec<Uuid>,
    /// The second pass, after which the request is carried out.
    again: bool,
}

/// The job that carries a request out.
pub fn job(taken: &Taken) -> NewJob {
    let connections: Vec<Uuid> = taken.connections.iter().map(|row| row.id).collect();
    pass(taken.callback.id, &connections, false)
}

fn pass(request: Uuid, connections: &[Uuid], again: bool) -> NewJob {
    NewJob::new(&KIND, json!({ "requestId": request, "connectionIds": connections, "again": again }))
        .dedupe_key(format!("delete:{}:{again}", request.simple()))
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { request_id, connection_ids, again } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let mut conversations = 0;
        for connection in &connection_ids {
            conversations += inbox(ledger, *connection).await?;
            deliveries(ledger, *connection).await?;
        }
        let result = json!({ "connections": connection_ids.len(), "conversations": conversations });
        let mut tx = ctx.db.begin().await?;
        if again {
            removal::finish(&tx, ctx, request_id).await?;
        } else {
            let second = pass(request_id, &connection_ids, true).run_at(ledger.now() + SETTLED_AFTER);
            ledger.enqueue(&mut tx, vec![second]).await?;
        }
        tx.commit().await?;
        Ok(Finish::Outcome(Outcome::Completed(result)))
    })
}

/// What was promised to a person is tried again the next day, however often it has failed; the discarded job shows that it has.
fn given_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    failure: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        // An operator who ends it knows why.
        let (Ok(Payload { request_id, connection_ids, again }), Some(_)) = (payload(job), failure) else {
            return Ok(());
        };
        let next = pass(request_id, &connection_ids, again)
            .dedupe_key(format!("delete:{}:{again}:after:{}", request_id.simple(), job.id.simple()))
            .run_at(ledger.now() + DAY);
        ledger.enqueue(tx, vec![next]).await?;
        Ok(())
    })
}

/// Conversations with all that hangs on them, some at a time so that nobody waits behind it.
async fn inbox(ledger: &Ledger, connection: Uuid) -> Result<usize, DbErr> {
    let mut total = 0;
    loop {
        let found: Vec<(Uuid, Uuid)> = conversation::Entity::find()
            .select_only()
            .columns([conversation::Column::Id, conversation::Column::OrganizationId])
            .filter(conversation::Column::ConnectionId.eq(connection))
            .limit(BATCH)
            .into_tuple()
            .all(ledger.context().db.read())
            .await?;
        let some: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
        let Some((_, organization)) = found.first() else { break };
        total += some.len();
        let tx = ledger.context().db.begin().await?;
        tx.note(*organization, What::Everything);
        message_mark::Entity::delete_many()
            .filter(message_mark::Column::ConversationId.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
        attachment::Entity::delete_many()
            .filter(attachment::Column::ConversationId.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
        lead::Entity::delete_many()
            .filter(lead::Column::ConversationId.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
        scheduled_message::Entity::delete_many()
            .filter(scheduled_message::Column::ConversationId.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
        message::Entity::delete_many()
            .filter(message::Column::ConversationId.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
        conversation::Entity::delete_many()
            .filter(conversation::Column::Id.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
        tx.commit().await?;
        tokio::task::yield_now().await;
    }
    loop {
        let some: Vec<Uuid> = contact::Entity::find()
            .select_only()
            .column(contact::Column::Id)
            .filter(contact::Column::ConnectionId.eq(connection))
            .limit(CHUNK)
            .into_tuple()
            .all(ledger.context().db.read())
            .await?;
        if some.is_empty() {
            break;
        }
        let tx = ledger.context().db.begin().await?;
        contact::Entity::delete_many().filter(contact::Column::Id.is_in(some)).exec(tx.conn()).await?;
        tx.commit().await?;
    }
    Ok(total)
}

/// Bodies that still lie here, and the account's id in the record of its events. A body stays while another event of it, which
/// may be of somebody else's account, still waits for an owner or has failed; it goes within a day.
async fn deliveries(ledger: &Ledger, connection: Uuid) -> Result<(), DbErr> {
    use delivery_event::Column as C;
    // Found without the lock that writes on SQLite: it is a long look.
    let mut ids: Vec<Uuid> = delivery_event::Entity::find()
        .select_only()
        .column(C::DeliveryId)
        .distinct()
        .filter(C::ConnectionId.eq(connection))
        .filter(C::AccountExternalId.is_not_null())
        .into_tuple()
        .all(ledger.context().db.read())
        .await?;
    ids.sort_unstable();
    for some in ids.chunks(usize::try_from(CHUNK).unwrap_or(500)) {
        let waiting = Query::select()
            .column(C::DeliveryId)
            .from(delivery_event::Entity)
            .and_where(C::DeliveryId.is_in(some.iter().copied()))
            .and_where(C::Outcome.is_in(["unrouted", "failed"]))
            .to_owned();
        let tx = ledger.context().db.begin().await?;
        delivery::Entity::update_many()
            .col_expr(delivery::Column::Body, Expr::value(None::<Vec<u8>>))
            .filter(delivery::Column::Id.is_in(some.iter().copied()))
            .filter(delivery::Column::Body.is_not_null())
            .filter(delivery::Column::Id.not_in_subquery(waiting))
            .exec(tx.conn())
            .await?;
        delivery_event::Entity::update_many()
            .col_expr(C::AccountExternalId, Expr::value(None::<String>))
            .filter(C::DeliveryId.is_in(some.iter().copied()))
            .filter(C::ConnectionId.eq(connection))
            .exec(tx.conn())
            .await?;
        tx.commit().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}
