//! Messages a shop writes: whether it may, in how many parts, and the rows that a job then sends. What is refused here is
//! refused before anything is stored; the window is asked again when each part leaves.

use crate::clock::Millis;
use crate::context::Context;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use crate::inbox::{lock, refresh};
use crate::outbound::{DISMISSED, route_of};
use crate::plans::{Entitled, PlanRefusal};
use crate::{templates, variables, window};
use entities::{connection, contact, conversation, message};
use meta::text_limit;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most parts a text is sent in.
pub const MAX_PARTS: usize = 10;
/// The longest text that is taken at all, in characters; parts are counted after that.
pub const MAX_CHARACTERS: usize = 20_000;
const MAX_URL: usize = 2_000;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// These words.
    Text(String),
    /// Those of a template, with its variables filled in.
    Template(Uuid),
    /// A file that Meta fetches.
    File {
        /// `image`, `video`, `audio` or `file`.
        kind: &'static str,
        /// A public https address.
        url: String,
    },
}

/// Who writes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// The person, where one is known.
    pub user: Option<Uuid>,
    /// Typed by a person and sent at once.
    pub by_hand: bool,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// No such conversation, or somebody else's.
    #[error("There is no such conversation.")]
    NotFound,
    /// No such template, or somebody else's.
    #[error("There is no such template.")]
    UnknownTemplate,
    /// Plan or subscription.
    #[error(transparent)]
    Plan(#[from] PlanRefusal),
    /// The account cannot send, and will not by itself.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Meta does not let a message be sent now.
    #[error("{0}")]
    WindowClosed(&'static str),
    /// There is nothing to send.
    #[error("There is nothing to send.")]
    Empty,
    /// Control characters.
    #[error("The text holds a character that cannot be sent.")]
    Characters,
    /// Too long, even in parts.
    #[error("The text is too long: it would be more than {MAX_PARTS} messages.")]
    TooLong,
    /// Not an address that Meta can fetch from.
    #[error("The attachment's address must be a public https address of at most {MAX_URL} characters.")]
    Address,
    /// Only what has failed can be tried again.
    #[error("{0}")]
    NotFailed(&'static str),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Writes the message as `queued`, its first part under the id given; the caller enqueues a job for each part, in their order.
pub async fn compose(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    conversation: Uuid,
    id: Uuid,
    words: &Words,
    author: Author,
) -> Result<Vec<message::Model>, ComposeError> {
    let thread = Thread::locked(tx, organization, conversation).await?.ok_or(ComposeError::NotFound)?;
    thread.may_write(tx, ctx, author.by_hand).await?;
    let (template_id, contents) = thread.contents(tx, organization, words).await?;
    let now = ctx.now();
    let several = contents.len() > 1;
    let rows: Vec<message::Model> = contents
        .into_iter()
        .zip(0..)
        .map(|(content, part)| {
            let base = draft(&thread.conversation, now);
            message::Model {
                id: if part == 0 { id } else { new_id(now) },
                origin: "person".to_owned(),
                author_id: author.user,
                by_hand: author.by_hand,
                group_id: several.then_some(id),
                part,
                template_id,
                // Parts follow each other in the thread.
                sent_at: now + i64::from(part),
                kind: content.kind.to_owned(),
                text: content.text,
                attachments: content.attachments,
                ..base
            }
        })
        .collect();
    let models: Vec<_> = rows.iter().cloned().map(IntoActiveModel::into_active_model).collect();
    message::Entity::insert_many(models).exec_without_returning(tx.conn()).await?;
    rows.iter().for_each(|row| tx.note_message(row));
    refresh(tx.conn(), &BTreeSet::from([conversation])).await?;
    Ok(rows)
}

/// What words would become for the contact of a conversation, as a whole and as the messages they would be sent as.
pub async fn preview(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    conversation: Uuid,
    text: &str,
) -> Result<(String, Vec<String>), ComposeError> {
    let thread = Thread::read(db, organization, conversation).await?.ok_or(ComposeError::NotFound)?;
    check_text(text)?;
    let text = variables::render(text, &thread.connection, &thread.contact);
    let parts = parts(&thread.connection, &text)?.into_iter().map(str::to_owned).collect();
    Ok((text, parts))
}

/// Queues a message that has failed once more, with the parts after it that were not sent because of it.
pub async fn retry(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    conversation: Uuid,
    id: Uuid,
    by_hand: bool,
) -> Result<Vec<message::Model>, ComposeError> {
    let thread = Thread::locked(tx, organization, conversation).await?.ok_or(ComposeError::NotFound)?;
    let found = message::Entity::find_by_id(id).filter(message::Column::ConversationId.eq(conversation));
    let failed = found.one(tx.conn()).await?.ok_or(ComposeError::NotFound)?;
    match (failed.direction.as_str(), failed.status.as_deref()) {
        // An operator has let it be; that does not tell whether it was sent.
        (_, Some("failed")) if failed.error_class.as_deref() == Some(DISMISSED) => {
            return Err(ComposeError::NotFailed(MAYBE_SENT));
        }
        ("outbound", Some("failed")) if failed.external_id.is_none() => {}
        (_, Some("unknown")) => return Err(ComposeError::NotFailed(MAYBE_SENT)),
        _ => return Err(ComposeError::NotFailed("Only a message that has failed can be sent again.")),
    }
    // What a machine has written, or was written for later, does not become a person's words by being tried again.
    let by_hand = by_hand && failed.by_hand;
    thread.may_write(tx, ctx, by_hand).await?;
    let mut which = Condition::any().add(message::Column::Id.eq(id));
    if let Some(group) = failed.group_id {
        let after = Condition::all()
            .add(message::Column::GroupId.eq(group))
            .add(message::Column::Part.gt(failed.part))
            .add(message::Column::ErrorClass.eq(EARLIER_PART));
        which = which.add(after);
    }
    let which = Condition::all()
        .add(message::Column::ConversationId.eq(conversation))
        .add(message::Column::Status.eq("failed"))
        .add(message::Column::ExternalId.is_null())
        .add(which);
    let parts = message::Entity::find().filter(which).order_by_asc(message::Column::Part).all(tx.conn()).await?;
    message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value("queued"))
        .col_expr(message::Column::ErrorClass, Expr::value(None::<String>))
        .col_expr(message::Column::ErrorCode, Expr::value(None::<String>))
        .col_expr(message::Column::ErrorMessage, Expr::value(None::<String>))
        .col_expr(message::Column::SendingAt, Expr::value(None::<Millis>))
        .col_expr(message::Column::ByHand, Expr::value(by_hand))
        // These and no others: a later part that fails at this moment has no job here that would send it.
        .filter(message::Column::Id.is_in(parts.iter().map(|part| part.id)))
        .exec(tx.conn())
        .await?;
    parts.iter().for_each(|part| tx.note_message(part));
    Ok(parts)
}

const MAYBE_SENT: &str = "It is not known whether this message was sent; sending it again could send it twice.";

/// Why a part is not sent whose earlier part was not.
pub const EARLIER_PART: &str = "earlier_part_failed";

/// An outbound row of a conversation that says nothing yet.
pub(crate) fn draft(conversation: &conversation::Model, now: Millis) -> message::Model {
    message::Model {
        id: new_id(now),
        organization_id: conversation.organization_id,
        connection_id: conversation.connection_id,
        conversation_id: conversation.id,
        external_id: None,
        direction: "outbound".to_owned(),
        origin: "person".to_owned(),
        kind: "text".to_owned(),
        text: None,
        attachments: "[]".to_owned(),
        status: Some("queued".to_owned()),
        answers_id: None,
        reply_to_external_id: None,
        reactions: "[]".to_owned(),
        extra: None,
        standby: false,
        error_class: None,
        error_code: None,
        error_message: None,
        sent_at: now,
        sending_at: None,
        edited_at: None,
        edits: 0,
        deleted_at: None,
        created_at: now,
        author_id: None,
        by_hand: false,
        group_id: None,
        part: 0,
        template_id: None,
        reconciled: false,
    }
}

/// A conversation with its account and contact, locked.
pub(crate) struct Thread {
    pub conversation: conversation::Model,
    pub connection: connection::Model,
    pub contact: contact::Model,
}

struct Content {
    kind: &'static str,
    text: Option<String>,
    attachments: String,
}

impl Thread {
    /// `None` when the organization has no such conversation.
    pub(crate) async fn locked(
        tx: &Tx,
        organization: OrganizationId,
        conversation: Uuid,
    ) -> Result<Option<Self>, DbErr> {
        lock::conversation(tx.conn(), conversation).await?;
        Self::read(tx.conn(), organization, conversation).await
    }

    pub(crate) async fn read(
        db: &impl ConnectionTrait,
        organization: OrganizationId,
        conversation: Uuid,
    ) -> Result<Option<Self>, DbErr> {
        let found = conversation::Entity::find_by_id(conversation)
            .filter(conversation::Column::OrganizationId.eq(organization.0))
            .one(db)
            .await?;
        let Some(conversation) = found else { return Ok(None) };
        let connection = connection::Entity::find_by_id(conversation.connection_id).one(db).await?;
        let contact = contact::Entity::find_by_id(conversation.contact_id).one(db).await?;
        Ok(connection.zip(contact).map(|(connection, contact)| Self { conversation, connection, contact }))
    }

    /// Whether the shop may write here now.
    async fn may_write(&self, tx: &Tx, ctx: &Context, by_hand: bool) -> Result<(), ComposeError> {
        self.may_use(tx.conn()).await?;
        match self.connection.status.as_str() {
            // One that needs reconnecting may be well again before the window closes: what is written waits.
            "active" | "needs_reconnect" => {}
            "over_plan" => {
                return Err(ComposeError::Unavailable(
                    "This account is over the plan's limit: it receives messages and sends none.",
                ));
            }
            "restricted" => {
                return Err(ComposeError::Unavailable(
                    "Meta has restricted this account: it cannot send at the moment.",
                ));
            }
            _ => return Err(ComposeError::Unavailable("This account is disconnected.")),
        }
        let human_agent = ctx.settings.human_agent;
        let judged = window::judge(self.conversation.last_inbound_at, ctx.now(), by_hand, human_agent);
        judged.map(|_| ()).map_err(ComposeError::WindowClosed)
    }

    /// Whether the plan lets a person work with this conversation: writing by hand, at a later time, and leads.
    pub(crate) async fn may_use(&self, db: &impl ConnectionTrait) -> Result<(), ComposeError> {
        let organization = OrganizationId(self.conversation.organization_id);
        let entitled = Entitled::load(db, organization).await?.ok_or(ComposeError::NotFound)?;
        entitled.require_active()?;
        entitled.require_messaging(db, &self.connection.platform).await??;
        Ok(())
    }

    async fn contents(
        &self,
        tx: &Tx,
        organization: OrganizationId,
        words: &Words,
    ) -> Result<(Option<Uuid>, Vec<Content>), ComposeError> {
        let (template_id, text) = match words {
            Words::File { kind, url } => {
                if !is_address(url) {
                    return Err(ComposeError::Address);
                }
                let attachments = json!([{ "type": kind, "url": url }]).to_string();
                return Ok((None, vec![Content { kind, text: None, attachments }]));
            }
            Words::Text(text) => (None, text.clone()),
            Words::Template(id) => {
                let template = templates::find(tx.conn(), organization, *id).await?;
                let template = template.ok_or(ComposeError::UnknownTemplate)?;
                (Some(*id), variables::render(&template.text, &self.connection, &self.contact))
            }
        };
        let parts = parts(&self.connection, &text)?;
        let content = |text: &str| Content { kind: "text", text: Some(text.to_owned()), attachments: "[]".to_owned() };
        Ok((template_id, parts.into_iter().map(content).collect()))
    }
}

/// The messages that a text is sent as from an account.
pub(crate) fn parts<'a>(connection: &connection::Model, text: &'a str) -> Result<Vec<&'a str>, ComposeError> {
    check_text(text)?;
    let parts = text_limit(route_of(connection)).split(text);
    parts.filter(|parts| parts.len() <= MAX_PARTS).ok_or(ComposeError::TooLong)
}

/// Whether a text can be sent at all, apart from its parts.
fn check_text(text: &str) -> Result<(), ComposeError> {
    if text.trim().is_empty() {
        return Err(ComposeError::Empty);
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
        return Err(ComposeError::Characters);
    }
    if text.chars().nth(MAX_CHARACTERS).is_some() { Err(ComposeError::TooLong) } else { Ok(()) }
}

fn is_address(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    url.len() <= MAX_URL && !host.is_empty() && plain && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_meta_can_fetch_from() {
        for good in ["https://shop.test/a.png", "https://shop.test:8443/a?b=c#d", "https://x"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("https://x/{}", "a".repeat(MAX_URL));
        for bad in
            ["http://shop.test/a", "https://", "https:///a", "https://u@x/a", "https://x /a", "javascript:x", &long]
        {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
