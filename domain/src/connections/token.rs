//! The life of a connection's token: opened for a call, replaced by a refreshed one, and found when it is about to end.
//! A refreshed token is stored only if nothing has happened to the connection since the old one was read.

use super::{note, token_place};
use crate::clock::{DAY, Millis};
use crate::context::Context;
use crate::db::Tx;
use crate::vault::VaultError;
use entities::connection::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

/// Meta refreshes no token that is younger.
pub const REFRESH_AGE: Millis = DAY;
/// Statuses whose token is kept alive.
pub const REFRESHED: [&str; 3] = ["active", "over_plan", "restricted"];

/// Why a token was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing to store.
    #[error("the new token is empty")]
    Empty,
    /// It could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Why a token is not to be refreshed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// Disconnected, waiting for its owner, or of a kind that does not expire.
    NotKept,
    /// Meta would refuse it: younger than a day, by our own clock.
    TooYoung,
    /// It has ended: only a login helps.
    Expired,
}

/// Whether the token may be refreshed at `now`.
pub fn may_refresh(connection: &Model, now: Millis) -> Result<(), NotNow> {
    let kept = connection.login_route == "instagram_login"
        && connection.token_sealed.is_some()
        && REFRESHED.contains(&connection.status.as_str())
        && connection.status_before.as_deref() != Some("needs_reconnect");
    let Some(end) = connection.token_expires_at.filter(|_| kept) else { return Err(NotNow::NotKept) };
    if now >= end {
        return Err(NotNow::Expired);
    }
    match connection.token_issued_at {
        Some(issued) if now - issued < REFRESH_AGE => Err(NotNow::TooYoung),
        _ => Ok(()),
    }
}

/// Replaces the token that `connection` was read with. False when the connection has been reconnected, disconnected or marked
/// since: then the new token is dropped, for what happened to the connection is newer than what was asked for it.
pub async fn store(
    tx: &Tx,
    ctx: &Context,
    connection: &Model,
    token: &SecretString,
    issued_at: Millis,
    expires_at: Millis,
) -> Result<bool, StoreError> {
    if token.expose_secret().trim().is_empty() {
        return Err(StoreError::Empty);
    }
    let next = Model { token_version: connection.token_version + 1, ..connection.clone() };
    let sealed = ctx.vault.seal(token_place(&next), token)?;
    let stored = Entity::update_many()
        .col_expr(Column::TokenSealed, Expr::value(Some(sealed)))
        .col_expr(Column::TokenVersion, Expr::value(next.token_version))
        .col_expr(Column::TokenIssuedAt, Expr::value(Some(issued_at)))
        .col_expr(Column::TokenExpiresAt, Expr::value(Some(expires_at)))
        .col_expr(Column::UpdatedAt, Expr::value(ctx.now()))
        .filter(Column::Id.eq(connection.id))
        .filter(Column::TokenVersion.eq(connection.token_version))
        .filter(Column::Status.is_in(REFRESHED))
        .exec(tx.conn())
        .await?;
    let is_stored = stored.rows_affected == 1;
    if is_stored {
        note(tx, connection);
    }
    Ok(is_stored)
}

/// Where a page of [`ending`] went on from.
pub type Position = (Millis, Uuid);

/// Connections whose token ends before `before` and may be refreshed at `now` (or has ended), the earliest end first, from
/// a position on: id, organization and end.
pub async fn ending(
    db: &impl ConnectionTrait,
    now: Millis,
    before: Millis,
    after: Option<Position>,
    limit: u64,
) -> Result<Vec<(Uuid, Uuid, Millis)>, DbErr> {
    // The end alone bounds the walk through the index; the id tells which of those with the same end were there already.
    let later = after.map(|(end, id)| {
        let later = Condition::any().add(Column::TokenExpiresAt.gt(end)).add(Column::Id.gt(id));
        Condition::all().add(Column::TokenExpiresAt.gte(end)).add(later)
    });
    let old_enough =
        Condition::any().add(Column::TokenIssuedAt.is_null()).add(Column::TokenIssuedAt.lte(now - REFRESH_AGE));
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::OrganizationId, Column::TokenExpiresAt])
        .filter(Column::TokenExpiresAt.is_not_null())
        .filter(Column::TokenExpiresAt.lte(before))
        .filter(Column::Status.ne("disconnected"))
        .filter(Column::Status.is_in(REFRESHED))
        .filter(Column::LoginRoute.eq("instagram_login"))
        .filter(Column::TokenSealed.is_not_null())
        .filter(old_enough)
        .filter(Condition::all().add_option(later))
        .order_by_asc(Column::TokenExpiresAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}
