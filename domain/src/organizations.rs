//! Organizations: creating them, and what operators change about them.
//! Changing a plan also decides which connections still fit under it, in the same transaction.

use crate::audit::{self, Actor, Entry};
use crate::connections;
use crate::context::Context;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use crate::plans;
use entities::organization::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::json;

/// Longest name, in characters.
pub const NAME_MAX: usize = 100;

/// Why an organization could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum OrganizationError {
    /// An empty, overlong or unprintable name.
    #[error("An organization's name has 1 to 100 printable characters.")]
    Name,
    /// The catalogue has no such plan.
    #[error("There is no plan of that name; the usual ones are starter, pro, team and enterprise.")]
    UnknownPlan,
    /// No such organization.
    #[error("There is no such organization.")]
    Unknown,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A name without outer blanks, if it can be one.
pub fn checked_name(name: &str) -> Result<String, OrganizationError> {
    let name = name.trim();
    let fits = (1..=NAME_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) { Ok(name.to_owned()) } else { Err(OrganizationError::Name) }
}

/// Makes an organization with an active subscription.
pub async fn create(tx: &Tx, ctx: &Context, name: &str, plan: &str) -> Result<Model, OrganizationError> {
    let name = checked_name(name)?;
    if plans::find(tx.conn(), plan).await?.is_none() {
        return Err(OrganizationError::UnknownPlan);
    }
    let now = ctx.now();
    let row =
        Model { id: new_id(now), name, plan_id: plan.to_owned(), subscription: "active".to_owned(), created_at: now };
    Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await?;
    Ok(row)
}

/// One organization.
pub async fn find(db: &impl ConnectionTrait, id: OrganizationId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id.0).one(db).await
}

/// Organizations of that exact name; names are not unique.
pub async fn by_name(db: &impl ConnectionTrait, name: &str) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Name.eq(name)).all(db).await
}

/// Moves an organization to another plan and fits its connections under it.
pub async fn set_plan(
    tx: &Tx,
    ctx: &Context,
    actor: Actor,
    id: OrganizationId,
    plan: &str,
) -> Result<Model, OrganizationError> {
    let new = plans::find(tx.conn(), plan).await?.ok_or(OrganizationError::UnknownPlan)?;
    let before = change(tx, id, Column::PlanId, plan).await?;
    let fitted = connections::fit_to_plan(tx, ctx, id, &new).await?;
    let entry = Entry::new(actor, "plan.changed", Some(id)).target(id.to_string()).details(json!({
        "from": before.plan_id, "to": plan, "overPlan": fitted.over_plan, "restored": fitted.restored,
    }));
    audit::record(tx.conn(), ctx.now(), entry).await?;
    Ok(Model { plan_id: plan.to_owned(), ..before })
}

/// Turns a subscription on or off.
pub async fn set_subscription(
    tx: &Tx,
    ctx: &Context,
    actor: Actor,
    id: OrganizationId,
    active: bool,
) -> Result<Model, OrganizationError> {
    let status = if active { "active" } else { "inactive" };
    let before = change(tx, id, Column::Subscription, status).await?;
    let entry = Entry::new(actor, "subscription.changed", Some(id))
        .target(id.to_string())
        .details(json!({ "from": before.subscription, "to": status }));
    audit::record(tx.conn(), ctx.now(), entry).await?;
    Ok(Model { subscription: status.to_owned(), ..before })
}

/// Changes one column and returns the row as it was. The update comes first: it takes the row's lock, which every act that
/// counts accounts takes before anything else.
async fn change(tx: &Tx, id: OrganizationId, column: Column, value: &str) -> Result<Model, OrganizationError> {
    lock(tx, id).await?;
    let before = find(tx.conn(), id).await?.ok_or(OrganizationError::Unknown)?;
    Entity::update_many().col_expr(column, Expr::value(value)).filter(Column::Id.eq(id.0)).exec(tx.conn()).await?;
    Ok(before)
}

/// Takes the organization's lock for this transaction: first in the order of locks. An update that changes nothing does it
/// on every database alike.
pub async fn lock(tx: &Tx, id: OrganizationId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Id, Expr::col(Column::Id))
        .filter(Column::Id.eq(id.0))
        .exec(tx.conn())
        .await?;
    Ok(())
}
