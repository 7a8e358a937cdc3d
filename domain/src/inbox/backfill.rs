//! Messages read back from Meta because no webhook told of them: stored as a webhook would have stored them, so that nothing
//! is there twice however they come, and marked as read back.

use super::store::{self, Outcome, Routed};
use super::{attachments, receipts};
use crate::clock::{Millis, SECOND};
use crate::context::Context;
use crate::db::Tx;
use crate::feed::What;
use entities::{connection, contact, conversation, message};
use meta::webhook::{Attachment, Event, EventBody, Message};
use meta::{ConversationMessage, ListedConversation};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait as _};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// Meta details no more messages of a conversation than this; where all of them are new, there may be others.
const DETAILED: usize = 20;

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Messages that were missing.
    pub messages: usize,
    /// Conversations of which Meta told only the latest messages.
    pub cut: usize,
    /// Contacts whom nobody knows yet.
    pub strangers: Vec<Uuid>,
    /// Those of the messages that have files.
    pub with_files: Vec<Uuid>,
}

/// Stores what is missing of some conversations, from a time on.
pub async fn store(
    tx: &Tx,
    ctx: &Context,
    connection: &connection::Model,
    listed: &[ListedConversation],
    since: Millis,
) -> Result<Found, DbErr> {
    let known = known_mids(tx.conn(), connection, listed).await?;
    let mut events = Vec::new();
    let mut cut = 0;
    for conversation in listed {
        let Some(person) = person_of(connection, conversation) else { continue };
        let recent: Vec<_> =
            conversation.messages.iter().filter(|one| one.created_ms.is_some_and(|at| at >= since)).collect();
        let oldest_is_new = recent.last().is_some_and(|one| !known.contains(&one.mid));
        cut += usize::from(recent.len() >= DETAILED && oldest_is_new);
        let mut last = 0;
        // Meta gives whole seconds, the newest message first: its order within a second is kept.
        for one in recent.into_iter().rev() {
            let at = one.created_ms.unwrap_or(last);
            last = if (at..at + SECOND).contains(&last) { last + 1 } else { at };
            let by_one_of_them = one.from_id.as_deref().is_some_and(|from| from == person || is_ours(connection, from));
            if by_one_of_them && !known.contains(&one.mid) {
                events.push(event(connection, person, one, last));
            }
        }
    }
    let now = ctx.now();
    let routed: Vec<Routed<'_>> = events.iter().map(|event| Routed { connection, event, received_at: now }).collect();
    let stored = store::store(tx, &ctx.settings, &routed, now).await?;
    let new: Vec<Uuid> =
        stored.recorded.iter().filter(|one| one.outcome == Outcome::Stored).filter_map(|one| one.message_id).collect();
    for some in new.chunks(500) {
        message::Entity::update_many()
            .col_expr(message::Column::Reconciled, Expr::value(true))
            .filter(message::Column::Id.is_in(some.iter().copied()))
            .exec(tx.conn())
            .await?;
    }
    let with_files = stored.with_files.into_iter().map(|(message, _)| message).collect();
    Ok(Found { messages: new.len(), cut, strangers: stored.strangers.into_keys().collect(), with_files })
}

