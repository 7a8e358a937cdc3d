//! Letting an account go: its place is free at once, and its token goes as soon as Meta has been told. The conversations stay,
//! and are found again when the account comes back.

use super::plan_fit::fit_to_plan;
use super::{LoginRoute, find, note};
use crate::audit::{self, Actor, Entry};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{IdKind, OrganizationId};
use crate::organizations;
use crate::plans::Entitled;
use entities::connection::{Column, Entity, Model};
use entities::plan_slot;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// What became of it.
#[derive(Clone, Debug)]
pub enum Disconnected {
    /// There is none of that id in this organization.
    Unknown,
    /// It was before.
    Before,
    /// Now: the row as it is.
    Now(Box<Model>),
}

/// Disconnects an account, and lets one that was over plan have its place.
pub async fn disconnect(
    tx: &Tx,
    ctx: &Context,
    actor: Actor,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Disconnected, DbErr> {
    organizations::lock(tx, organization).await?;
    let Some(before) = find(tx.conn(), organization, id).await? else { return Ok(Disconnected::Unknown) };
    if before.status == "disconnected" {
        return Ok(Disconnected::Before);
    }
    let row = let_go(tx, ctx, &before, None).await?;
    let entry = Entry::new(actor, "connection.disconnected", Some(organization))
        .target(IdKind::Connection.show(id))
        .details(json!({ "platform": row.platform, "from": before.status }));
    audit::record(tx.conn(), ctx.now(), entry).await?;
    Ok(Disconnected::Now(Box::new(row)))
}

/// Frees the place; the caller holds the organization's lock.
pub(crate) async fn let_go(tx: &Tx, ctx: &Context, before: &Model, reason: Option<&str>) -> Result<Model, DbErr> {
    let now = ctx.now();
    note(tx, before);
    Entity::update_many()
        .col_expr(Column::Status, Expr::value("disconnected"))
        .col_expr(Column::StatusBefore, Expr::value(None::<String>))
        .col_expr(Column::StatusReason, Expr::value(reason))
        .col_expr(Column::StatusChangedAt, Expr::value(Some(now)))
        .col_expr(Column::DisconnectedAt, Expr::value(Some(now)))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(before.id))
        .exec(tx.conn())
        .await?;
    plan_slot::Entity::delete_many().filter(plan_slot::Column::ConnectionId.eq(before.id)).exec(tx.conn()).await?;
    let organization = OrganizationId(before.organization_id);
    let over = Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(Column::Status.eq("over_plan"))
        .count(tx.conn())
        .await?;
    if over > 0
        && let Some(entitled) = Entitled::load(tx.conn(), organization).await?
    {
        fit_to_plan(tx, ctx, organization, &entitled.plan).await?;
    }
    // Read again: a refresh may have stored a newer token until this moment.
    let row = find(tx.conn(), organization, before.id).await?;
    Ok(row.unwrap_or_else(|| before.clone()))
}

/// Removes the token of a disconnected account, unless it has come back: then the token is another one.
pub async fn wipe_token(tx: &Tx, connection: &Model) -> Result<bool, DbErr> {
    let wiped = Entity::update_many()
        .col_expr(Column::TokenSealed, Expr::value(None::<String>))
        .filter(Column::Id.eq(connection.id))
        .filter(Column::TokenVersion.eq(connection.token_version))
        .filter(Column::Status.eq("disconnected"))
        .exec(tx.conn())
        .await?;
    Ok(wiped.rows_affected == 1)
}

/// Connected accounts, of any organization, whose messages come by the same installation at Meta: for Instagram Login the
/// account itself, otherwise the Page, which may carry a Page connection and an Instagram one.
pub async fn sharing(db: &impl ConnectionTrait, connection: &Model) -> Result<Vec<Model>, DbErr> {
    let page = match connection.login_route.parse() {
        Ok(LoginRoute::FacebookPage) => Some(connection.external_id.as_str()),
        Ok(LoginRoute::InstagramViaPage) => Some(connection.page_id.as_deref().unwrap_or_default()),
        _ => None,
    };
    // One look for each, as each lies in an index of its own.
    let mut found = match page {
        Some(page) => active(db, LoginRoute::FacebookPage, Column::ExternalId, page).await?,
        None => active(db, LoginRoute::InstagramLogin, Column::ExternalId, &connection.external_id).await?,
    };
    if let Some(page) = page {
        found.extend(active(db, LoginRoute::InstagramViaPage, Column::PageId, page).await?);
    }
    Ok(found)
}

async fn active(
    db: &impl ConnectionTrait,
    route: LoginRoute,
    column: Column,
    value: &str,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Platform.eq(route.platform().as_str()))
        .filter(Column::LoginRoute.eq(route.as_str()))
        .filter(column.eq(value))
        .filter(Column::Status.ne("disconnected"))
        .all(db)
        .await
}
