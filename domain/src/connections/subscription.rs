//! What is known of an account's webhooks at Meta.

use super::note;
use crate::clock::Millis;
use crate::db::Tx;
use entities::connection::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// They were seen to be on; `fresh`: because they were just switched on. False when the account has been disconnected since.
pub async fn subscription_seen(tx: &Tx, connection: &Model, fresh: bool, now: Millis) -> Result<bool, DbErr> {
    let mut update = Entity::update_many().col_expr(Column::SubscriptionCheckedAt, Expr::value(Some(now)));
    if fresh || connection.subscribed_at.is_none() {
        update = update.col_expr(Column::SubscribedAt, Expr::value(Some(now)));
    }
    let of = update.filter(Column::Id.eq(connection.id)).filter(Column::Status.ne("disconnected"));
    let seen = of.exec(tx.conn()).await?.rows_affected == 1;
    if seen {
        note(tx, connection);
    }
    Ok(seen)
}

/// Accounts whose webhooks should be on, by id, from one on: id and organization.
pub async fn to_check(db: &impl ConnectionTrait, after: Uuid, limit: u64) -> Result<Vec<(Uuid, Uuid)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::OrganizationId])
        .filter(Column::Status.is_in(["active", "over_plan", "restricted"]))
        .filter(Column::TokenSealed.is_not_null())
        .filter(Condition::any().add(Column::StatusBefore.is_null()).add(Column::StatusBefore.ne("needs_reconnect")))
        .filter(Column::Id.gt(after))
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}
