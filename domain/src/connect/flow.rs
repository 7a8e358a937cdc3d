//! The attempt's row from step to step. Every step is a compare-and-set on the stage it starts from, so that a repeated
//! callback, a late worker or a second process finds nothing to move.

use super::content::Content;
use super::handle::Handle;
use super::state::{self, Bearer, LIFETIME, StateError};
use super::{asks_name, asks_of};
use crate::audit::{self, Actor, Entry};
use crate::clock::Millis;
use crate::connections::{self, ConnectError, Platform};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use crate::plans::PlanRefusal;
use crate::vault::VaultError;
use entities::connect_flow::{ActiveModel, Column, Entity, Model};
use meta::Asks;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Who goes through the login, and where.
#[derive(Clone, Debug)]
pub struct Binding {
    /// For whom.
    pub organization: OrganizationId,
    /// Who.
    pub user: Uuid,
    /// In which session.
    pub session: Uuid,
    /// The cookie that marks the browser; `None` when it sent none.
    pub browser: Option<String>,
    /// Whether a browser without that cookie is refused: on https, where every browser keeps it.
    pub browser_needed: bool,
}

/// A login that has begun.
#[derive(Debug)]
pub struct Started {
    /// The attempt.
    pub id: Uuid,
    /// For the address at Meta.
    pub state: String,
}

/// What Meta sent the browser back with.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Whose callback it is.
    pub platform: Platform,
    /// As it came.
    pub state: &'a str,
}

