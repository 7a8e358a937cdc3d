//! Messages read back from Meta because no webhook told of them: stored as a webhook would have stored them, so that nothing
//! is there twice however they come, and marked as read back.

use super::store::{self, Outcome, Routed};
use crate::clock::Millis;
use crate::context::Context;
use crate::db::Tx;
use entities::{connection, message};
use meta::webhook::{Attachment, Event, EventBody, Message};
use meta::{ConversationMessage, ListedConversation};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::Value;
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
    let mut events = Vec::new();
    let mut cut = 0;
    for conversation in listed {
        let Some(person) = person_of(connection, conversation) else { continue };
        let new: Vec<_> =
            conversation.messages.iter().filter(|one| one.created_ms.is_some_and(|at| at >= since)).collect();
        cut += usize::from(new.len() >= DETAILED);
        events.extend(new.into_iter().map(|one| event(connection, person, one)));
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

/// An account's conversations have been read back until now.
pub async fn done(tx: &Tx, connection: Uuid, now: Millis) -> Result<(), DbErr> {
    connection::Entity::update_many()
        .col_expr(connection::Column::ReconciledAt, Expr::value(Some(now)))
        .filter(connection::Column::Id.eq(connection))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Who the account talks with: whoever takes part and is not the account, or wrote and is not.
fn person_of<'a>(connection: &connection::Model, conversation: &'a ListedConversation) -> Option<&'a str> {
    let ours = |id: &str| {
        id == connection.external_id
            || connection.page_id.as_deref() == Some(id)
            || connection.app_scoped_id.as_deref() == Some(id)
    };
    let writers = conversation.messages.iter().filter_map(|one| one.from_id.as_deref());
    conversation.participants.iter().map(String::as_str).chain(writers).find(|id| !ours(id))
}

/// The event that a webhook would have brought.
fn event(connection: &connection::Model, person: &str, one: &ConversationMessage) -> Event {
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
        timestamp_ms: one.created_ms,
        body: EventBody::Message(message),
    }
}
