//! Reading the inbox: conversations, newest first, and the messages of one. Every function takes the organization, so that
//! a foreign conversation cannot be told from one that does not exist.

use crate::clock::Millis;
use crate::db::Tx;
use crate::id::OrganizationId;
use entities::{connection, contact, conversation, message};
use sea_orm::sea_query::{Expr, NullOrdering};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

/// A conversation with what a list of them shows.
#[derive(Clone, Debug)]
pub struct Thread {
    /// The conversation.
    pub conversation: conversation::Model,
    /// With whom.
    pub contact: contact::Model,
    /// Of which platform.
    pub platform: String,
    /// The last message.
    pub last_message: Option<Shown>,
}

/// A message with what only its conversation knows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The message.
    pub message: message::Model,
    /// What the shop sees: `delivered` and `read` follow from how far the contact has come.
    pub status: Option<String>,
    /// The message it answers or quotes, where we have it.
    pub in_reply_to: Option<Uuid>,
}

/// A page of conversations before a position, newest first.
pub async fn conversations(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    before: Option<(Millis, Uuid)>,
    limit: u64,
) -> Result<Vec<Thread>, DbErr> {
    use conversation::Column;
    let rows = conversation::Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        // One made by an event that came before its message waits unseen.
        .filter(Column::LastMessageId.is_not_null())
        .filter(older(Column::LastActivityAt, Column::Id, before))
        .order_by_desc(Column::LastActivityAt)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    threads(db, rows).await
}

