//! The automatic reply of one connection: off, or a fixed text. What Meta would refuse to send is refused here already,
//! while the shop owner is still looking at the form.

use super::find;
use crate::audit::{self, Actor, Entry};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{IdKind, OrganizationId};
use crate::outbound::route_of;
use crate::plans::{self, Entitled};
use entities::connection::{Column, Entity, Model};
use meta::TextLimit;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoReply {
    /// Nothing is answered.
    Off,
    /// Every message is answered with this text.
    Template(String),
}

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
    #[error("The automatic reply needs a text.")]
    NoText,
    /// Control characters.
    #[error("The text holds a character that cannot be sent.")]
    Characters,
    /// Longer than Meta sends.
    #[error("The text is too long: {0}.")]
    TooLong(&'static str),
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
    let connection = find(tx.conn(), organization, id).await?.ok_or(AutoReplyError::Unknown)?;
    let (mode, text) = match wanted {
        // The text stays, so that turning it on again does not need it typed again.
        AutoReply::Off => ("off", connection.auto_reply_text.clone()),
        AutoReply::Template(text) => {
            require_feature(tx, organization).await?;
            ("template", Some(checked_text(&connection, text)?))
        }
    };
    let now = ctx.now();
    Entity::update_many()
        .col_expr(Column::AutoReplyMode, Expr::value(mode))
        .col_expr(Column::AutoReplyText, Expr::value(text.clone()))
        .col_expr(Column::AutoReplyTemplateId, Expr::value(None::<Uuid>))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    let entry = Entry::new(actor, "auto_reply.changed", Some(organization))
        .target(IdKind::Connection.show(id))
        .details(json!({ "from": connection.auto_reply_mode, "to": mode }));
    audit::record(tx.conn(), now, entry).await?;
    let auto_reply_mode = mode.to_owned();
    Ok(Model { auto_reply_mode, auto_reply_text: text, auto_reply_template_id: None, updated_at: now, ..connection })
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
    let limit = meta::text_limit(route_of(connection));
    if !limit.fits(&text) {
        return Err(AutoReplyError::TooLong(match limit {
            TextLimit::Bytes(_) => "Instagram takes 1000 bytes, and letters beyond ASCII count for more than one",
            TextLimit::Characters(_) => "Messenger takes 2000 characters",
        }));
    }
    Ok(text)
}
