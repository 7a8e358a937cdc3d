//! Sealing everything again with the first key, while the service runs: each value is replaced only where it still is what
//! was opened, and whatever changed meanwhile was sealed by somebody who has the new key, or is looked at again.

use crate::connect;
use crate::connections::token_place;
use crate::context::Context;
use crate::vault::{Place, Vault, VaultError};
use entities::{connect_flow, connection};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
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

/// A table whose rows may hold a sealed value.
trait Sealed: EntityTrait {
    const ID: Self::Column;
    const SEALED: Self::Column;

    fn id(row: &Self::Model) -> Uuid;
    fn sealed(row: &Self::Model) -> Option<&str>;
    fn place(row: &Self::Model) -> Place<'static>;

    /// The next rows that hold one.
    fn after(id: Uuid, count: u64) -> Select<Self> {
        Self::find().filter(Self::SEALED.is_not_null()).filter(Self::ID.gt(id)).order_by_asc(Self::ID).limit(count)
    }
}

impl Sealed for connection::Entity {
    const ID: Self::Column = connection::Column::Id;
    const SEALED: Self::Column = connection::Column::TokenSealed;

    fn id(row: &Self::Model) -> Uuid {
        row.id
    }

    fn sealed(row: &Self::Model) -> Option<&str> {
        row.token_sealed.as_deref()
    }

    fn place(row: &Self::Model) -> Place<'static> {
        token_place(row)
    }
}

impl Sealed for connect_flow::Entity {
    const ID: Self::Column = connect_flow::Column::Id;
    const SEALED: Self::Column = connect_flow::Column::Sealed;

    fn id(row: &Self::Model) -> Uuid {
        row.id
    }

    fn sealed(row: &Self::Model) -> Option<&str> {
        row.sealed.as_deref()
    }

    fn place(row: &Self::Model) -> Place<'static> {
        connect::place(row, row.sealed_version)
    }
}

/// Goes through every sealed value once. Call it until nothing was overtaken.
pub async fn rotate(ctx: &Context, mut progress: impl FnMut(&Rotated)) -> Result<Rotated, RotationError> {
    let mut done = Rotated::default();
    rotate_all::<connection::Entity>(ctx, &mut done, |done| &mut done.tokens, &mut progress).await?;
    rotate_all::<connect_flow::Entity>(ctx, &mut done, |done| &mut done.logins, &mut progress).await?;
    Ok(done)
}

async fn rotate_all<E: Sealed>(
    ctx: &Context,
    done: &mut Rotated,
    sealed_again: impl Fn(&mut Rotated) -> &mut u64,
    progress: &mut impl FnMut(&Rotated),
) -> Result<(), RotationError> {
    let mut after = Uuid::nil();
    loop {
        let rows = E::after(after, BATCH).all(ctx.db.read()).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = E::id(last);
        for row in &rows {
            match rotate_one::<E>(ctx, row).await? {
                One::Current => {}
                One::Sealed => *sealed_again(done) += 1,
                One::Unreadable => done.unreadable += 1,
                One::Overtaken => done.overtaken += 1,
            }
        }
        progress(done);
    }
}

/// What became of one value.
enum One {
    Current,
    Sealed,
    Unreadable,
    Overtaken,
}

async fn rotate_one<E: Sealed>(ctx: &Context, row: &E::Model) -> Result<One, RotationError> {
    let is_current = |sealed: &&str| Vault::key_of(sealed) == Some(ctx.vault.sealing_key());
    let Some(old) = E::sealed(row).filter(|sealed| !is_current(sealed)) else { return Ok(One::Current) };
    let Ok(open) = ctx.vault.open(E::place(row), old) else { return Ok(One::Unreadable) };
    let new = ctx.vault.seal(E::place(row), &open)?;
    let changed = E::update_many()
        .col_expr(E::SEALED, Expr::value(Some(new)))
        .filter(E::ID.eq(E::id(row)))
        .filter(E::SEALED.eq(old))
        .exec(ctx.db.write())
        .await?;
    Ok(if changed.rows_affected == 1 { One::Sealed } else { One::Overtaken })
}

/// How many values are sealed with which key, by the key's id; under none, what is no envelope of ours.
pub async fn keys_in_use(db: &impl ConnectionTrait) -> Result<BTreeMap<Option<String>, InUse>, DbErr> {
    let mut found: BTreeMap<_, InUse> = BTreeMap::new();
    for_each_sealed::<connection::Entity>(db, |key| found.entry(key).or_default().tokens += 1).await?;
    for_each_sealed::<connect_flow::Entity>(db, |key| found.entry(key).or_default().logins += 1).await?;
    Ok(found)
}

async fn for_each_sealed<E: Sealed>(
    db: &impl ConnectionTrait,
    mut with: impl FnMut(Option<String>),
) -> Result<(), DbErr> {
    let mut after = Uuid::nil();
    loop {
        let page = E::after(after, COUNTED).select_only().columns([E::ID, E::SEALED]);
        let rows: Vec<(Uuid, String)> = page.into_tuple().all(db).await?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        after = *last;
        rows.iter().for_each(|(_, sealed)| with(Vault::key_of(sealed).map(str::to_owned)));
    }
}
