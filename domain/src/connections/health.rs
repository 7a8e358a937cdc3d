//! What Meta's answers say of an account: that its token is dead, or that the account is restricted. Written once per token,
//! with a notification for the owner, and never by a late answer to a token that has been replaced.

use super::note;
use crate::context::Context;
use crate::db::Tx;
use crate::notifications::{self, Told};
use entities::connection::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

/// The account's token does not work any more: sending waits, messages keep arriving. The owner is told once for each token;
/// `None` when it was known.
pub async fn needs_reconnect(tx: &Tx, ctx: &Context, connection: &Model, reason: &str) -> Result<Option<Told>, DbErr> {
    if !change(tx, ctx, connection, &["active", "restricted"], "needs_reconnect", reason).await? {
        return Ok(None);
    }
    let text = format!("{} must be connected again: {reason}", connection.name);
    notifications::tell(tx, ctx, connection, "needs_reconnect", connection.token_version, &text).await
}

/// Meta has restricted the account: it sends nothing until it is connected again. `None` when it was known.
pub async fn restricted(tx: &Tx, ctx: &Context, connection: &Model, reason: &str) -> Result<Option<Told>, DbErr> {
    if !change(tx, ctx, connection, &["active"], "restricted", reason).await? {
        return Ok(None);
    }
    let text = format!("Meta has restricted {}: {reason}", connection.name);
    notifications::tell(tx, ctx, connection, "restricted", connection.token_version, &text).await
}

/// True when this is news. An account over plan stays so, and is found changed when it is within the plan again.
async fn change(
    tx: &Tx,
    ctx: &Context,
    connection: &Model,
    from: &[&str],
    to: &str,
    reason: &str,
) -> Result<bool, DbErr> {
    let now = ctx.now();
    let of_this_token = |update: sea_orm::UpdateMany<Entity>| {
        update
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::Id.eq(connection.id))
            // A late answer to an older token says nothing of the one that replaced it.
            .filter(Column::TokenVersion.eq(connection.token_version))
    };
    let changed = of_this_token(Entity::update_many())
        .col_expr(Column::Status, Expr::value(to))
        .col_expr(Column::StatusReason, Expr::value(Some(reason)))
        .col_expr(Column::StatusChangedAt, Expr::value(Some(now)))
        .filter(Column::Status.is_in(from.iter().copied()))
        .exec(tx.conn())
        .await?;
    if changed.rows_affected == 1 {
        note(tx, connection);
        return Ok(true);
    }
    let beneath = of_this_token(Entity::update_many())
        .col_expr(Column::StatusBefore, Expr::value(Some(to)))
        .filter(Column::Status.eq("over_plan"))
        .filter(Column::StatusBefore.is_in(from.iter().copied()))
        .exec(tx.conn())
        .await?;
    Ok(beneath.rows_affected == 1)
}
