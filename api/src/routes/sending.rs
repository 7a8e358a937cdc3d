//! Sending by hand: a message is written as queued, and a job sends it. The same request with the same `Idempotency-Key` is
//! answered with the message it made the first time.

use super::Tag;
use super::body::Sent;
use super::conversations::parse;
use super::messages::{self, Message};
use crate::app::App;
use crate::auth::Shop;
use crate::problem::{Code, Problem};
use domain::api_keys::Scope;
use domain::clock::Millis;
use domain::compose::{self, Author, Words};
use domain::db::Tx;
use domain::id::{IdKind, new_id};
use domain::idempotency::{self, Begun, MAX_KEY};
use domain::inbox::threads;
use jobs::jobs::message_send;
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use sea_orm::ConnectionTrait;
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct SendingRoutes;

/// What kind of file is sent.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "lowercase")]
enum FileKind {
    Image,
    Video,
    Audio,
    File,
}

/// A file that Meta fetches.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
struct FileToSend {
    #[oai(rename = "type")]
    kind: FileKind,
    /// A public https address.
    url: String,
}

/// One of the three.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct NewMessage {
    /// Longer than Meta takes at once (1000 bytes on Instagram, 2000 characters on Facebook), it is sent in up to ten parts.
    text: Option<String>,
    /// `tpl_…`; its variables are filled in.
    template_id: Option<String>,
    attachment: Option<FileToSend>,
}

#[derive(ApiResponse)]
enum Queued {
    /// It will be sent; of several parts, the first.
    #[oai(status = 202)]
    Accepted(Json<Message>),
}

#[OpenApi(prefix_path = "/api/conversations", tag = "Tag::Inbox")]
impl SendingRoutes {
    /// Send a message: a text, a template or a file. A key needs the scope `inbox:write`.
    #[oai(path = "/:id/messages", method = "post", operation_id = "sendMessage")]
    async fn send(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        /// Names this request, up to 255 characters: sent again, nothing is sent twice.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Sent<NewMessage>,
    ) -> Result<Queued, Problem> {
        shop.require(Scope::InboxWrite)?;
        let (conversation, organization) = (parse(&id)?, shop.organization());
        let request = format!("send {conversation} {:?}", body.0);
        let words = words(body.0)?;
        let (mut tx, now) = (app.ctx.db.begin().await?, app.ctx.now());
        let message = new_id(now);
        if let Some(made) = made_before(&tx, &shop, key.0, &request, message, now).await? {
            tx.rollback().await?;
            return answer(app.ctx.db.read(), &shop, made, now).await;
        }
        let parts = compose::compose(&tx, &app.ctx, organization, conversation, message, &words, author(&shop)).await?;
        let jobs = parts.iter().map(|part| message_send::job(part, None)).collect();
        app.ledger.enqueue(&mut tx, jobs).await?;
        // Read before the commit: after it a worker may have sent the message already.
        let queued = answer(tx.conn(), &shop, message, now).await?;
        tx.commit().await?;
        Ok(queued)
    }

    /// Send a message that has failed once more, with the parts after it that were left out for it. A key needs the scope
    /// `inbox:write`.
    #[oai(path = "/:id/messages/:message_id/retry", method = "post", operation_id = "retryMessage")]
    async fn retry(
        &self,
        app: Data<&Arc<App>>,
        shop: Shop,
        id: Path<String>,
        message_id: Path<String>,
    ) -> Result<Queued, Problem> {
        shop.require(Scope::InboxWrite)?;
        let (conversation, organization) = (parse(&id)?, shop.organization());
        let message = IdKind::Message.parse(&message_id).ok_or(Problem::new(Code::NotFound))?;
        let by_hand = author(&shop).by_hand;
        let mut tx = app.ctx.db.begin().await?;
        let parts = compose::retry(&tx, &app.ctx, organization, conversation, message, by_hand).await?;
        let jobs = parts.iter().map(|part| message_send::job(part, None)).collect();
        app.ledger.enqueue(&mut tx, jobs).await?;
        let queued = answer(tx.conn(), &shop, message, app.ctx.now()).await?;
        tx.commit().await?;
        Ok(queued)
    }
}

async fn answer(db: &impl ConnectionTrait, shop: &Shop, message: Uuid, now: Millis) -> Result<Queued, Problem> {
    let found = threads::message(db, shop.organization(), message).await?;
    let shown = found.ok_or(Problem::new(Code::NotFound))?;
    Ok(Queued::Accepted(Json(messages::shown(shown, now))))
}

/// A program's messages are not a person's: Meta lets a person answer for longer.
pub(super) fn author(shop: &Shop) -> Author {
    match shop {
        Shop::Person(session) => Author { user: Some(session.signed_in.user.id), by_hand: true },
        Shop::Program(..) => Author { user: None, by_hand: false },
    }
}

/// What the same request made the first time; nothing where it has no key, or is made now.
pub(super) async fn made_before(
    tx: &Tx,
    shop: &Shop,
    key: Option<String>,
    request: &str,
    subject: Uuid,
    now: Millis,
) -> Result<Option<Uuid>, Problem> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > MAX_KEY {
        let form = format!("The header Idempotency-Key has 1 to {MAX_KEY} characters.");
        return Err(Problem::with(Code::InvalidParameter, form));
    }
    match idempotency::begin(tx, shop.organization(), &key, request, subject, now).await? {
        Begun::Fresh => Ok(None),
        Begun::Same(made) => Ok(Some(made)),
        Begun::Other => Err(Problem::new(Code::IdempotencyKeyReused)),
    }
}

fn words(body: NewMessage) -> Result<Words, Problem> {
    match (body.text, body.template_id, body.attachment) {
        (Some(text), None, None) => Ok(Words::Text(text)),
        (None, Some(id), None) => Ok(Words::Template(template(&id)?)),
        (None, None, Some(FileToSend { kind, url })) => {
            let kind = match kind {
                FileKind::Image => "image",
                FileKind::Video => "video",
                FileKind::Audio => "audio",
                FileKind::File => "file",
            };
            Ok(Words::File { kind, url })
        }
        _ => Err(Problem::with(Code::InvalidRequest, "Give one of text, templateId and attachment.")),
    }
}

/// A template's id; what is none names no template.
pub(super) fn template(id: &str) -> Result<Uuid, Problem> {
    IdKind::Template.parse(id).ok_or(Problem::new(Code::UnknownTemplate))
}
