//! Connected accounts: listing them, letting one go, and their automatic reply.

use super::Tag;
use super::body::Sent;
use crate::app::App;
use crate::auth::{Session, Shop};
use crate::problem::{Code, Problem};
use domain::api_keys::Scope;
use domain::clock::rfc3339;
use domain::connections::{self, AutoReply, Disconnected, ReplyMode};
use domain::id::IdKind;
use domain::replies::PAUSE_MINUTES;
use entities::connection;
use jobs::jobs::accounts_disconnect;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRoutes;

/// How messages are answered by themselves.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
enum AutoReplyMode {
    /// They are not.
    Off,
    /// With a text or template, or the template whose keyword the customer used.
    Template,
    /// By an AI model; with the text or template where it has no words.
    Ai,
}

/// The automatic reply wanted.
#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct AutoReplyChange {
    mode: AutoReplyMode,
    /// A stored template, `tpl_…`, instead of a text.
    template_id: Option<String>,
    /// The text, which may have variables: up to 1000 bytes on Instagram, 2000 characters on Facebook.
    text: Option<String>,
    /// What the AI model is to know and to keep to, up to 4000 characters; it stays when it is not given.
    instructions: Option<String>,
    /// Minutes for which a person's answer silences the automatic reply, 0 to 10080; it stays when it is not given.
    pause_minutes: Option<i32>,
}

/// The automatic reply as it is.
#[derive(Object)]
#[oai(rename = "AutoReply", rename_all = "camelCase")]
pub(super) struct ShownAutoReply {
    /// `off`, `template` or `ai`.
    mode: String,
    text: Option<String>,
    template_id: Option<String>,
    instructions: Option<String>,
    /// Minutes for which a person's answer silences it.
    pause_minutes: i32,
}

/// A connected account.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct Connection {
    /// `con_…`
    id: String,
    /// `instagram` or `facebook`.
    platform: String,
    /// Meta's id of the account.
    external_id: String,
    name: String,
    username: Option<String>,
    /// `active`, `needs_reconnect`, `restricted`, `over_plan` or `disconnected`.
    status: String,
    /// A sentence, where there is something to know.
    status_reason: Option<String>,
    token_expires_at: Option<String>,
    scopes: Vec<String>,
    last_webhook_at: Option<String>,
    auto_reply: ShownAutoReply,
    /// An address of Meta that expires.
    picture_url: Option<String>,
    /// When its webhooks were last seen to be on at Meta.
    subscription_checked_at: Option<String>,
    created_at: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ConnectionList {
    items: Vec<Connection>,
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum Gone {
    /// It is disconnected.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/meta/connections", tag = "Tag::Connections")]
impl ConnectionRoutes {
    /// The organization's connections, oldest first. A key needs the scope `connections:read`.
    #[oai(path = "/", method = "get", operation_id = "listConnections")]
    async fn list(&self, app: Data<&Arc<App>>, shop: Shop) -> Result<Json<ConnectionList>, Problem> {
        shop.require(Scope::ConnectionsRead)?;
        let rows = connections::list(app.ctx.db.read(), shop.organization()).await?;
        Ok(Json(ConnectionList { items: rows.into_iter().map(shown).collect(), next_cursor: None }))
    }

    /// One connection. A key needs the scope `connections:read`.
    #[oai(path = "/:id", method = "get", operation_id = "getConnection")]
    async fn get(&self, app: Data<&Arc<App>>, shop: Shop, id: Path<String>) -> Result<Json<Connection>, Problem> {
        shop.require(Scope::ConnectionsRead)?;
        let found = connections::find(app.ctx.db.read(), shop.organization(), parse(&id)?).await?;
        found.map(|row| Json(shown(row))).ok_or(Problem::new(Code::NotFound))
    }

    /// Disconnect an account: its place is free at once, and Meta is told by a job. Conversations stay.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteConnection")]
    async fn delete(&self, app: Data<&Arc<App>>, session: Session, id: Path<String>) -> Result<Gone, Problem> {
        let id = parse(&id)?;
        let mut tx = app.ctx.db.begin().await?;
        let done = connections::disconnect(&tx, &app.ctx, session.actor(), session.organization, id).await?;
        match done {
            Disconnected::Unknown => return Err(Problem::new(Code::NotFound)),
            Disconnected::Before => {}
            Disconnected::Now(row) => {
                app.ledger.enqueue(&mut tx, vec![accounts_disconnect::job(&row)]).await?;
            }
        }
        tx.commit().await?;
        Ok(Gone::NoContent)
    }

    /// Set the automatic reply. A key needs the scope `inbox:write`.
    #[oai(path = "/:id/auto-reply", method = "put", operation_id = "setAutoReply")]
    async fn set_auto_reply(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        body: Sent<AutoReplyChange>,
    ) -> Result<Json<Connection>, Problem> {
        shop.require(Scope::InboxWrite)?;
        let id = parse(&id)?;
        let tx = app.ctx.db.begin().await?;
        let found = connections::find(tx.conn(), shop.organization(), id).await?;
        found.ok_or(Problem::new(Code::NotFound))?;
        let wanted = wanted(body.0)?;
        let changed = connections::set_auto_reply(&tx, &app.ctx, shop.actor(), shop.organization(), id, wanted).await?;
        tx.commit().await?;
        Ok(Json(shown(changed)))
    }
}

fn parse(id: &str) -> Result<Uuid, Problem> {
    IdKind::Connection.parse(id).ok_or(Problem::new(Code::NotFound))
}

fn wanted(change: AutoReplyChange) -> Result<AutoReply, Problem> {
    let unknown = Problem::new(Code::UnknownTemplate);
    let template = change.template_id.map(|id| IdKind::Template.parse(&id).ok_or(unknown)).transpose()?;
    Ok(AutoReply {
        mode: match change.mode {
            AutoReplyMode::Off => ReplyMode::Off,
            AutoReplyMode::Template => ReplyMode::Template,
            AutoReplyMode::Ai => ReplyMode::Ai,
        },
        text: change.text,
        template,
        instructions: change.instructions,
        pause_minutes: change.pause_minutes,
    })
}

pub(super) fn shown(row: connection::Model) -> Connection {
    Connection {
        id: IdKind::Connection.show(row.id),
        platform: row.platform,
        external_id: row.external_id,
        name: row.name,
        username: row.username,
        status: row.status,
        status_reason: row.status_reason,
        token_expires_at: row.token_expires_at.map(rfc3339),
        scopes: serde_json::from_str(&row.scopes).unwrap_or_default(),
        last_webhook_at: row.last_webhook_at.map(rfc3339),
        auto_reply: ShownAutoReply {
            mode: row.auto_reply_mode,
            text: row.auto_reply_text,
            template_id: row.auto_reply_template_id.map(|id| IdKind::Template.show(id)),
            instructions: row.auto_reply_instructions,
            pause_minutes: row.auto_reply_pause.unwrap_or(PAUSE_MINUTES),
        },
        picture_url: row.picture_url,
        subscription_checked_at: row.subscription_checked_at.map(rfc3339),
        created_at: rfc3339(row.created_at),
    }
}
