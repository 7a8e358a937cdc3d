//! What keeps the automatic reply from talking when it should not: to our own accounts, into what a person is answering, and
//! with another machine for ever.

use super::Case;
use crate::clock::{DAY, HOUR, MINUTE, Millis};
use crate::outbound::Outgoing;
use entities::{connection, message};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Automatic replies in one conversation within a day: two bots talking to each other fall silent.
const A_DAY: u64 = 20;
/// Messages with the same words within [`HOUR`], of which the last is not answered any more.
const SAME: usize = 4;
/// Messages that are looked at for it.
const LOOKED_AT: u64 = 50;
/// Minutes for which a person's answer silences the automatic reply, where the shop has not said otherwise.
pub const PAUSE_MINUTES: i32 = 60;

/// Why this message is not answered, if it is not.
pub(super) async fn guarded(
    db: &impl ConnectionTrait,
    case: &Case,
    now: Millis,
) -> Result<Option<&'static str>, DbErr> {
    if is_connected_account(db, &case.contact.external_id).await? {
        return Ok(Some("sender_is_a_connected_account"));
    }
    let conversation = case.conversation.id;
    let pause = pause(&case.connection);
    // However late this is decided: what a person has answered since is answered.
    if pause > 0 && person_answered(db, conversation, (now - pause).min(case.inbound.sent_at)).await? {
        return Ok(Some("person_answered"));
    }
    if recent_replies(db, conversation, now - DAY).await? >= A_DAY {
        return Ok(Some("too_many_replies"));
    }
    if repeats_itself(db, case, now).await? {
        return Ok(Some("same_text_again"));
    }
    Ok(None)
}

/// Why a reply that was written before does not leave any more: it has waited, and the world went on.
pub async fn withdrawn(db: &impl ConnectionTrait, outgoing: &Outgoing) -> Result<Option<&'static str>, DbErr> {
    let Outgoing { message, connection, .. } = outgoing;
    if message.origin != "auto" {
        return Ok(None);
    }
    if connection.auto_reply_mode == "off" {
        return Ok(Some("auto_reply_off"));
    }
    let Some(answered) = message.answers_id.filter(|_| pause(connection) > 0) else { return Ok(None) };
    let Some(inbound) = message::Entity::find_by_id(answered).one(db).await? else { return Ok(None) };
    let person = person_answered(db, message.conversation_id, inbound.sent_at).await?;
    Ok(person.then_some("person_answered"))
}

fn pause(connection: &connection::Model) -> Millis {
    i64::from(connection.auto_reply_pause.unwrap_or(PAUSE_MINUTES)) * MINUTE
}

/// Our own accounts are not customers: a reply to one could be answered by a reply.
async fn is_connected_account(db: &impl ConnectionTrait, external_id: &str) -> Result<bool, DbErr> {
    let query = connection::Entity::find()
        .filter(connection::Column::Platform.is_in(["instagram", "facebook"]))
        .filter(connection::Column::ExternalId.eq(external_id))
        .filter(connection::Column::Status.ne("disconnected"));
    Ok(query.count(db).await? > 0)
}

/// A person has written since: here, or in Meta's own apps.
async fn person_answered(db: &impl ConnectionTrait, conversation: Uuid, since: Millis) -> Result<bool, DbErr> {
    let found = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::SentAt.gt(since))
        .filter(message::Column::Direction.eq("outbound"))
        .filter(message::Column::Origin.is_in(["person", "external"]))
        .filter(message::Column::Status.ne("failed"))
        .limit(1);
    Ok(found.one(db).await?.is_some())
}

async fn recent_replies(db: &impl ConnectionTrait, conversation: Uuid, since: Millis) -> Result<u64, DbErr> {
    message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::SentAt.gt(since))
        .filter(message::Column::Origin.eq("auto"))
        .count(db)
        .await
}

/// A machine says the same over and over; people rephrase.
async fn repeats_itself(db: &impl ConnectionTrait, case: &Case, now: Millis) -> Result<bool, DbErr> {
    let fold = |text: &str| text.trim().to_lowercase();
    let Some(words) = case.inbound.text.as_deref().map(fold).filter(|words| !words.is_empty()) else {
        return Ok(false);
    };
    let recent: Vec<Option<String>> = message::Entity::find()
        .select_only()
        .column(message::Column::Text)
        .filter(message::Column::ConversationId.eq(case.conversation.id))
        .filter(message::Column::SentAt.gt(now - HOUR))
        .filter(message::Column::Direction.eq("inbound"))
        .order_by_desc(message::Column::SentAt)
        .limit(LOOKED_AT)
        .into_tuple()
        .all(db)
        .await?;
    Ok(recent.iter().flatten().filter(|text| fold(text) == words).count() >= SAME)
}
