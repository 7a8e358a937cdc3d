//! Leads: contacts that a shop wants to sell to, one for each conversation at most. Where a lead came from is what its
//! conversation knows: the first and the last touch.

use crate::compose::{ComposeError, Thread};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use crate::page::{self, Position};
use crate::usage::Tally;
use entities::conversation;
use entities::lead::{Column, Entity, Model};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Where a lead stands.
pub const STAGES: [&str; 4] = ["new", "contacted", "won", "lost"];

/// What a shop writes down of a lead; nothing leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Shown to people.
    pub name: Option<String>,
    /// Empty: none.
    pub email: Option<String>,
    /// Empty: none.
    pub phone: Option<String>,
    /// Empty: none.
    pub note: Option<String>,
    /// One of [`STAGES`].
    pub stage: Option<&'static str>,
}

/// Why a lead is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// What is true of every conversation a person works with.
    #[error(transparent)]
    Conversation(#[from] ComposeError),
    /// No such lead, or somebody else's.
    #[error("There is no such lead.")]
    NotFound,
    /// The conversation has one.
    #[error("This conversation is a lead already.")]
    Exists(Uuid),
    /// Something is too long or empty.
    #[error("{0}")]
    Invalid(String),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A lead with the conversation that knows where it came from.
pub type Shown = (Model, Option<conversation::Model>);

/// One of an organization; a foreign one is `None`, like a missing one.
pub async fn find(db: &impl ConnectionTrait, organization: OrganizationId, id: Uuid) -> Result<Option<Shown>, DbErr> {
    let row = Entity::find_by_id(id).filter(Column::OrganizationId.eq(organization.0)).one(db).await?;
    Ok(with_conversations(db, row.into_iter().collect()).await?.pop())
}

/// Leads of an organization, newest first, before the position given; of one stage.
pub async fn list(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    stage: Option<&str>,
    before: Option<Position>,
    limit: u64,
) -> Result<Vec<Shown>, DbErr> {
    let which = Condition::all()
        .add(Column::OrganizationId.eq(organization.0))
        .add_option(stage.map(|stage| Column::Stage.eq(stage)))
        .add(page::after(Column::CreatedAt, Column::Id, before));
    let rows =
        Entity::find().filter(which).order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).limit(limit).all(db);
    with_conversations(db, rows.await?).await
}

/// Makes a lead of a conversation; without a name it has the contact's.
pub async fn create(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    conversation: Uuid,
    details: Details,
    user: Option<Uuid>,
) -> Result<Shown, LeadError> {
    let thread = Thread::read(tx.conn(), organization, conversation).await?.ok_or(ComposeError::NotFound)?;
    thread.may_use(tx.conn()).await?;
    let (now, contact) = (ctx.now(), &thread.contact);
    let named = contact.name.clone().or_else(|| contact.username.clone());
    let blank = Model {
        id: new_id(now),
        organization_id: organization.0,
        connection_id: thread.connection.id,
        conversation_id: conversation,
        name: named.unwrap_or_else(|| contact.external_id.clone()),
        email: None,
        phone: None,
        note: None,
        stage: "new".to_owned(),
        author_id: user,
        created_at: now,
        updated_at: now,
    };
    let row = details.into(blank)?;
    let once = OnConflict::column(Column::ConversationId).do_nothing().to_owned();
    let made =
        Entity::insert(row.clone().into_active_model()).on_conflict(once).exec_without_returning(tx.conn()).await?;
    if made == 0 {
        let held = Entity::find().filter(Column::ConversationId.eq(conversation)).one(tx.conn()).await?;
        return Err(held.map_or(LeadError::NotFound, |held| LeadError::Exists(held.id)));
    }
    let mut tally = Tally::default();
    tally.add(organization.0, "leads", 1);
    tally.write(tx.conn(), now).await?;
    Ok((row, Some(thread.conversation)))
}

/// Changes what is written down of one.
pub async fn change(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    id: Uuid,
    details: Details,
) -> Result<Shown, LeadError> {
    let (before, conversation) = find(tx.conn(), organization, id).await?.ok_or(LeadError::NotFound)?;
    let row = Model { updated_at: ctx.now(), ..details.into(before.clone())? };
    // Only what changes: two people may each change something else.
    let mut update = Entity::update_many().col_expr(Column::UpdatedAt, Expr::value(row.updated_at));
    for (column, differs, value) in [
        (Column::Name, before.name != row.name, Some(row.name.clone())),
        (Column::Email, before.email != row.email, row.email.clone()),
        (Column::Phone, before.phone != row.phone, row.phone.clone()),
        (Column::Note, before.note != row.note, row.note.clone()),
        (Column::Stage, before.stage != row.stage, Some(row.stage.clone())),
    ] {
        if differs {
            update = update.col_expr(column, Expr::value(value));
        }
    }
    update.filter(Column::Id.eq(id)).exec(tx.conn()).await?;
    let (row, conversation) = find(tx.conn(), organization, id).await?.unwrap_or((row, conversation));
    Ok((row, conversation))
}

/// Deletes one; the conversation stays.
pub async fn delete(tx: &Tx, organization: OrganizationId, id: Uuid) -> Result<(), LeadError> {
    let gone = Entity::delete_many()
        .filter(Column::Id.eq(id))
        .filter(Column::OrganizationId.eq(organization.0))
        .exec(tx.conn())
        .await?;
    if gone.rows_affected == 1 { Ok(()) } else { Err(LeadError::NotFound) }
}

impl Details {
    fn into(self, row: Model) -> Result<Model, LeadError> {
        let name = match self.name {
            Some(name) => {
                bounded("name", name, 200)?.ok_or(LeadError::Invalid("The name must not be empty.".to_owned()))?
            }
            None => row.name.clone(),
        };
        Ok(Model {
            name,
            email: self.email.map_or(Ok(row.email.clone()), |text| bounded("e-mail address", text, 320))?,
            phone: self.phone.map_or(Ok(row.phone.clone()), |text| bounded("phone number", text, 50))?,
            note: self.note.map_or(Ok(row.note.clone()), |text| bounded("note", text, 5_000))?,
            stage: self.stage.map_or(row.stage.clone(), str::to_owned),
            ..row
        })
    }
}

/// Trimmed; nothing when it is empty.
fn bounded(what: &str, text: String, most: usize) -> Result<Option<String>, LeadError> {
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let text = text.trim();
    if text.chars().count() > most {
        return Err(LeadError::Invalid(format!("The {what} may have {most} characters.")));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

async fn with_conversations(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Shown>, DbErr> {
    let ids = rows.iter().map(|row| row.conversation_id);
    let found = conversation::Entity::find().filter(conversation::Column::Id.is_in(ids)).all(db).await?;
    let mut by_id: HashMap<Uuid, conversation::Model> = found.into_iter().map(|row| (row.id, row)).collect();
    Ok(rows.into_iter().map(|row| (by_id.remove(&row.conversation_id), row)).map(|(found, row)| (row, found)).collect())
}
