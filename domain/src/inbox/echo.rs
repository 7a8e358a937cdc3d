//! Echoes: Meta tells us of every message the account sent, ours included. An echo of ours is merged into the message we
//! have, whether it comes before or after the answer to the send; it settles an unknown outcome without sending again.

use super::store::Routed;
use crate::clock::{MINUTE, Millis, SECOND};
use crate::db::Tx;
use crate::id::IdKind;
use crate::outbound::{self, DISMISSED};
use crate::settings::Settings;
use crate::usage::Tally;
use entities::message;
use meta::webhook::{EventBody, Message};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
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
    tx: &Tx,
    settings: &Settings,
    routed: &Routed<'_>,
    conversation_id: Uuid,
    tally: &mut Tally,
) -> Result<Merge, DbErr> {
    let db = tx.conn();
    let EventBody::Message(echo) = &routed.event.body else { return Ok(Merge::New) };
    let Some(mid) = &echo.mid else { return Ok(Merge::New) };
    let ours = match by_mid(db, conversation_id, mid).await? {
        // What was read back is written again, and so completed.
        Some(known) if known.origin == "external" && known.reconciled => return Ok(Merge::New),
        Some(known) if known.origin == "external" => return Ok(Merge::Known(known.id)),
        Some(known) => Some(known.id),
        None => match by_metadata(db, echo, conversation_id).await? {
            Some(named) => Some(named),
            None if may_be_ours(settings, echo) => {
                let (at, text) = (routed.at(), echo.text.as_deref());
                let found = match text.filter(|text| !text.trim().is_empty()) {
                    Some(words) => by_words(db, Some(words), conversation_id, at).await?,
                    None => by_kind(db, echo.kind().as_str(), conversation_id, at).await?,
                };
                found.map(|row| row.id)
            }
            None => None,
        },
    };
    let Some(id) = ours else { return Ok(Merge::New) };
    // What the world tells us stands, whatever we thought of it.
    let at = routed.event.timestamp_ms.map(|_| routed.at());
    outbound::sent_counted(tx, id, mid, at, routed.received_at, tally).await?;
    Ok(Merge::Ours(id))
}

/// Could our app have sent it? A Messenger echo always names its app; an Instagram one need not, and a message that was read
/// back never does.
fn may_be_ours(settings: &Settings, echo: &Message) -> bool {
    echo.app_id.as_ref().is_none_or(|app| settings.app_ids.contains(app))
}

async fn by_mid(db: &impl ConnectionTrait, conversation_id: Uuid, mid: &str) -> Result<Option<message::Model>, DbErr> {
    message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::ExternalId.eq(mid))
        .one(db)
        .await
}

/// By the id we put into the metadata, which Messenger echoes.
async fn by_metadata(db: &impl ConnectionTrait, echo: &Message, conversation_id: Uuid) -> Result<Option<Uuid>, DbErr> {
    let Some(id) = echo.metadata.as_deref().and_then(|metadata| IdKind::Message.parse(metadata)) else {
        return Ok(None);
    };
    let named = message::Entity::find_by_id(id)
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::Direction.eq("outbound"))
        .filter(message::Column::ExternalId.is_null())
        .one(db)
        .await?;
    Ok(named.map(|row| row.id))
}

/// By its words among what is on its way, or may have been and nobody knows: the one whose sending began nearest to the
/// echo's time. What an operator has let be, or has queued again, may have been sent all the same.
pub(crate) async fn by_words(
    db: &impl ConnectionTrait,
    words: Option<&str>,
    conversation_id: Uuid,
    at: Millis,
) -> Result<Option<message::Model>, DbErr> {
    let Some(words) = words.map(str::trim) else { return Ok(None) };
    // Meta trims what it is given.
    let fits = |row: &message::Model| row.text.as_deref().map(str::trim) == Some(words);
    let candidates = on_its_way(db, conversation_id, at).await?;
    Ok(candidates.into_iter().filter(fits).min_by_key(|row| (began(row) - at).abs()))
}

/// A file without words, by what kind it is; where several of the kind are on their way, nobody can say which it is.
async fn by_kind(
    db: &impl ConnectionTrait,
    kind: &str,
    conversation_id: Uuid,
    at: Millis,
) -> Result<Option<message::Model>, DbErr> {
    let candidates = on_its_way(db, conversation_id, at).await?;
    let mut fitting = candidates.into_iter().filter(|row| row.kind == kind && row.text.is_none());
    let first = fitting.next();
    Ok(first.filter(|_| fitting.next().is_none()))
}

fn began(row: &message::Model) -> Millis {
    row.sending_at.unwrap_or(row.created_at)
}

/// What may be what Meta tells of with this time.
async fn on_its_way(
    db: &impl ConnectionTrait,
    conversation_id: Uuid,
    at: Millis,
) -> Result<Vec<message::Model>, DbErr> {
    let again = message::Column::Status.eq("queued");
    let candidates = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::Direction.eq("outbound"))
        .filter(message::Column::ExternalId.is_null())
        .filter(
            Condition::any()
                .add(message::Column::Status.is_in(["sending", "unknown"]))
                .add(Condition::all().add(again).add(message::Column::SendingAt.is_not_null()))
                .add(message::Column::ErrorClass.eq(DISMISSED)),
        )
        .order_by_asc(message::Column::Id)
        .all(db)
        .await?;
    Ok(candidates.into_iter().filter(|row| (began(row) - BEFORE..=began(row) + AFTER).contains(&at)).collect())
}