/// One conversation.
pub async fn conversation(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Option<Thread>, DbErr> {
    let row = row(db, organization, id).await?;
    Ok(threads(db, row.into_iter().collect()).await?.pop())
}

/// A page of a conversation's messages before a position, newest first; `None` when there is no such conversation.
pub async fn messages(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    conversation: Uuid,
    before: Option<(Millis, Uuid)>,
    limit: u64,
) -> Result<Option<Vec<Shown>>, DbErr> {
    use message::Column;
    let Some(thread) = row(db, organization, conversation).await? else { return Ok(None) };
    let position = position(db, before).await?;
    // By time, then by Meta's id: what does not depend on which came first.
    let rows = message::Entity::find()
        .filter(Column::ConversationId.eq(conversation))
        .filter(Condition::all().add_option(position))
        .order_by_desc(Column::SentAt)
        .order_by_with_nulls(Column::ExternalId, Order::Desc, NullOrdering::Last)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    let quoted = quoted(db, &rows).await?;
    Ok(Some(rows.into_iter().map(|message| show(message, &thread, &quoted)).collect()))
}

/// What lies before a message in the order of a thread.
async fn position(db: &impl ConnectionTrait, before: Option<(Millis, Uuid)>) -> Result<Option<Condition>, DbErr> {
    use message::Column;
    let Some((at, id)) = before else { return Ok(None) };
    let row = message::Entity::find_by_id(id).one(db).await?;
    let same_id = match row.and_then(|row| row.external_id) {
        Some(mid) => Condition::any()
            .add(Column::ExternalId.lt(mid.clone()))
            .add(Column::ExternalId.is_null())
            .add(Condition::all().add(Column::ExternalId.eq(mid)).add(Column::Id.lt(id))),
        None => Condition::all().add(Column::ExternalId.is_null()).add(Column::Id.lt(id)),
    };
    let same_time = Condition::all().add(Column::SentAt.eq(at)).add(same_id);
    Ok(Some(Condition::any().add(Column::SentAt.lt(at)).add(same_time)))
}

/// Marks a conversation as read by the shop; false when there is no such conversation.
pub async fn mark_read(tx: &Tx, organization: OrganizationId, id: Uuid) -> Result<bool, DbErr> {
    let updated = conversation::Entity::update_many()
        .col_expr(conversation::Column::UnreadCount, Expr::value(0))
        .filter(conversation::Column::Id.eq(id))
        .filter(conversation::Column::OrganizationId.eq(organization.0))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

async fn row(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Option<conversation::Model>, DbErr> {
    conversation::Entity::find_by_id(id).filter(conversation::Column::OrganizationId.eq(organization.0)).one(db).await
}

fn older<C: ColumnTrait>(time: C, id: C, before: Option<(Millis, Uuid)>) -> Condition {
    let position = before
        .map(|(at, row)| Condition::any().add(time.lt(at)).add(Condition::all().add(time.eq(at)).add(id.lt(row))));
    Condition::all().add_option(position)
}

/// Adds contacts, platforms and last messages to conversations: one statement each, however many there are.
async fn threads(db: &impl ConnectionTrait, rows: Vec<conversation::Model>) -> Result<Vec<Thread>, DbErr> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut contacts: HashMap<Uuid, contact::Model> = contact::Entity::find()
        .filter(contact::Column::Id.is_in(rows.iter().map(|row| row.contact_id)))
        .all(db)
        .await?
        .into_iter()
        .map(|contact| (contact.id, contact))
        .collect();
    let platforms: HashMap<Uuid, String> = connection::Entity::find()
        .select_only()
        .columns([connection::Column::Id, connection::Column::Platform])
        .filter(connection::Column::Id.is_in(rows.iter().map(|row| row.connection_id)))
        .into_tuple::<(Uuid, String)>()
        .all(db)
        .await?
        .into_iter()
        .collect();
    let last: Vec<message::Model> = message::Entity::find()
        .filter(message::Column::Id.is_in(rows.iter().filter_map(|row| row.last_message_id)))
        .all(db)
        .await?;
    let quoted = quoted(db, &last).await?;
    let mut last: HashMap<Uuid, message::Model> = last.into_iter().map(|message| (message.id, message)).collect();

    let thread = |conversation: conversation::Model| {
        let contact = contacts.remove(&conversation.contact_id)?;
        let platform = platforms.get(&conversation.connection_id)?.clone();
        let last_message = conversation
            .last_message_id
            .and_then(|id| last.remove(&id))
            .map(|message| show(message, &conversation, &quoted));
        Some(Thread { conversation, contact, platform, last_message })
    };
    Ok(rows.into_iter().filter_map(thread).collect())
}

/// Ids by conversation and mid of the messages that some of these quote.
async fn quoted(db: &impl ConnectionTrait, rows: &[message::Model]) -> Result<HashMap<(Uuid, String), Uuid>, DbErr> {
    use message::Column;
    let quoting: Vec<_> = rows.iter().filter(|row| row.reply_to_external_id.is_some()).collect();
    if quoting.is_empty() {
        return Ok(HashMap::new());
    }
    let found = message::Entity::find()
        .select_only()
        .columns([Column::ConversationId, Column::ExternalId, Column::Id])
        .filter(Column::ConversationId.is_in(quoting.iter().map(|row| row.conversation_id)))
        .filter(Column::ExternalId.is_in(quoting.iter().filter_map(|row| row.reply_to_external_id.clone())))
        .into_tuple::<(Uuid, String, Uuid)>()
        .all(db)
        .await?;
    Ok(found.into_iter().map(|(conversation, mid, id)| ((conversation, mid), id)).collect())
}

fn show(message: message::Model, conversation: &conversation::Model, quoted: &HashMap<(Uuid, String), Uuid>) -> Shown {
    let status = match message.status.as_deref() {
        Some("sent") if conversation.contact_read_at.is_some_and(|at| message.sent_at <= at) => Some("read"),
        Some("sent") if conversation.contact_delivered_at.is_some_and(|at| message.sent_at <= at) => Some("delivered"),
        other => other,
    }
    .map(ToOwned::to_owned);
    let by_mid = || {
        let mid = message.reply_to_external_id.clone()?;
        quoted.get(&(message.conversation_id, mid)).copied()
    };
    let in_reply_to = message.answers_id.or_else(by_mid);
    Shown { message, status, in_reply_to }
}
