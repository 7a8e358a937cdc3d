//! Who contacts are, as far as Meta tells: asked once a person has written, again when it is old, and never needed.

use crate::clock::{DAY, HOUR, Millis};
use crate::db::Tx;
use crate::feed::What;
use entities::contact::{Column, Entity, Model};
use entities::conversation;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

/// Pictures expire within days, and people rename themselves.
const KNOWN_FOR: Millis = 3 * DAY;
/// Meta may have had a reason that passes.
const REFUSED_FOR: Millis = HOUR;
const NAME: usize = 200;

/// What Meta told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The name they show.
    pub name: Option<String>,
    /// Without `@`.
    pub username: Option<String>,
    /// An address that expires.
    pub picture_url: Option<String>,
}

/// What Meta answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This is who it is.
    Known(Found),
    /// It does not tell.
    Refused,
    /// It tells once the person has written: their next message asks again.
    NotYet,
}

/// Whether it is time to ask who this is.
pub(super) fn is_stale(contact: &Model, now: Millis) -> bool {
    let lasts = if contact.profile_state.as_deref() == Some("known") { KNOWN_FOR } else { REFUSED_FOR };
    contact.profile_at.is_none_or(|at| now - at >= lasts)
}

/// Writes down what Meta told of a contact, or that it told nothing: then what was known before stays.
pub async fn profile(tx: &Tx, id: Uuid, answer: Answer, now: Millis) -> Result<(), DbErr> {
    note(tx, id).await?;
    let state = if matches!(answer, Answer::Known(_)) { "known" } else { "refused" };
    let mut update = Entity::update_many()
        .col_expr(Column::ProfileState, Expr::value(Some(state)))
        .col_expr(Column::ProfileAt, Expr::value((answer != Answer::NotYet).then_some(now)));
    if let Answer::Known(Found { name, username, picture_url }) = answer {
        update = update
            .col_expr(Column::Name, Expr::value(name.map(|name| clean(&name))))
            .col_expr(Column::Username, Expr::value(username.map(|name| clean(&name))))
            .col_expr(Column::PictureUrl, Expr::value(picture_url.map(|url| url.replace('\0', ""))));
    }
    update.filter(Column::Id.eq(id)).exec(tx.conn()).await?;
    Ok(())
}

/// The conversation shows whom it is with.
async fn note(tx: &Tx, contact: Uuid) -> Result<(), DbErr> {
    use conversation::Column as C;
    let found: Option<(Uuid, Uuid)> = conversation::Entity::find()
        .select_only()
        .columns([C::OrganizationId, C::Id])
        .filter(C::ContactId.eq(contact))
        .into_tuple()
        .one(tx.conn())
        .await?;
    if let Some((organization, id)) = found {
        tx.note(organization, What::Conversation(id));
    }
    Ok(())
}

fn clean(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME).collect()
}