/// Why an attempt did not go on.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Plan or subscription.
    #[error(transparent)]
    Plan(#[from] PlanRefusal),
    /// The state is not accepted.
    #[error(transparent)]
    State(#[from] StateError),
    /// No such organization.
    #[error("There is no such organization.")]
    UnknownOrganization,
    /// Somebody else has moved it on.
    #[error("the attempt has moved on")]
    Overtaken,
    /// Sealing or signing failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Begins an attempt, if the plan has room for it.
pub async fn start(
    tx: &Tx,
    ctx: &Context,
    binding: &Binding,
    asks: Asks,
    platform: Platform,
    redirect_uri: &str,
) -> Result<Started, FlowError> {
    may_connect(tx.conn(), binding.organization, platform).await?;
    let now = ctx.now();
    let bearer = Bearer { user: binding.user, session: binding.session, platform };
    let (state, nonce_hash) = state::issue(&ctx.vault, bearer, now)?;
    let row = Model {
        id: new_id(now),
        organization_id: binding.organization.0,
        user_id: binding.user,
        session_id: binding.session,
        browser_hash: browser_hash(binding.browser.as_deref()),
        platform: platform.as_str().to_owned(),
        asks: asks_name(asks).to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        nonce_hash,
        stage: "started".to_owned(),
        error_code: None,
        error_detail: None,
        accounts: 0,
        handle_hash: None,
        sealed: None,
        sealed_version: 0,
        selection_hash: None,
        result: None,
        created_at: now,
        state_used_at: None,
        handle_expires_at: None,
        used_at: None,
    };
    Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await?;
    Ok(Started { id: row.id, state })
}

/// Redeems the state of a callback, once. What is wrong with it is found before it is used up, so that nobody can spend
/// another person's.
pub async fn arrive(tx: &Tx, ctx: &Context, binding: &Binding, arrival: &Arrival<'_>) -> Result<Model, FlowError> {
    let now = ctx.now();
    let bearer = Bearer { user: binding.user, session: binding.session, platform: arrival.platform };
    let nonce_hash = state::check(&ctx.vault, bearer, arrival.state, now)?;
    let found = Entity::find().filter(Column::NonceHash.eq(nonce_hash)).one(tx.conn()).await?;
    let flow = found.ok_or(StateError::Invalid)?;
    let ours = flow.organization_id == binding.organization.0
        && flow.session_id == binding.session
        && flow.platform == arrival.platform.as_str();
    if !ours || !same_browser(&flow, binding) {
        return Err(StateError::Invalid.into());
    }
    let used = Entity::update_many()
        .col_expr(Column::StateUsedAt, Expr::value(Some(now)))
        .filter(Column::Id.eq(flow.id))
        .filter(Column::StateUsedAt.is_null())
        .filter(Column::Stage.eq("started"))
        .exec(tx.conn())
        .await?;
    if used.rows_affected != 1 {
        return Err(StateError::Invalid.into());
    }
    Ok(Model { state_used_at: Some(now), ..flow })
}

/// Takes the code of a callback: sealed, with a handle for the page. The plan is asked again, for it may have changed.
pub async fn accept(
    tx: &Tx,
    ctx: &Context,
    flow: &Model,
    code: SecretString,
    handle: &Handle,
) -> Result<(), FlowError> {
    let organization = OrganizationId(flow.organization_id);
    let platform = flow.platform.parse().map_err(|_| FlowError::Overtaken)?;
    may_connect(tx.conn(), organization, platform).await?;
    let (sealed, version) = Content { code: Some(code), ..Content::default() }.seal(ctx, flow)?;
    let set = [
        (Column::Sealed, Expr::value(Some(sealed))),
        (Column::SealedVersion, Expr::value(version)),
        (Column::HandleHash, Expr::value(Some(handle.hash()))),
        (Column::HandleExpiresAt, Expr::value(Some(ctx.now() + LIFETIME))),
    ];
    step(tx, flow.id, "started", "exchanging", None, set).await
}

/// The code is about to leave: from now on nobody tries it again. Committed before the call.
pub async fn ask(tx: &Tx, ctx: &Context, flow: &Model) -> Result<(), FlowError> {
    step(tx, flow.id, "exchanging", "asking", Some(ctx.now()), []).await
}

/// The call provably never left: the code is as good as before.
pub async fn not_asked(tx: &Tx, flow: &Model) -> Result<(), FlowError> {
    step(tx, flow.id, "asking", "exchanging", None, []).await
}

/// The code has become a token.
pub async fn exchanged(tx: &Tx, ctx: &Context, flow: &Model, content: &Content) -> Result<(), FlowError> {
    let (sealed, version) = content.seal(ctx, flow)?;
    let set = [(Column::Sealed, Expr::value(Some(sealed))), (Column::SealedVersion, Expr::value(version))];
    step(tx, flow.id, "asking", "fetching", Some(ctx.now()), set).await
}

/// The accounts are known; the page may choose.
pub async fn discover(tx: &Tx, ctx: &Context, flow: &Model, content: &Content) -> Result<(), FlowError> {
    let (sealed, version) = content.seal(ctx, flow)?;
    let usable = content.candidates.iter().filter(|candidate| candidate.is_usable()).count();
    let set = [
        (Column::Sealed, Expr::value(Some(sealed))),
        (Column::SealedVersion, Expr::value(version)),
        (Column::Accounts, Expr::value(i32::try_from(usable).unwrap_or(i32::MAX))),
    ];
    step(tx, flow.id, "fetching", "ready", Some(ctx.now()), set).await
}

async fn step(
    tx: &Tx,
    id: Uuid,
    from: &str,
    to: &str,
    living_at: Option<Millis>,
    set: impl IntoIterator<Item = (Column, SimpleExpr)>,
) -> Result<(), FlowError> {
    let mut update = Entity::update_many().col_expr(Column::Stage, Expr::value(to));
    for (column, value) in set {
        update = update.col_expr(column, value);
    }
    // Nothing is sealed again into an attempt that is over and was wiped.
    let living = Condition::all().add_option(living_at.map(|now| Column::HandleExpiresAt.gt(now)));
    let moved = update.filter(Column::Id.eq(id)).filter(Column::Stage.eq(from)).filter(living).exec(tx.conn()).await?;
    if moved.rows_affected == 1 { Ok(()) } else { Err(FlowError::Overtaken) }
}

/// Ends an attempt that has not become anything: its secrets are wiped, the reason stays, in the audit trail too.
pub async fn fail(
    tx: &Tx,
    ctx: &Context,
    flow: &Model,
    actor: Actor,
    code: &str,
    detail: Option<&str>,
) -> Result<(), DbErr> {
    let moved = Entity::update_many()
        .col_expr(Column::Stage, Expr::value("failed"))
        .col_expr(Column::ErrorCode, Expr::value(Some(code)))
        .col_expr(Column::ErrorDetail, Expr::value(detail))
        .col_expr(Column::Sealed, Expr::value(None::<String>))
        .filter(Column::Id.eq(flow.id))
        .filter(Column::Stage.is_in(["started", "exchanging", "asking", "fetching"]))
        .exec(tx.conn())
        .await?;
    if moved.rows_affected == 1 {
        refused(tx, ctx, OrganizationId(flow.organization_id), actor, &flow.platform, code, detail).await?;
    }
    Ok(())
}

/// Puts a refusal into the audit trail.
pub async fn refused(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    actor: Actor,
    platform: &str,
    code: &str,
    detail: Option<&str>,
) -> Result<(), DbErr> {
    let details = json!({ "platform": platform, "code": code, "detail": detail });
    let entry = Entry::new(actor, "connection.refused", Some(organization)).details(details);
    audit::record(tx.conn(), ctx.now(), entry).await
}

/// Wipes the secrets of an attempt whose handle is over. True when there was something to wipe.
pub async fn expire(tx: &Tx, ctx: &Context, id: Uuid) -> Result<bool, DbErr> {
    let wiped = Entity::update_many()
        .col_expr(Column::Sealed, Expr::value(None::<String>))
        .filter(Column::Id.eq(id))
        .filter(Column::Sealed.is_not_null())
        .filter(Column::HandleExpiresAt.lte(ctx.now()))
        .exec(tx.conn())
        .await?;
    Ok(wiped.rows_affected == 1)
}

/// One attempt, for the jobs.
pub async fn load(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The attempt a handle stands for, if it is for this person, in this session, and not over. All else is one same nothing.
pub async fn find_by_handle(
    db: &impl ConnectionTrait,
    ctx: &Context,
    binding: &Binding,
    handle: &Handle,
) -> Result<Option<Model>, DbErr> {
    let found = Entity::find().filter(Column::HandleHash.eq(handle.hash())).one(db).await?;
    Ok(found.filter(|flow| {
        flow.organization_id == binding.organization.0
            && flow.user_id == binding.user
            && flow.session_id == binding.session
            && flow.handle_expires_at.is_some_and(|end| ctx.now() < end)
            && asks_of(&flow.asks).is_some()
            && same_browser(flow, binding)
    }))
}

/// A cookie of another browser is always refused.
fn same_browser(flow: &Model, binding: &Binding) -> bool {
    match binding.browser.as_deref() {
        None => !binding.browser_needed,
        given => flow.browser_hash == browser_hash(given),
    }
}

/// Refuses when the plan lacks the platform, or has no place left. An account that needs reconnection has its place already,
/// so a plan that is full does not keep anybody from mending it.
async fn may_connect(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    platform: Platform,
) -> Result<(), FlowError> {
    match connections::room_for(db, organization, platform).await {
        Ok(()) => Ok(()),
        Err(ConnectError::Plan(refusal)) => Err(refusal.into()),
        Err(ConnectError::Db(error)) => Err(error.into()),
        Err(_) => Err(FlowError::UnknownOrganization),
    }
}

/// A browser without a cookie has a hash too, which no cookie has.
fn browser_hash(cookie: Option<&str>) -> Vec<u8> {
    Sha256::digest(cookie.unwrap_or_default().as_bytes()).to_vec()
}
