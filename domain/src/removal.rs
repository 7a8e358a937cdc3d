//! What Meta asks us to forget: the access of a person who removed the app, and the data of a person who wants it deleted.
//! Both name the person by the app-scoped id, come more than once, and may come long after the person has returned.

use crate::audit::{self, Actor, Entry};
use crate::clock::{DAY, MINUTE, Millis, SECOND};
use crate::connections::{self, Platform};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{IdKind, OrganizationId, new_id};
use crate::notifications::Told;
use crate::organizations;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entities::meta_callback::{ActiveModel, Column, Entity, Model};
use entities::{connection, delivery_event, notification, tombstone};
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect as _,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The person removed the app.
    Deauthorize,
    /// The person wants the data deleted.
    DataDeletion,
}

impl Request {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deauthorize => "deauthorize",
            Self::DataDeletion => "data_deletion",
        }
    }
}

/// A request taken down.
#[derive(Debug)]
pub struct Taken {
    /// Its row, with the code the person is given.
    pub callback: Model,
    /// False when it had come before: then nothing more follows.
    pub fresh: bool,
    /// The connections it is about.
    pub connections: Vec<connection::Model>,
    /// Owners who were told.
    pub told: Vec<Told>,
}

/// Why a request could not be taken down.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Takes a request down and does at once what must not wait: no token of the person is used any more, and for a deletion
/// nothing that still comes is kept. `issued_at` is Meta's, in seconds.
pub async fn take(
    tx: &Tx,
    ctx: &Context,
    request: Request,
    user_id: &str,
    issued_at: Option<i64>,
) -> Result<Taken, RemovalError> {
    let issued_at = issued_at.unwrap_or(ctx.now() / SECOND);
    let (callback, fresh) = write_down(tx, ctx, request, user_id, issued_at).await?;
    let mut taken = Taken { callback, fresh, connections: Vec::new(), told: Vec::new() };
    if !fresh {
        return Ok(taken);
    }
    let end = effective_until(issued_at, ctx.now());
    lock_owners(tx, user_id).await?;
    for row in of_person(tx.conn(), user_id, end).await? {
        match request {
            Request::Deauthorize if row.status == "disconnected" => continue,
            Request::Deauthorize => taken.told.extend(lose_access(tx, ctx, &row).await?),
            Request::DataDeletion => forget(tx, ctx, &row).await?,
        }
        taken.connections.push(row);
    }
    let count = i32::try_from(taken.connections.len()).unwrap_or(i32::MAX);
    let done = request == Request::Deauthorize || count == 0;
    let status = if done { "done" } else { "received" };
    let finished_at = done.then_some(ctx.now());
    taken.callback = Model { connections: count, status: status.to_owned(), finished_at, ..taken.callback };
    Entity::update_many()
        .col_expr(Column::Connections, Expr::value(count))
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::FinishedAt, Expr::value(finished_at))
        .filter(Column::Id.eq(taken.callback.id))
        .exec(tx.conn())
        .await?;
    Ok(taken)
}

/// Tokens issued until then are meant: a person who has logged in again since is left alone. Meta's clock and ours may differ
/// a little. A request that is days old has not been under way for so long (each is taken once, so it is no repetition
/// either): its time is taken for wrong, and the request for right.
fn effective_until(issued_at: i64, now: Millis) -> Millis {
    let end = issued_at.saturating_mul(SECOND).saturating_add(MINUTE);
    if now.saturating_sub(end) > 2 * DAY { now } else { end }
}

/// The row of a request, made now or before: the same person at the same second is the same request.
async fn write_down(
    tx: &Tx,
    ctx: &Context,
    request: Request,
    user_id: &str,
    issued_at: i64,
) -> Result<(Model, bool), RemovalError> {
    let mut code = [0_u8; 16];
    getrandom::fill(&mut code).map_err(|_| RemovalError::Randomness)?;
    let now = ctx.now();
    let subject_hash = Sha256::digest(user_id.as_bytes()).to_vec();
    let row = Model {
        id: new_id(now),
        kind: request.as_str().to_owned(),
        subject_hash: subject_hash.clone(),
        issued_at,
        confirmation_code: URL_SAFE_NO_PAD.encode(code),
        status: "received".to_owned(),
        connections: 0,
        created_at: now,
        finished_at: None,
    };
    let once = OnConflict::columns([Column::Kind, Column::SubjectHash, Column::IssuedAt]).do_nothing().to_owned();
    let active = ActiveModel::from(row.clone());
    if Entity::insert(active).on_conflict(once).exec_without_returning(tx.conn()).await? == 1 {
        return Ok((row, true));
    }
    let before = Entity::find()
        .filter(Column::Kind.eq(request.as_str()))
        .filter(Column::SubjectHash.eq(subject_hash))
        .filter(Column::IssuedAt.eq(issued_at))
        .one(tx.conn())
        .await?;
    Ok((before.unwrap_or(row), false))
}

/// Connections of a person whose token was issued before `end`; whoever has logged in again since is left alone.
async fn of_person(db: &impl ConnectionTrait, user_id: &str, end: Millis) -> Result<Vec<connection::Model>, DbErr> {
    use connection::Column as C;
    let before = Condition::any().add(C::TokenIssuedAt.is_null()).add(C::TokenIssuedAt.lte(end));
    let rows = connection::Entity::find().filter(C::AppScopedId.eq(user_id)).filter(before);
    // Nobody stores a token meanwhile that would outlive this.
    rows.lock(LockType::NoKeyUpdate).all(db).await
}

