//! Messages for later: made, changed and cancelled until they are due. A cancel that was answered is never followed by the
//! message.

use super::body::Sent;
use super::sending::{author, made_before, template};
use super::{Tag, conversations};
use crate::app::App;
use crate::auth::Shop;
use crate::cursor::{cut, limit};
use crate::problem::{Code, Problem};
use chrono::{DateTime, Utc};
use domain::api_keys::Scope;
use domain::clock::rfc3339;
use domain::compose::Words;
use domain::id::{IdKind, new_id};
use domain::scheduled;
use entities::scheduled_message;
use jobs::jobs::message_send_scheduled;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct ScheduledRoutes;

/// Where a scheduled message stands.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
enum ScheduledStatus {
    /// It waits.
    Scheduled,
    /// It was due, and is a message now.
    Released,
    /// It was due and could not be sent; `error` says why.
    Failed,
    /// It will not be sent.
    Cancelled,
}

impl ScheduledStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Released => "released",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why it could not be sent.
#[derive(Object)]
struct ScheduledError {
    /// The problem code that sending at that time had.
    class: String,
    message: Option<String>,
}

/// A message for later.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ScheduledMessage {
    /// `sch_…`
    id: String,
    /// `cnv_…`
    conversation_id: String,
    /// `con_…`
    connection_id: String,
    text: Option<String>,
    /// `tpl_…`; filled in when it is due.
    template_id: Option<String>,
    due_at: String,
    /// `scheduled`, `released`, `failed` or `cancelled`.
    status: String,
    /// `msg_…` it became.
    message_id: Option<String>,
    error: Option<ScheduledError>,
    created_at: String,
    updated_at: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ScheduledMessageList {
    items: Vec<ScheduledMessage>,
    next_cursor: Option<String>,
}

/// A message for later: a text or a template.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct NewScheduledMessage {
    /// `cnv_…`
    conversation_id: String,
    text: Option<String>,
    /// `tpl_…`
    template_id: Option<String>,
    /// In the future, within a year. Whether Meta lets it be sent is seen then: 24 hours after the customer's last message it
    /// does not.
    due_at: DateTime<Utc>,
}

/// What is to change; what is not given stays.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct ScheduledMessageChange {
    text: Option<String>,
    template_id: Option<String>,
    due_at: Option<DateTime<Utc>>,
}

#[derive(ApiResponse)]
enum Made {
    /// It waits for its time.
    #[oai(status = 201)]
    Created(Json<ScheduledMessage>),
}

#[derive(ApiResponse)]
enum Gone {
    /// It will not be sent.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/scheduled-messages", tag = "Tag::Inbox")]
impl ScheduledRoutes {
    /// Messages for later and what became of them, the one due last first. A key needs the scope `inbox:read`.
    #[oai(path = "/", method = "get", operation_id = "listScheduledMessages")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        /// Only those of this conversation, `cnv_…`.
        #[oai(name = "conversationId")]
        conversation: Query<Option<String>>,
        status: Query<Option<ScheduledStatus>>,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<ScheduledMessageList>, Problem> {
        shop.require(Scope::InboxRead)?;
        let (limit, organization) = (limit(page.0)?, shop.organization());
        // A foreign conversation has none here, like one that does not exist.
        let conversation = conversation.0.map(|id| IdKind::Conversation.parse(&id).unwrap_or_default());
        let status = status.0.map(ScheduledStatus::name);
        let list = format!("scheduled {conversation:?} {status:?}");
        let before = app.cursors.read(&list, organization.0, cursor.as_deref())?;
        let rows = scheduled::list(app.ctx.db.read(), organization, conversation, status, before, limit + 1).await?;
        let make = |position| app.cursors.make(&list, organization.0, position);
        let (rows, next_cursor) = cut(rows, limit, |row| (row.due_at, row.id), make);
        Ok(Json(ScheduledMessageList { items: rows.into_iter().map(shown).collect(), next_cursor }))
    }

