//! Echoes: Meta tells us of every message the account sent, ours included. An echo of ours is merged into the message we
//! have, whether it comes before or after the answer to the send; it settles an unknown outcome without sending again.

use crate::clock::{MINUTE, Millis, SECOND};
use crate::id::IdKind;
use crate::outbound;
use entities::message;
use meta::webhook::{Event, EventBody, Message};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// How far Meta's time of an echo may lie before and after our time of sending for their texts to be compared.
const BEFORE: Millis = 5 * SECOND;
const AFTER: Millis = 10 * MINUTE;

/// Whose echo it was.
pub enum Merge {
    /// One of our messages, settled as sent.
    Ours(Uuid),
    /// A message of somebody else that was stored before.
    Known(Uuid),
    /// A message of somebody else that is new.
    New,
}

/// Finds the message this echo is of; one of ours is settled as sent.
pub async fn merge(
    db: &impl ConnectionTrait,
    event: &Event,
    conversation_id: Uuid,
    received_at: Millis,
) -> Result<Merge, DbErr> {
    let EventBody::Message(echo) = &event.body else { return Ok(Merge::New) };
    let Some(mid) = &echo.mid else { return Ok(Merge::New) };
    let ours = match by_mid(db, conversation_id, mid).await? {
        Some(known) if known.origin == "external" => return Ok(Merge::Known(known.id)),
        Some(known) => Some(known.id),
        None => unsettled(db, echo, conversation_id, event.timestamp_ms.unwrap_or(received_at)).await?,
    };
    let Some(id) = ours else { return Ok(Merge::New) };
    // What the world tells us stands, whatever we thought of it.
    outbound::sent(db, id, mid, event.timestamp_ms, received_at).await?;
    Ok(Merge::Ours(id))
}

async fn by_mid(db: &impl ConnectionTrait, conversation_id: Uuid, mid: &str) -> Result<Option<message::Model>, DbErr> {
    message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::ExternalId.eq(mid))
        .one(db)
        .await
}

/// By the id we put into the metadata (Messenger echoes it), else by text among what is on its way or unknown.
async fn unsettled(
    db: &impl ConnectionTrait,
    echo: &Message,
    conversation_id: Uuid,
    sent_at: Millis,
) -> Result<Option<Uuid>, DbErr> {
    let ours = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::Direction.eq("outbound"))
        .filter(message::Column::ExternalId.is_null());
    if let Some(id) = echo.metadata.as_deref().and_then(|metadata| IdKind::Message.parse(metadata)) {
        let named = ours.clone().filter(message::Column::Id.eq(id)).one(db).await?;
        if named.is_some() {
            return Ok(named.map(|row| row.id));
        }
    }
    let candidates = ours
        .filter(message::Column::Status.is_in(["sending", "unknown"]))
        .order_by_asc(message::Column::SendingAt)
        .order_by_asc(message::Column::Id)
        .all(db)
        .await?;
    let matches = |row: &&message::Model| {
        let began = row.sending_at.unwrap_or(row.created_at);
        same_text(row, echo) && (began - BEFORE..=began + AFTER).contains(&sent_at)
    };
    Ok(candidates.iter().find(matches).map(|row| row.id))
}

/// Meta trims what it is given.
fn same_text(row: &message::Model, echo: &Message) -> bool {
    match (row.text.as_deref(), echo.text.as_deref()) {
        (Some(ours), Some(theirs)) => ours.trim() == theirs.trim(),
        _ => false,
    }
}
