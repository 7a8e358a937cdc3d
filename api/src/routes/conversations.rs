//! The inbox: conversations, newest first, their messages, and marking them as read.

use super::Tag;
use super::messages::{self, Message};
use super::platform::ShownPlatform;
use crate::app::App;
use crate::auth::Shop;
use crate::cursor::{cut, limit};
use crate::problem::{Code, Problem};
use domain::api_keys::Scope;
use domain::clock::{Millis, rfc3339};
use domain::connections::Platform;
use domain::id::IdKind;
use domain::inbox::threads::{self, Thread, Wanted};
use domain::window;
use entities::conversation;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct ConversationRoutes;

/// A customer.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Contact {
    id: String,
    /// Meta's id of the person for this account.
    external_id: String,
    name: Option<String>,
    username: Option<String>,
    /// Meta's address, which expires within days.
    picture_url: Option<String>,
    /// `known`, or `refused` where Meta does not tell who it is; absent where it has not been asked.
    profile: Option<String>,
}

/// The one thread between an account and a customer.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct Conversation {
    /// `cnv_…`
    id: String,
    /// `con_…`
    connection_id: String,
    /// `instagram` or `facebook`.
    platform: String,
    contact: Contact,
    last_message: Option<Message>,
    last_inbound_at: Option<String>,
    unread_count: i32,
    /// Until then Meta lets the shop answer.
    window_closes_at: Option<String>,
    /// Where the customer came from: the first touch's `type`, `ref`, `adId`, …, with both touches as `first` and `last`.
    lead_source: Option<Any<Value>>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ConversationList {
    items: Vec<Conversation>,
    next_cursor: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct MessageList {
    items: Vec<Message>,
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum Read {
    /// Marked as read.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/conversations", tag = "Tag::Inbox")]
impl ConversationRoutes {
    /// Conversations, the one with the newest message first, all of them or those that fit. A key needs the scope `inbox:read`.
    #[oai(path = "/", method = "get", operation_id = "listConversations")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the list")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        /// Words of the contact's name or of a message, up to 100 characters.
        q: Query<Option<String>>,
        /// Only those with unread messages.
        unread: Query<Option<bool>>,
        /// Only those of this account, `con_…`.
        #[oai(name = "connectionId")]
        connection: Query<Option<String>>,
        platform: Query<Option<ShownPlatform>>,
        /// Only those that are leads, or only those that are none.
        lead: Query<Option<bool>>,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<ConversationList>, Problem> {
        shop.require(Scope::InboxRead)?;
        let (limit, organization, now) = (limit(page.0)?, shop.organization(), app.ctx.now());
        let wanted = Wanted {
            words: q.0.map(words).transpose()?,
            unread: unread.0.unwrap_or(false),
            // A foreign account has no conversations here, like one that does not exist.
            connection: connection.0.map(|id| IdKind::Connection.parse(&id).unwrap_or_default()),
            platform: platform.0.map(|platform| Platform::from(platform).as_str()),
            lead: lead.0,
        };
        // A cursor goes on with what it was made for.
        let list = format!("conversations {wanted:?}");
        let before = app.cursors.read(&list, organization.0, cursor.as_deref())?;
        let rows = threads::conversations(app.ctx.db.read(), organization, &wanted, before, limit + 1).await?;
        let position = |row: &Thread| (row.conversation.last_activity_at, row.conversation.id);
        let make = |position| app.cursors.make(&list, organization.0, position);
        let (rows, next_cursor) = cut(rows, limit, position, make);
        Ok(Json(ConversationList { items: rows.into_iter().map(|row| shown(row, now)).collect(), next_cursor }))
    }

    /// One conversation. A key needs the scope `inbox:read`.
    #[oai(path = "/:id", method = "get", operation_id = "getConversation")]
    async fn get(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Json<Conversation>, Problem> {
        shop.require(Scope::InboxRead)?;
        let found = threads::conversation(app.ctx.db.read(), shop.organization(), parse(&id)?).await?;
        found.map(|thread| Json(shown(thread, app.ctx.now()))).ok_or(Problem::new(Code::NotFound))
    }

    /// Its messages, newest first. A key needs the scope `inbox:read`.
    #[oai(path = "/:id/messages", method = "get", operation_id = "listMessages")]
    async fn messages(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<MessageList>, Problem> {
        shop.require(Scope::InboxRead)?;
        let (limit, id, organization) = (limit(page.0)?, parse(&id)?, shop.organization());
        // The conversation is part of the list's name: a cursor of one thread does not page another.
        let name = format!("messages {id}");
        let before = app.cursors.read(&name, organization.0, cursor.as_deref())?;
        let found = threads::messages(app.ctx.db.read(), organization, id, before, limit + 1).await?;
        let rows = found.ok_or(Problem::new(Code::NotFound))?;
        let make = |position| app.cursors.make(&name, organization.0, position);
        let (rows, next_cursor) = cut(rows, limit, |row| (row.message.sent_at, row.message.id), make);
        let now = app.ctx.now();
        Ok(Json(MessageList { items: rows.into_iter().map(|row| messages::shown(row, now)).collect(), next_cursor }))
    }

    /// Mark a conversation as read. A key needs the scope `inbox:write`.
    #[oai(path = "/:id/read", method = "post", operation_id = "markRead")]
    async fn read(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Read, Problem> {
        shop.require(Scope::InboxWrite)?;
        let id = parse(&id)?;
        let tx = app.ctx.db.begin().await?;
        let known = threads::mark_read(&tx, shop.organization(), id).await?;
        tx.commit().await?;
        if known { Ok(Read::NoContent) } else { Err(Problem::new(Code::NotFound)) }
    }
}

/// What is looked for, as it is shown nowhere.
fn words(text: String) -> Result<String, Problem> {
    let text = text.trim().replace('\0', "");
    if text.chars().count() > 100 {
        return Err(Problem::with(Code::InvalidParameter, "The parameter q has up to 100 characters."));
    }
    Ok(text)
}

pub(super) fn parse(id: &str) -> Result<Uuid, Problem> {
    IdKind::Conversation.parse(id).ok_or(Problem::new(Code::NotFound))
}

pub(super) fn shown(thread: Thread, now: Millis) -> Conversation {
    let Thread { conversation: row, contact, platform, last_message } = thread;
    Conversation {
        id: IdKind::Conversation.show(row.id),
        connection_id: IdKind::Connection.show(row.connection_id),
        platform,
        contact: Contact {
            id: IdKind::Contact.show(contact.id),
            external_id: contact.external_id,
            name: contact.name,
            username: contact.username,
            picture_url: contact.picture_url,
            profile: contact.profile_state,
        },
        last_message: last_message.map(|last| messages::shown(last, now)),
        last_inbound_at: row.last_inbound_at.map(rfc3339),
        unread_count: row.unread_count,
        window_closes_at: window::closes_at(&row).map(rfc3339),
        lead_source: lead_source(&row).map(Any),
    }
}

/// The first touch, with both touches beside it.
pub(super) fn lead_source(row: &conversation::Model) -> Option<Value> {
    let parse = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let (first, last) = (parse(&row.lead_source_first), parse(&row.lead_source_last));
    let mut shown = first.clone().or_else(|| last.clone())?;
    shown.as_object_mut()?.insert("first".to_owned(), first.unwrap_or(Value::Null));
    shown.as_object_mut()?.insert("last".to_owned(), json!(last));
    Some(shown)
}
