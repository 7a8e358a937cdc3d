//! `data.delete`: carries out a person's request to have data deleted: messages, conversations and contacts of the person's
//! accounts, what is left of their deliveries, and what would tell which accounts they were.

use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::outcome::Outcome;
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::removal::{self, Taken};
use entities::job::Model as Job;
use entities::{contact, conversation, delivery, delivery_event, message, message_mark};
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
    on_given_up: leave,
};

/// Conversations of one transaction.
const BATCH: u64 = 50;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    request_id: Uuid,
    connection_ids: Vec<Uuid>,
}

/// The job that carries a request out.
pub fn job(taken: &Taken) -> NewJob {
    let connections: Vec<Uuid> = taken.connections.iter().map(|row| row.id).collect();
    NewJob::new(&KIND, json!({ "requestId": taken.callback.id, "connectionIds": connections }))
        .dedupe_key(format!("delete:{}", taken.callback.id.simple()))
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { request_id, connection_ids } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let mut conversations = 0;
        for connection in &connection_ids {
            conversations += inbox(ledger, *connection).await?;
            deliveries(ledger, *connection).await?;
        }
        let tx = ctx.db.begin().await?;
        for connection in &connection_ids {
            removal::anonymize(&tx, ctx, *connection).await?;
        }
        removal::finish(&tx, ctx, request_id).await?;
        tx.commit().await?;
        let result = json!({ "connections": connection_ids.len(), "conversations": conversations });
        Ok(Finish::Outcome(Outcome::Completed(result)))
    })
}

/// Conversations with all that hangs on them, some at a time so that nobody waits behind it.
async fn inbox(ledger: &Ledger, connection: Uuid) -> Result<usize, DbErr> {
    let mut total = 0;
    loop {
        let some: Vec<Uuid> = conversation::Entity::find()
            .select_only()
            .column(conversation::Column::Id)
            .filter(conversation::Column::ConnectionId.eq(connection))
            .limit(BATCH)
            .into_tuple()
            .all(ledger.context().db.read())
            .await?;
        if some.is_empty() {
            break;
        }
        total += some.len();
        let tx = ledger.context().db.begin().await?;
        message_mark::Entity::delete_many()
            .filter(message_mark::Column::ConversationId.is_in(some.iter().copied()))
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
    let tx = ledger.context().db.begin().await?;
    contact::Entity::delete_many().filter(contact::Column::ConnectionId.eq(connection)).exec(tx.conn()).await?;
    tx.commit().await?;
    Ok(total)
}

/// Bodies that still lie here, and the account's id in the record of its events.
async fn deliveries(ledger: &Ledger, connection: Uuid) -> Result<(), DbErr> {
    let of_connection = Query::select()
        .column(delivery_event::Column::DeliveryId)
        .from(delivery_event::Entity)
        .and_where(delivery_event::Column::ConnectionId.eq(connection))
        .to_owned();
    let tx = ledger.context().db.begin().await?;
    delivery::Entity::update_many()
        .col_expr(delivery::Column::Body, Expr::value(None::<Vec<u8>>))
        .filter(delivery::Column::Body.is_not_null())
        .filter(delivery::Column::Id.in_subquery(of_connection))
        .exec(tx.conn())
        .await?;
    delivery_event::Entity::update_many()
        .col_expr(delivery_event::Column::AccountExternalId, Expr::value(None::<String>))
        .filter(delivery_event::Column::ConnectionId.eq(connection))
        .exec(tx.conn())
        .await?;
    tx.commit().await
}