/// Those of the listed messages that are here, by whatever way: what is known of them is more than what is read back.
async fn known_mids(
    db: &impl ConnectionTrait,
    connection: &connection::Model,
    listed: &[ListedConversation],
) -> Result<HashSet<String>, DbErr> {
    use message::Column;
    let people: BTreeSet<&str> = listed.iter().filter_map(|one| person_of(connection, one)).collect();
    let contacts = contact::Entity::find()
        .select_only()
        .column(contact::Column::Id)
        .filter(contact::Column::ConnectionId.eq(connection.id))
        .filter(contact::Column::ExternalId.is_in(people));
    let conversations: Vec<Uuid> = conversation::Entity::find()
        .select_only()
        .column(conversation::Column::Id)
        .filter(conversation::Column::ContactId.in_subquery(contacts.into_query()))
        .into_tuple()
        .all(db)
        .await?;
    let mids: Vec<&str> = listed.iter().flat_map(|one| &one.messages).map(|one| one.mid.as_str()).collect();
    let mut known = HashSet::with_capacity(mids.len());
    for some in mids.chunks(500) {
        let rows: Vec<String> = message::Entity::find()
            .select_only()
            .column(Column::ExternalId)
            .filter(Column::ConversationId.is_in(conversations.iter().copied()))
            .filter(Column::ExternalId.is_in(some.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        known.extend(rows);
    }
    Ok(known)
}

/// The webhook of a message that was read back has come after all: it knows what reading back does not tell, such as the
/// time, what was shared, and what was answered. True when there are files to look at.
pub(super) async fn complete(tx: &Tx, id: Uuid, told: &message::Model) -> Result<bool, DbErr> {
    use message::Column;
    let Some(before) = message::Entity::find_by_id(id).one(tx.conn()).await? else { return Ok(false) };
    let done = message::Entity::update_many()
        .col_expr(Column::Kind, Expr::value(&told.kind))
        .col_expr(Column::Attachments, Expr::value(&told.attachments))
        .col_expr(Column::ReplyToExternalId, Expr::value(told.reply_to_external_id.clone()))
        .col_expr(Column::Extra, Expr::value(told.extra.clone()))
        .col_expr(Column::Standby, Expr::value(told.standby))
        .col_expr(Column::SentAt, Expr::value(told.sent_at))
        .col_expr(Column::Reconciled, Expr::value(false))
        .filter(Column::Id.eq(id))
        .filter(Column::Reconciled.eq(true))
        .filter(Column::DeletedAt.is_null())
        .exec(tx.conn())
        .await?;
    if done.rows_affected == 1 {
        if before.direction == "outbound" {
            receipts::keep(tx, before.conversation_id, &[], Some(before.sent_at), told.sent_at).await?;
        }
        tx.note(told.organization_id, What::Message { conversation: told.conversation_id, id });
    }
    Ok(done.rows_affected == 1 && !attachments::named(told).is_empty())
}

/// An account's conversations have been read back until `at`, if not further.
pub async fn done(tx: &Tx, connection: Uuid, at: Millis) -> Result<(), DbErr> {
    let until = connection::Column::ReconciledAt;
    connection::Entity::update_many()
        .col_expr(until, Expr::value(Some(at)))
        .filter(connection::Column::Id.eq(connection))
        .filter(Condition::any().add(until.is_null()).add(until.lt(at)))
        .exec(tx.conn())
        .await?;
    Ok(())
}

fn is_ours(connection: &connection::Model, id: &str) -> bool {
    id == connection.external_id
        || connection.page_id.as_deref() == Some(id)
        || connection.app_scoped_id.as_deref() == Some(id)
}

/// Who the account talks with: the one who takes part, or wrote, and is not the account. Where the account is not among them
/// under a name we know, or somebody else is, nobody can say who is who, and the conversation is left alone.
fn person_of<'a>(connection: &connection::Model, conversation: &'a ListedConversation) -> Option<&'a str> {
    let writers = conversation.messages.iter().filter_map(|one| one.from_id.as_deref());
    let all: BTreeSet<&str> = conversation.participants.iter().map(String::as_str).chain(writers).collect();
    let (ours, mut others): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|id| is_ours(connection, id));
    let person = others.pop().filter(|_| others.is_empty())?;
    // A conversation that tells nothing of who takes part may hold the customer's messages alone.
    (!ours.is_empty() || conversation.participants.is_empty()).then_some(person)
}

/// The event that a webhook would have brought.
fn event(connection: &connection::Model, person: &str, one: &ConversationMessage, at: Millis) -> Event {
    let by_person = one.from_id.as_deref() == Some(person);
    let (person, account) = (person.to_owned(), connection.external_id.clone());
    let (sender, recipient) = if by_person { (person, account.clone()) } else { (account.clone(), person) };
    let file = |(kind, url): &(&'static str, String)| Attachment {
        kind: (*kind).to_owned(),
        url: Some(url.clone()),
        title: None,
        id: None,
        payload: Value::Null,
    };
    let message = Message {
        mid: Some(one.mid.clone()),
        text: one.text.clone().filter(|text| !text.is_empty()),
        attachments: one.files.iter().map(file).collect(),
        is_echo: !by_person,
        ..Message::default()
    };
    Event {
        index: 0,
        account_id: account,
        standby: false,
        sender: Some(sender),
        recipient: Some(recipient),
        timestamp_ms: Some(at),
        body: EventBody::Message(message),
    }
}
