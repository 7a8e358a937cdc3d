//! Sealing everything again with the first key, while the service runs: each value is replaced only where it still is what
//! was opened, and whatever changed meanwhile was sealed by somebody who has the new key, or is looked at again.

use crate::connect;
use crate::connections::token_place;
use crate::context::Context;
use crate::vault::{Vault, VaultError};
use entities::{connect_flow, connection};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeMap;
use uuid::Uuid;

const BATCH: u64 = 200;
/// Rows that are looked at together when nothing is changed.
const COUNTED: u64 = 1_000;

/// What a rotation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Tokens sealed again.
    pub tokens: u64,
    /// Logins in progress sealed again.
    pub logins: u64,
    /// Values that no key opens: they stay as they are.
    pub unreadable: u64,
    /// Values that changed under our hands and may have the old key.
    pub overtaken: u64,
}

/// What is sealed with one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// Tokens of connections.
    pub tokens: u64,
    /// Logins in progress.
    pub logins: u64,
}

/// Why a rotation ended.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Sealing failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Goes through every sealed value once. Call it until nothing was overtaken.
pub async fn rotate(ctx: &Context, mut progress: impl FnMut(&Rotated)) -> Result<Rotated, RotationError> {
    let mut done = Rotated::default();
    let mut after = Uuid::nil();
    loop {
        let rows = connection::Entity::find()
            .filter(connection::Column::TokenSealed.is_not_null())
            .filter(connection::Column::Id.gt(after))
            .order_by_asc(connection::Column::Id)
            .limit(BATCH)
            .all(ctx.db.read())
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in &rows {
            token(ctx, row, &mut done).await?;
        }
        progress(&done);
    }
    let mut after = Uuid::nil();
    loop {
        let rows = connect_flow::Entity::find()
            .filter(connect_flow::Column::Sealed.is_not_null())
            .filter(connect_flow::Column::Id.gt(after))
            .order_by_asc(connect_flow::Column::Id)
            .limit(BATCH)
            .all(ctx.db.read())
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in &rows {
            login(ctx, row, &mut done).await?;
        }
        progress(&done);
    }
    Ok(done)
}

/// How many values are sealed with which key, by the key's id; under none, what is no envelope of ours.
pub async fn keys_in_use(db: &impl ConnectionTrait) -> Result<BTreeMap<Option<String>, InUse>, DbErr> {
    let mut found: BTreeMap<Option<String>, InUse> = BTreeMap::new();
    let key = |sealed: &str| Vault::key_of(sealed).map(str::to_owned);
    let mut after = Uuid::nil();
    loop {
        use connection::Column as C;
        let rows: Vec<(Uuid, String)> = connection::Entity::find()
            .select_only()
            .columns([C::Id, C::TokenSealed])
            .filter(C::TokenSealed.is_not_null())
            .filter(C::Id.gt(after))
            .order_by_asc(C::Id)
            .limit(COUNTED)
            .into_tuple()
            .all(db)
            .await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        rows.iter().for_each(|(_, sealed)| found.entry(key(sealed)).or_default().tokens += 1);
    }
    let mut after = Uuid::nil();
    loop {
        use connect_flow::Column as C;
        let rows: Vec<(Uuid, String)> = connect_flow::Entity::find()
            .select_only()
            .columns([C::Id, C::Sealed])
            .filter(C::Sealed.is_not_null())
            .filter(C::Id.gt(after))
            .order_by_asc(C::Id)
            .limit(COUNTED)
            .into_tuple()
            .all(db)
            .await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        rows.iter().for_each(|(_, sealed)| found.entry(key(sealed)).or_default().logins += 1);
    }
    Ok(found)
}

fn is_current(ctx: &Context, sealed: &str) -> bool {
    Vault::key_of(sealed) == Some(ctx.vault.sealing_key())
}

async fn token(ctx: &Context, row: &connection::Model, done: &mut Rotated) -> Result<(), RotationError> {
    use connection::Column as C;
    let Some(old) = row.token_sealed.as_deref().filter(|sealed| !is_current(ctx, sealed)) else { return Ok(()) };
    let Ok(open) = ctx.vault.open(token_place(row), old) else {
        done.unreadable += 1;
        return Ok(());
    };
    let new = ctx.vault.seal(token_place(row), &open)?;
    let changed = connection::Entity::update_many()
        .col_expr(C::TokenSealed, Expr::value(Some(new)))
        .filter(C::Id.eq(row.id))
        .filter(C::TokenSealed.eq(old))
        .exec(ctx.db.write())
        .await?;
    let count = if changed.rows_affected == 1 { &mut done.tokens } else { &mut done.overtaken };
    *count += 1;
    Ok(())
}

async fn login(ctx: &Context, row: &connect_flow::Model, done: &mut Rotated) -> Result<(), RotationError> {
    use connect_flow::Column as C;
    let Some(old) = row.sealed.as_deref().filter(|sealed| !is_current(ctx, sealed)) else { return Ok(()) };
    let place = connect::place(row, row.sealed_version);
    let Ok(open) = ctx.vault.open(place, old) else {
        done.unreadable += 1;
        return Ok(());
    };
    let new = ctx.vault.seal(place, &open)?;
    let changed = connect_flow::Entity::update_many()
        .col_expr(C::Sealed, Expr::value(Some(new)))
        .filter(C::Id.eq(row.id))
        .filter(C::Sealed.eq(old))
        .exec(ctx.db.write())
        .await?;
    let count = if changed.rows_affected == 1 { &mut done.logins } else { &mut done.overtaken };
    *count += 1;
    Ok(())
}