    /// One of them. A key needs the scope `inbox:read`.
    #[oai(path = "/:id", method = "get", operation_id = "getScheduledMessage")]
    async fn get(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Json<ScheduledMessage>, Problem> {
        shop.require(Scope::InboxRead)?;
        let found = scheduled::find(app.ctx.db.read(), shop.organization(), parse(&id)?).await?;
        found.map(|row| Json(shown(row))).ok_or(Problem::new(Code::NotFound))
    }

    /// Send a message at a later time. A key needs the scope `inbox:write`.
    #[oai(path = "/", method = "post", operation_id = "scheduleMessage")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        /// Names this request, up to 255 characters: sent again, nothing is scheduled twice.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Sent<NewScheduledMessage>,
    ) -> Result<Made, Problem> {
        shop.require(Scope::InboxWrite)?;
        let (organization, now) = (shop.organization(), app.ctx.now());
        let request = format!("schedule {:?}", body.0);
        let NewScheduledMessage { conversation_id, text, template_id, due_at } = body.0;
        let conversation = conversations::parse(&conversation_id)?;
        let words = words(text, template_id)?.ok_or(neither())?;
        let mut tx = app.ctx.db.begin().await?;
        let id = new_id(now);
        if let Some(made) = made_before(&tx, &shop, key.0, &request, id, now).await? {
            tx.rollback().await?;
            let found = scheduled::find(app.ctx.db.read(), organization, made).await?;
            return found.map(|row| Made::Created(Json(shown(row)))).ok_or(Problem::new(Code::NotFound));
        }
        let (due_at, user) = (due_at.timestamp_millis(), author(&shop).user);
        let made = scheduled::create(&tx, &app.ctx, organization, conversation, id, words, due_at, user).await?;
        app.ledger.enqueue(&mut tx, vec![message_send_scheduled::job(&made)]).await?;
        tx.commit().await?;
        Ok(Made::Created(Json(shown(made))))
    }

    /// Other words or another time, while it waits. A key needs the scope `inbox:write`.
    #[oai(path = "/:id", method = "patch", operation_id = "changeScheduledMessage")]
    async fn change(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        body: Sent<ScheduledMessageChange>,
    ) -> Result<Json<ScheduledMessage>, Problem> {
        shop.require(Scope::InboxWrite)?;
        let (id, organization) = (parse(&id)?, shop.organization());
        let words = words(body.0.text, body.0.template_id)?;
        let due_at = body.0.due_at.map(|at| at.timestamp_millis());
        let mut tx = app.ctx.db.begin().await?;
        let before = scheduled::find(tx.conn(), organization, id).await?.ok_or(Problem::new(Code::NotFound))?;
        message_send_scheduled::drop_job(&app.ledger, &tx, &before).await?;
        let changed = scheduled::change(&tx, &app.ctx, organization, id, words, due_at).await?;
        app.ledger.enqueue(&mut tx, vec![message_send_scheduled::job(&changed)]).await?;
        tx.commit().await?;
        Ok(Json(shown(changed)))
    }

    /// Cancel it, while it waits: once this is answered it is not sent. A key needs the scope `inbox:write`.
    #[oai(path = "/:id", method = "delete", operation_id = "cancelScheduledMessage")]
    async fn cancel(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Gone, Problem> {
        shop.require(Scope::InboxWrite)?;
        let (id, organization) = (parse(&id)?, shop.organization());
        message_send_scheduled::cancel(&app.ledger, organization, id).await?;
        Ok(Gone::NoContent)
    }
}

fn parse(id: &str) -> Result<Uuid, Problem> {
    IdKind::ScheduledMessage.parse(id).ok_or(Problem::new(Code::NotFound))
}

fn words(text: Option<String>, template_id: Option<String>) -> Result<Option<Words>, Problem> {
    match (text, template_id) {
        (Some(text), None) => Ok(Some(Words::Text(text))),
        (None, Some(id)) => Ok(Some(Words::Template(template(&id)?))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(neither()),
    }
}

fn neither() -> Problem {
    Problem::with(Code::InvalidRequest, "Give one of text and templateId.")
}

fn shown(row: scheduled_message::Model) -> ScheduledMessage {
    let message = row.error_message;
    ScheduledMessage {
        id: IdKind::ScheduledMessage.show(row.id),
        conversation_id: IdKind::Conversation.show(row.conversation_id),
        connection_id: IdKind::Connection.show(row.connection_id),
        text: row.text,
        template_id: row.template_id.map(|id| IdKind::Template.show(id)),
        due_at: rfc3339(row.due_at),
        status: row.status,
        message_id: row.message_id.map(|id| IdKind::Message.show(id)),
        error: row.error_class.map(|class| ScheduledError { class, message }),
        created_at: rfc3339(row.created_at),
        updated_at: rfc3339(row.updated_at),
    }
}
