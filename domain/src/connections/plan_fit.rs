//! Fits an organization's connections under a plan: after a downgrade the newest ones go over plan, after an upgrade they
//! come back. What is over plan keeps receiving and sends nothing.

use super::note;
use crate::context::Context;
use crate::db::Tx;
use crate::id::OrganizationId;
use crate::notifications;
use entities::connection::{Column, Entity, Model};
use entities::{plan, plan_slot};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

/// How many connections changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    /// Now over plan.
    pub over_plan: usize,
    /// Within the plan again.
    pub restored: usize,
}

/// Sorts the connections into those within `plan` and those over it. The caller holds the organization's lock.
pub async fn fit_to_plan(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    plan: &plan::Model,
) -> Result<Fitted, DbErr> {
    let connections = Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(Column::Status.ne("disconnected"))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(tx.conn())
        .await?;
    let limit = plan.accounts_limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let allowed = |connection: &Model| connection.platform != "instagram" || plan.instagram;
    let (mut within, mut over) = (Vec::new(), Vec::new());
    for connection in connections {
        let fits = allowed(&connection) && within.len() < limit;
        if fits { within.push(connection) } else { over.push(connection) }
    }
    replace_slots(tx, organization, &within).await?;

    let mut fitted = Fitted::default();
    for connection in within.iter().filter(|c| c.status == "over_plan") {
        restore(tx, ctx, connection).await?;
        fitted.restored += 1;
    }
    for connection in over.iter().filter(|c| c.status != "over_plan") {
        let reason =
            format!("The {} plan does not cover this account; it receives messages but sends none.", plan.name);
        put_over(tx, ctx, connection, reason).await?;
        let text = format!(
            "{} is no longer covered by the {} plan: it receives messages but sends none.",
            connection.name, plan.name
        );
        notifications::tell(tx, ctx, connection, "over_plan", ctx.now(), &text).await?;
        fitted.over_plan += 1;
    }
    Ok(fitted)
}

/// Gives places to those within the plan.
async fn replace_slots(tx: &Tx, organization: OrganizationId, within: &[Model]) -> Result<(), DbErr> {
    plan_slot::Entity::delete_many()
        .filter(plan_slot::Column::OrganizationId.eq(organization.0))
        .exec(tx.conn())
        .await?;
    for (slot, connection) in (1..).zip(within) {
        let place = plan_slot::Model { organization_id: organization.0, slot, connection_id: connection.id };
        plan_slot::Entity::insert(plan_slot::ActiveModel::from(place)).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

async fn put_over(tx: &Tx, ctx: &Context, connection: &Model, reason: String) -> Result<(), DbErr> {
    note(tx, connection);
    Entity::update_many()
        // From the row itself: what is known of its token may change in this very moment.
        .col_expr(Column::StatusBefore, Expr::col(Column::Status))
        .col_expr(Column::Status, Expr::value("over_plan"))
        .col_expr(Column::StatusReason, Expr::value(Some(reason)))
        .col_expr(Column::StatusChangedAt, Expr::value(Some(ctx.now())))
        .col_expr(Column::UpdatedAt, Expr::value(ctx.now()))
        .filter(Column::Id.eq(connection.id))
        .filter(Column::Status.ne("over_plan"))
        .exec(tx.conn())
        .await?;
    Ok(())
}

async fn restore(tx: &Tx, ctx: &Context, connection: &Model) -> Result<(), DbErr> {
    let reason = match connection.status_before.as_deref() {
        Some("needs_reconnect") => Some("The account must be connected again."),
        Some("restricted") => Some("Meta has restricted the account."),
        _ => None,
    };
    note(tx, connection);
    Entity::update_many()
        .col_expr(Column::Status, Expr::cust("COALESCE(status_before, 'active')"))
        .col_expr(Column::StatusBefore, Expr::value(None::<String>))
        .col_expr(Column::StatusReason, Expr::value(reason))
        .col_expr(Column::StatusChangedAt, Expr::value(Some(ctx.now())))
        .col_expr(Column::UpdatedAt, Expr::value(ctx.now()))
        .filter(Column::Id.eq(connection.id))
        .filter(Column::Status.eq("over_plan"))
        .exec(tx.conn())
        .await?;
    Ok(())
}
