//! The automatic reply of one connection: off, a text or template, or the chat model. What Meta would refuse to send is
//! refused here already, while the shop owner is still looking at the form.

use super::{find, note};
use crate::audit::{self, Actor, Entry};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{IdKind, OrganizationId};
use crate::outbound::route_of;
use crate::plans::{self, Entitled};
use crate::replies::INSTRUCTIONS;
use crate::templates;
use crate::variables::{self, VARIABLES};
use entities::connection::{Column, Entity, Model};
use meta::TextLimit;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// How messages are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are not.
    #[default]
    Off,
    /// With the account's text or template, or the one whose keyword the customer used.
    Template,
    /// By the chat model; with the text or template when it has no words.
    Ai,
}

/// What is wanted. What is not given stays as it was; a text takes the place of a template, and a template that of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoReply {
    /// How.
    pub mode: Mode,
    /// A fixed text, with variables.
    pub text: Option<String>,
    /// A stored template.
    pub template: Option<Uuid>,
    /// What the model is to know and to keep to.
    pub instructions: Option<String>,
    /// How long a person's answer silences the automatic reply; 0: not at all.
    pub pause_minutes: Option<i32>,
}

impl AutoReply {
    /// Nothing is answered.
    pub fn off() -> Self {
        Self::default()
    }

    /// Every message is answered with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { mode: Mode::Template, text: Some(text.into()), ..Self::default() }
    }
}

/// The longest pause: a week.
pub const MAX_PAUSE: i32 = 7 * 24 * 60;

/// Why the automatic reply was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AutoReplyError {
    /// No such connection in this organization.
    #[error("There is no such connection.")]
    Unknown,
    /// The plan has no automatic reply.
    #[error("The {current} plan has no automatic reply.{}", needed.as_deref().map(|plan| format!(" The {plan} plan has.")).unwrap_or_default())]
    Feature {
        /// The present plan's name.
        current: String,
        /// The smallest plan that has it.
        needed: Option<String>,
    },
    /// Empty.
    #[error("The automatic reply needs a text or a template.")]
    NoText,
    /// Both were given.
    #[error("The automatic reply has a text or a template, not both.")]
    TwoTexts,
    /// Control characters.
    #[error("The text holds a character that cannot be sent.")]
    Characters,
    /// Something in double braces that is no variable.
    #[error("{{{{{name}}}}} is not a variable; there are {}.", VARIABLES.join(", "))]
    Variable {
        /// As it was written, cut at 40 characters.
        name: String,
    },
    /// Longer than Meta sends.
    #[error("The text is too long: {0}.")]
    TooLong(&'static str),
    /// Longer than a model should read each time.
    #[error("The instructions may have {INSTRUCTIONS} characters.")]
    Instructions,
    /// Out of its range.
    #[error("The pause is 0 to {MAX_PAUSE} minutes.")]
    Pause,
    /// No such template, or somebody else's.
    #[error("There is no such template.")]
    UnknownTemplate,
    /// The operator has not set a model.
    #[error("No AI model is configured; choose a text or a template instead.")]
    NoModel,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Sets the automatic reply and returns the connection as it is then.
pub async fn set_auto_reply(
    tx: &Tx,
    ctx: &Context,
    actor: Actor,
    organization: OrganizationId,
    id: Uuid,
    wanted: AutoReply,
) -> Result<Model, AutoReplyError> {
    let before = find(tx.conn(), organization, id).await?.ok_or(AutoReplyError::Unknown)?;
    let mut after = before.clone();
    let AutoReply { mode, text, template, instructions, pause_minutes } = wanted;
    if mode != Mode::Off {
        require_feature(tx, organization).await?;
    }
    match (text, template) {
        (Some(_), Some(_)) => return Err(AutoReplyError::TwoTexts),
        (Some(text), None) => {
            after.auto_reply_text = Some(checked_text(&before, text)?);
            after.auto_reply_template_id = None;
        }
        (None, Some(template)) => {
            let found = templates::held(tx, organization, template).await?;
            checked_text(&before, found.ok_or(AutoReplyError::UnknownTemplate)?.text)?;
            after.auto_reply_text = None;
            after.auto_reply_template_id = Some(template);
        }
        (None, None) if mode == Mode::Template => return Err(AutoReplyError::NoText),
        // The words stay, so that turning it on again does not need them typed again.
        (None, None) => {}
    }
    if mode == Mode::Ai && ctx.ai.is_none() {
        return Err(AutoReplyError::NoModel);
    }
    if let Some(instructions) = instructions {
        if instructions.chars().count() > INSTRUCTIONS {
            return Err(AutoReplyError::Instructions);
        }
        let instructions = instructions.trim().replace('\0', "");
        after.auto_reply_instructions = Some(instructions).filter(|text| !text.is_empty());
    }
    if let Some(minutes) = pause_minutes {
        if !(0..=MAX_PAUSE).contains(&minutes) {
            return Err(AutoReplyError::Pause);
        }
        after.auto_reply_pause = Some(minutes);
    }
    mode.as_str().clone_into(&mut after.auto_reply_mode);
    after.updated_at = ctx.now();
    Entity::update_many()
        .col_expr(Column::AutoReplyMode, Expr::value(after.auto_reply_mode.clone()))
        .col_expr(Column::AutoReplyText, Expr::value(after.auto_reply_text.clone()))
        .col_expr(Column::AutoReplyTemplateId, Expr::value(after.auto_reply_template_id))
        .col_expr(Column::AutoReplyInstructions, Expr::value(after.auto_reply_instructions.clone()))
        .col_expr(Column::AutoReplyPause, Expr::value(after.auto_reply_pause))
        .col_expr(Column::UpdatedAt, Expr::value(after.updated_at))
        .filter(Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    note(tx, &after);
    let entry = Entry::new(actor, "auto_reply.changed", Some(organization))
        .target(IdKind::Connection.show(id))
        .details(json!({ "from": before.auto_reply_mode, "to": after.auto_reply_mode }));
    audit::record(tx.conn(), after.updated_at, entry).await?;
    Ok(after)
}

impl Mode {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Template => "template",
            Self::Ai => "ai",
        }
    }
}

async fn require_feature(tx: &Tx, organization: OrganizationId) -> Result<(), AutoReplyError> {
    let entitled = Entitled::load(tx.conn(), organization).await?.ok_or(AutoReplyError::Unknown)?;
    if entitled.plan.auto_reply {
        return Ok(());
    }
    let needed = plans::smallest(tx.conn(), |plan| plan.auto_reply).await?;
    Err(AutoReplyError::Feature { current: entitled.plan.name, needed })
}

fn checked_text(connection: &Model, text: String) -> Result<String, AutoReplyError> {
    if text.trim().is_empty() {
        return Err(AutoReplyError::NoText);
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(AutoReplyError::Characters);
    }
    if let Some(unknown) = variables::unknown(&text) {
        return Err(AutoReplyError::Variable { name: unknown.chars().take(40).collect() });
    }
    match too_long(connection, &text) {
        Some(why) => Err(AutoReplyError::TooLong(why)),
        None => Ok(text),
    }
}

/// Why a text does not fit into one message of an account.
pub(crate) fn too_long(connection: &Model, text: &str) -> Option<&'static str> {
    let limit = meta::text_limit(route_of(connection));
    (!limit.fits(text)).then_some(match limit {
        TextLimit::Bytes(_) => "Instagram takes 1000 bytes, and letters beyond ASCII count for more than one",
        TextLimit::Characters(_) => "Messenger takes 2000 characters",
    })
}
