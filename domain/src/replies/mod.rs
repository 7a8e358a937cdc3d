//! The automatic reply: decides whether a new message is answered, fixes the words, and writes the outbound message. The
//! unique key on the answered message makes a second reply impossible, however often this runs.

mod guards;
mod prompt;
mod words;

pub use guards::{PAUSE_MINUTES, withdrawn};
pub(crate) use prompt::INSTRUCTIONS;
pub use prompt::Question;

use crate::clock::{Millis, SECOND};
use crate::compose::draft;
use crate::context::Context;
use crate::db::Tx;
use crate::id::OrganizationId;
use crate::inbox::{lock, refresh};
use crate::plans::Entitled;
use crate::{outbound, templates, variables, window};
use entities::{connection, contact, conversation, message, template};
use guards::guarded;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryTrait};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What was decided.
#[derive(Debug)]
pub enum Decision {
    /// The reply is written as `queued`: send it.
    Reply(Box<message::Model>, Source),
    /// No reply, and why.
    Skip(&'static str),
    /// The model must be asked first; nothing was written.
    Ask(Box<Question>),
    /// Meta is about to tell who the contact is; nothing was written.
    Introduce,
}

/// How long a reply that calls a new contact by name waits for it.
const INTRODUCED_WITHIN: Millis = 10 * SECOND;

/// Where the words of a reply came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The account's text or template.
    Template,
    /// A template, by a keyword of the message.
    Keyword,
    /// The model.
    Ai,
    /// The account's text or template, because the model had no words, and why.
    Fallback(&'static str),
}

/// What the model said, or why it said nothing.
pub type Asked = Result<String, &'static str>;

/// What is read before a decision.
struct Case {
    inbound: message::Model,
    connection: connection::Model,
    conversation: conversation::Model,
    contact: contact::Model,
    /// The organization's, once it is clear that there is something to say.
    templates: Vec<template::Model>,
}

/// Decides about the reply to one message, in the transaction that will also hold the job that sends it. `asked`: what the
/// model has said, once it was asked.
pub async fn decide(tx: &Tx, ctx: &Context, message_id: Uuid, asked: Option<Asked>) -> Result<Decision, DbErr> {
    let (db, now) = (tx.conn(), ctx.now());
    let mut case = match Case::load(tx, message_id).await? {
        Ok(case) => case,
        Err(reason) => return Ok(Decision::Skip(reason)),
    };
    if let Some(reason) = refuses(ctx, db, &case).await? {
        return Ok(Decision::Skip(reason));
    }
    if let Some(reason) = guarded(db, &case, now).await? {
        return Ok(Decision::Skip(reason));
    }
    case.templates = template::Entity::find()
        .filter(template::Column::OrganizationId.eq(case.connection.organization_id))
        .all(db)
        .await?;
    let (text, source, template_id) = match (case.connection.auto_reply_mode.as_str(), asked) {
        ("ai", None) => return Ok(Decision::Ask(Box::new(prompt::question(db, &case).await?))),
        ("ai", Some(Ok(said))) => match words::accept(&said, &case) {
            Ok(text) => (text, Source::Ai, None),
            Err(reason) => match case.fixed() {
                Some((text, template)) => (text, Source::Fallback(reason), template),
                None => return Ok(Decision::Skip(reason)),
            },
        },
        ("ai", Some(Err(reason))) => match case.fixed() {
            Some((text, template)) => (text, Source::Fallback(reason), template),
            None => return Ok(Decision::Skip(reason)),
        },
        _ => match (case.by_keyword(), case.fixed()) {
            (Some(template), _) => (template.text.clone(), Source::Keyword, Some(template.id)),
            (None, Some((text, template))) => (text, Source::Template, template),
            (None, None) => return Ok(Decision::Skip("no_text")),
        },
    };
    if matches!(source, Source::Template | Source::Keyword) && case.awaits_name(&text, now) {
        return Ok(Decision::Introduce);
    }
    let text = match source {
        Source::Ai => text,
        _ => variables::render(&text, &case.connection, &case.contact),
    };
    // One message, however much the variables have added: its first part, which ends between two words.
    let parts = meta::text_limit(outbound::route_of(&case.connection)).split(&text);
    let Some(text) = parts.and_then(|parts| parts.first().map(|part| (*part).to_owned())) else {
        return Ok(Decision::Skip("no_text"));
    };
    write(tx, &case, text, template_id, now).await.map(|reply| match reply {
        Some(reply) => Decision::Reply(Box::new(reply), source),
        None => Decision::Skip("answered_already"),
    })
}

/// Writes the reply, unless the message has one.
async fn write(
    tx: &Tx,
    case: &Case,
    text: String,
    template_id: Option<Uuid>,
    now: Millis,
) -> Result<Option<message::Model>, DbErr> {
    let reply = message::Model {
        origin: "auto".to_owned(),
        text: Some(text),
        answers_id: Some(case.inbound.id),
        template_id,
        ..draft(&case.conversation, now)
    };
    let insert = message::Entity::insert(reply.clone().into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .into_query()
        .returning_col(message::Column::Id)
        .to_owned();
    if tx.conn().query_one(&insert).await?.is_none() {
        return Ok(None);
    }
    tx.note_message(&reply);
    refresh(tx.conn(), &BTreeSet::from([case.conversation.id])).await?;
    Ok(Some(reply))
}

impl Case {
    /// Reads everything under the conversation's lock: what it was answered with, how often, and whether it was unsent, is
    /// decided one after the other.
    async fn load(tx: &Tx, message_id: Uuid) -> Result<Result<Self, &'static str>, DbErr> {
        let db = tx.conn();
        let Some(inbound) = message::Entity::find_by_id(message_id).one(db).await? else {
            return Ok(Err("message_gone"));
        };
        lock::conversation(db, inbound.conversation_id).await?;
        let Some(inbound) = message::Entity::find_by_id(message_id).one(db).await? else {
            return Ok(Err("message_gone"));
        };
        if inbound.direction != "inbound" || inbound.deleted_at.is_some() {
            return Ok(Err("not_answerable"));
        }
        let Some(connection) = connection::Entity::find_by_id(inbound.connection_id).one(db).await? else {
            return Ok(Err("connection_gone"));
        };
        let Some(conversation) = conversation::Entity::find_by_id(inbound.conversation_id).one(db).await? else {
            return Ok(Err("conversation_gone"));
        };
        let Some(contact) = contact::Entity::find_by_id(conversation.contact_id).one(db).await? else {
            return Ok(Err("conversation_gone"));
        };
        Ok(Ok(Self { inbound, connection, conversation, contact, templates: Vec::new() }))
    }

    /// The account's own words, and the template they are of.
    fn fixed(&self) -> Option<(String, Option<Uuid>)> {
        let by_id = |id| self.templates.iter().find(|template| template.id == id);
        let template = self.connection.auto_reply_template_id.and_then(by_id);
        let text = template.map(|template| &template.text).or(self.connection.auto_reply_text.as_ref());
        text.filter(|text| !text.trim().is_empty()).map(|text| (text.clone(), template.map(|template| template.id)))
    }

    /// Whether the words name a contact of whom Meta is being asked just now.
    fn awaits_name(&self, words: &str, now: Millis) -> bool {
        self.contact.profile_state.is_none()
            // Another clock may be ahead.
            && (0..INTRODUCED_WITHIN).contains(&(now - self.inbound.created_at))
            && variables::names_contact(words)
    }

    fn by_keyword(&self) -> Option<&template::Model> {
        templates::by_keyword(&self.templates, self.inbound.text.as_deref().unwrap_or_default())
    }
}

/// What the account, the plan and Meta's window say.
async fn refuses(ctx: &Context, db: &impl ConnectionTrait, case: &Case) -> Result<Option<&'static str>, DbErr> {
    let connection = &case.connection;
    if connection.auto_reply_mode == "off" {
        return Ok(Some("auto_reply_off"));
    }
    // One that only needs reconnecting may be well again before the window closes: its reply waits.
    if !matches!(connection.status.as_str(), "active" | "needs_reconnect") {
        return Ok(Some("connection_unavailable"));
    }
    let Some(entitled) = Entitled::load(db, OrganizationId(connection.organization_id)).await? else {
        return Ok(Some("organization_gone"));
    };
    if entitled.require_active().is_err() {
        return Ok(Some("subscription_inactive"));
    }
    if !entitled.plan.auto_reply {
        return Ok(Some("feature_required"));
    }
    let judged = window::judge(case.conversation.last_inbound_at, ctx.now(), false, ctx.settings.human_agent);
    Ok(judged.is_err().then_some("window_closed"))
}
