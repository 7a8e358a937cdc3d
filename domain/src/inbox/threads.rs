//! Reading the inbox: conversations, newest first, and the messages of one. Every function takes the organization, so that
//! a foreign conversation cannot be told from one that does not exist.

use super::attachments::{self, Known};
use super::search;
use crate::clock::Millis;
use crate::db::Tx;
use crate::feed::What;
use crate::id::OrganizationId;
use crate::page::{self, Position};
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
    /// What is known of its files, by their place.
    pub files: HashMap<i32, Known>,
}

/// Which conversations are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Words of the contact's name, or of a message.
    pub words: Option<String>,
    /// Only those with unread messages.
    pub unread: bool,
    /// Only those of one account.
    pub connection: Option<Uuid>,
    /// Only those of one platform.
    pub platform: Option<&'static str>,
    /// Only those that are leads, or are none.
    pub lead: Option<bool>,
}

/// A page of conversations before a position, newest first.
pub async fn conversations(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    wanted: &Wanted,
    before: Option<Position>,
    limit: u64,
) -> Result<Vec<Thread>, DbErr> {
    use conversation::Column;
    let rows = conversation::Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        // One made by an event that came before its message waits unseen.
        .filter(Column::LastMessageId.is_not_null())
        .filter(search::matching(db.get_database_backend(), organization, wanted))
        .filter(page::after(Column::LastActivityAt, Column::Id, before))
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
    before: Option<Position>,
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
    let beside = Beside::of(db, &rows).await?;
    Ok(Some(rows.into_iter().map(|message| beside.show(message, &thread)).collect()))
}

/// One message; `None` when the organization has no such one.
pub async fn message(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Option<Shown>, DbErr> {
    let found =
        message::Entity::find_by_id(id).filter(message::Column::OrganizationId.eq(organization.0)).one(db).await?;
    let Some(message) = found else { return Ok(None) };
    let Some(thread) = row(db, organization, message.conversation_id).await? else { return Ok(None) };
    let beside = Beside::of(db, std::slice::from_ref(&message)).await?;
    Ok(Some(beside.show(message, &thread)))
}

/// Those of these conversations that the organization has and its list shows.
pub async fn some_conversations(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    ids: &[Uuid],
) -> Result<Vec<Thread>, DbErr> {
    let rows = conversation::Entity::find()
        .filter(conversation::Column::Id.is_in(ids.iter().copied()))
        .filter(conversation::Column::OrganizationId.eq(organization.0))
        .filter(conversation::Column::LastMessageId.is_not_null())
        .all(db)
        .await?;
    threads(db, rows).await
}

/// Those of these messages that the organization has, in the order of their times.
pub async fn some_messages(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    ids: &[Uuid],
) -> Result<Vec<Shown>, DbErr> {
    use message::Column;
    let rows = message::Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::OrganizationId.eq(organization.0))
        .order_by_asc(Column::SentAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    let conversations: HashMap<Uuid, conversation::Model> = conversation::Entity::find()
        .filter(conversation::Column::Id.is_in(rows.iter().map(|row| row.conversation_id)))
        .all(db)
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let beside = Beside::of(db, &rows).await?;
    let shown = |message: message::Model| {
        let thread = conversations.get(&message.conversation_id)?;
        Some(beside.show(message, thread))
    };
    Ok(rows.into_iter().filter_map(shown).collect())
}

/// Ids of the messages whose shown status may have changed because the contact has come further than `since`, the newest first.
pub async fn receipted(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    conversation: Uuid,
    since: Millis,
    limit: u64,
) -> Result<Vec<Uuid>, DbErr> {
    use message::Column;
    let Some(thread) = row(db, organization, conversation).await? else { return Ok(Vec::new()) };
    let until = thread.contact_read_at.max(thread.contact_delivered_at);
    message::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ConversationId.eq(conversation))
        .filter(Column::Direction.eq("outbound"))
        .filter(Column::Status.eq("sent"))
        .filter(Column::SentAt.gt(since))
        .filter(Column::SentAt.lte(until))
        .order_by_desc(Column::SentAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// What lies before a message in the order of a thread.
async fn position(db: &impl ConnectionTrait, before: Option<Position>) -> Result<Option<Condition>, DbErr> {
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
    let known = updated.rows_affected == 1;
    if known {
        tx.note(organization.0, What::Conversation(id));
    }
    Ok(known)
}

async fn row(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Option<conversation::Model>, DbErr> {
    conversation::Entity::find_by_id(id).filter(conversation::Column::OrganizationId.eq(organization.0)).one(db).await
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
    let beside = Beside::of(db, &last).await?;
    let mut last: HashMap<Uuid, message::Model> = last.into_iter().map(|message| (message.id, message)).collect();

    let thread = |conversation: conversation::Model| {
        let contact = contacts.remove(&conversation.contact_id)?;
        let platform = platforms.get(&conversation.connection_id)?.clone();
        let last_message = conversation
            .last_message_id
            .and_then(|id| last.remove(&id))
            .map(|message| beside.show(message, &conversation));
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

/// What is shown of messages and is not in their rows.
struct Beside {
    quoted: HashMap<(Uuid, String), Uuid>,
    files: HashMap<Uuid, HashMap<i32, Known>>,
}

impl Beside {
    async fn of(db: &impl ConnectionTrait, rows: &[message::Model]) -> Result<Self, DbErr> {
        let with_files = rows.iter().filter(|row| row.attachments != "[]").map(|row| row.id);
        let mut files: HashMap<Uuid, HashMap<i32, Known>> = HashMap::new();
        for known in attachments::known(db, with_files).await? {
            files.entry(known.message_id).or_default().insert(known.position, known);
        }
        Ok(Self { quoted: quoted(db, rows).await?, files })
    }

    fn show(&self, message: message::Model, conversation: &conversation::Model) -> Shown {
        let seen = |until: Option<Millis>| until.is_some_and(|at| message.sent_at <= at);
        let status = match message.status.as_deref() {
            Some("sent") if seen(conversation.contact_read_at) => Some("read"),
            Some("sent") if seen(conversation.contact_delivered_at) => Some("delivered"),
            other => other,
        }
        .map(ToOwned::to_owned);
        let by_mid = || {
            let mid = message.reply_to_external_id.clone()?;
            self.quoted.get(&(message.conversation_id, mid)).copied()
        };
        let in_reply_to = message.answers_id.or_else(by_mid);
        let files = self.files.get(&message.id).cloned().unwrap_or_default();
        Shown { message, status, in_reply_to, files }
    }
}