/// In one order for everybody.
async fn lock_owners(tx: &Tx, user_id: &str) -> Result<(), DbErr> {
    use connection::Column as C;
    let owners: Vec<Uuid> = connection::Entity::find()
        .select_only()
        .column(C::OrganizationId)
        .filter(C::AppScopedId.eq(user_id))
        .into_tuple()
        .all(tx.conn())
        .await?;
    for owner in owners.into_iter().collect::<BTreeSet<_>>() {
        organizations::lock(tx, OrganizationId(owner)).await?;
    }
    Ok(())
}

async fn lose_access(tx: &Tx, ctx: &Context, row: &connection::Model) -> Result<Option<Told>, DbErr> {
    let reason = "The app was removed at Meta.";
    let told = connections::needs_reconnect(tx, ctx, row, reason).await?;
    drop_token(tx, row.id).await?;
    written(tx, ctx, row, "connection.deauthorized").await?;
    Ok(told)
}

async fn forget(tx: &Tx, ctx: &Context, row: &connection::Model) -> Result<(), DbErr> {
    if row.status != "disconnected" {
        connections::let_go(tx, ctx, row, Some("Its data was deleted on request.")).await?;
    }
    drop_token(tx, row.id).await?;
    let stone = tombstone::ActiveModel {
        account_hash: Set(account_hash(&row.platform, &row.external_id)),
        created_at: Set(ctx.now()),
    };
    tombstone::Entity::insert(stone)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    anonymize(tx, ctx, row).await?;
    written(tx, ctx, row, "connection.data_deletion_requested").await
}

/// The token is dead. The version goes up, so that nobody who read it before can write another one.
async fn drop_token(tx: &Tx, id: Uuid) -> Result<(), DbErr> {
    use connection::Column as C;
    connection::Entity::update_many()
        .col_expr(C::TokenSealed, Expr::value(None::<String>))
        .col_expr(C::TokenVersion, Expr::col(C::TokenVersion).add(1))
        .filter(C::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

async fn written(tx: &Tx, ctx: &Context, row: &connection::Model, action: &'static str) -> Result<(), DbErr> {
    let entry = Entry::new(Actor::Meta, action, Some(OrganizationId(row.organization_id)))
        .target(IdKind::Connection.show(row.id))
        .details(json!({ "platform": row.platform }));
    audit::record(tx.conn(), ctx.now(), entry).await
}

/// A request by the code the person was given.
pub async fn by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::ConfirmationCode.eq(code))
        .filter(Column::Kind.eq(Request::DataDeletion.as_str()))
        .one(db)
        .await
}

/// The request has been carried out.
pub async fn finish(tx: &Tx, ctx: &Context, id: Uuid) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value("done"))
        .col_expr(Column::FinishedAt, Expr::value(Some(ctx.now())))
        .filter(Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// What is kept of a deleted connection: that there was one. Its account cannot be told from the row any more, so one that
/// returns is another connection, whose data nobody deletes.
async fn anonymize(tx: &Tx, ctx: &Context, row: &connection::Model) -> Result<(), DbErr> {
    use connection::Column as C;
    let id = row.id;
    connections::note(tx, row);
    notification::Entity::delete_many()
        .filter(notification::Column::OrganizationId.eq(row.organization_id))
        .filter(notification::Column::ConnectionId.eq(id))
        .exec(tx.conn())
        .await?;
    // Events that found no owner know the account by its id alone.
    delivery_event::Entity::update_many()
        .col_expr(delivery_event::Column::AccountExternalId, Expr::value(None::<String>))
        .filter(delivery_event::Column::AccountExternalId.eq(&row.external_id))
        .filter(delivery_event::Column::Outcome.eq("unrouted"))
        .exec(tx.conn())
        .await?;
    connection::Entity::update_many()
        .col_expr(C::ExternalId, Expr::value(format!("deleted-{}", id.simple())))
        .col_expr(C::Name, Expr::value("Deleted account"))
        .col_expr(C::Username, Expr::value(None::<String>))
        .col_expr(C::PictureUrl, Expr::value(None::<String>))
        .col_expr(C::AppScopedId, Expr::value(None::<String>))
        .col_expr(C::PageId, Expr::value(None::<String>))
        .col_expr(C::AutoReplyMode, Expr::value("off"))
        .col_expr(C::AutoReplyText, Expr::value(None::<String>))
        .col_expr(C::AutoReplyInstructions, Expr::value(None::<String>))
        .col_expr(C::UpdatedAt, Expr::value(ctx.now()))
        .filter(C::Id.eq(id))
        .filter(C::Status.eq("disconnected"))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Which of these accounts had their data deleted.
pub async fn tombstones(db: &impl ConnectionTrait, accounts: &[(&str, &str)]) -> Result<BTreeSet<Vec<u8>>, DbErr> {
    let mut found = BTreeSet::new();
    for chunk in accounts.chunks(500) {
        let hashes = chunk.iter().map(|(platform, external_id)| account_hash(platform, external_id));
        let rows = tombstone::Entity::find().filter(tombstone::Column::AccountHash.is_in(hashes)).all(db).await?;
        found.extend(rows.into_iter().map(|row| row.account_hash));
    }
    Ok(found)
}

/// Takes the tombstone of an account away.
pub(crate) async fn lift(db: &impl ConnectionTrait, platform: Platform, external_id: &str) -> Result<(), DbErr> {
    tombstone::Entity::delete_many()
        .filter(tombstone::Column::AccountHash.eq(account_hash(platform.as_str(), external_id)))
        .exec(db)
        .await?;
    Ok(())
}

/// By what a tombstone knows an account: not by its id.
pub fn account_hash(platform: &str, external_id: &str) -> Vec<u8> {
    Sha256::digest(format!("{platform}|{external_id}").as_bytes()).to_vec()
}
