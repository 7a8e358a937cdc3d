//! The accounts chosen become connections: the attempt is used up, the places are taken and the tokens stored in one
//! transaction, or nothing is. The same choice again gets the same answer; another one finds the attempt used.

use super::asks_of;
use super::content::{Candidate, Content, scopes};
use super::{asks_name, route_of};
use crate::audit::Actor;
use crate::connections::{self, ConnectError, NewConnection};
use crate::context::Context;
use crate::db::Tx;
use crate::id::OrganizationId;
use crate::organizations;
use crate::plans::PlanRefusal;
use crate::vault::VaultError;
use entities::connect_flow::{Column, Entity, Model};
use entities::{connection, session};
use meta::Asks;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Accounts that can be chosen at once.
const MAX_CHOSEN: usize = 1_000;

/// The accounts chosen: ids, each once, in an order of their own so that the same choice is always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Vec<String>);

/// What a choice led to.
#[derive(Debug)]
pub struct Saved {
    /// In the order of the choice.
    pub connections: Vec<connection::Model>,
    /// False when this very choice had taken effect before.
    pub fresh: bool,
}

/// Why a choice did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The handle is over, used, or of somebody else: nothing more is said.
    #[error("This link to Meta has been used or has expired. Connect again.")]
    HandleInvalid,
    /// Not among those found.
    #[error("The account {0} is not among those that Meta offered.")]
    UnknownAccount(String),
    /// Found, and cannot be connected.
    #[error("{name} cannot be connected: {why}")]
    Unusable {
        /// Its name.
        name: String,
        /// A sentence.
        why: String,
    },
    /// Plan or subscription.
    #[error(transparent)]
    Plan(#[from] PlanRefusal),
    /// Another organization has it.
    #[error("{0} is already connected elsewhere.")]
    Elsewhere(String),
    /// Sealing or opening failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Something a connection cannot be made of.
    #[error("{0}")]
    Connect(String),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl Selection {
    /// `None` when nothing, or far too much, was chosen.
    pub fn new(ids: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut ids: Vec<String> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        (1..=MAX_CHOSEN).contains(&ids.len()).then_some(Self(ids))
    }

    /// The ids.
    pub fn ids(&self) -> &[String] {
        &self.0
    }

    /// What tells one choice from another.
    pub fn hash(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        for id in &self.0 {
            hash.update(u64::try_from(id.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(id.as_bytes());
        }
        hash.finalize().to_vec()
    }
}

/// The candidates that are chosen.
pub fn check<'a>(content: &'a Content, selection: &Selection) -> Result<Vec<&'a Candidate>, SaveError> {
    selection
        .ids()
        .iter()
        .map(|id| {
            let found = content.candidates.iter().find(|candidate| candidate.external_id == *id);
            let found = found.ok_or_else(|| SaveError::UnknownAccount(id.chars().take(64).collect()))?;
            if found.is_usable() {
                return Ok(found);
            }
            let why = found.unusable.clone().unwrap_or_else(|| "Meta gave no access to it.".to_owned());
            Err(SaveError::Unusable { name: found.name.clone(), why })
        })
        .collect()
}

/// Makes the connections. On an error the caller rolls back, and the attempt can still be used.
pub async fn save(
    tx: &Tx,
    ctx: &Context,
    flow_id: Uuid,
    selection: &Selection,
    actor: Actor,
) -> Result<Saved, SaveError> {
    let Some(flow) = Entity::find_by_id(flow_id).one(tx.conn()).await? else {
        return Err(SaveError::HandleInvalid);
    };
    let organization = OrganizationId(flow.organization_id);
    organizations::lock(tx, organization).await?;
    if !use_up(tx, ctx, &flow, selection).await? {
        return repeated(tx, flow.id, selection).await;
    }
    let asks = asks_of(&flow.asks).ok_or(SaveError::HandleInvalid)?;
    if session::Entity::find_by_id(flow.session_id).one(tx.conn()).await?.is_none() {
        // Signed out since: whoever holds the handle now is not known.
        return Err(SaveError::HandleInvalid);
    }
    // Read under the lock: what is sealed may have been rewrapped.
    let Some(flow) = Entity::find_by_id(flow_id).one(tx.conn()).await? else {
        return Err(SaveError::HandleInvalid);
    };
    let content = Content::open(ctx, &flow)?;
    let mut made = Vec::new();
    for candidate in check(&content, selection)? {
        let new = new_connection(organization, actor, asks, candidate, &content)?;
        match connections::connect(tx, ctx, new).await {
            Ok(connection) => made.push(connection),
            Err(ConnectError::Plan(refusal)) => return Err(refusal.into()),
            Err(ConnectError::AccountConnectedElsewhere) => return Err(SaveError::Elsewhere(candidate.name.clone())),
            Err(ConnectError::Vault(error)) => return Err(error.into()),
            Err(ConnectError::Db(error)) => return Err(error.into()),
            Err(error) => return Err(SaveError::Connect(error.to_string())),
        }
    }
    let ids: Vec<Uuid> = made.iter().map(|connection| connection.id).collect();
    let result = serde_json::to_string(&ids).unwrap_or_default();
    Entity::update_many()
        .col_expr(Column::Result, Expr::value(Some(result)))
        .col_expr(Column::Sealed, Expr::value(None::<String>))
        .filter(Column::Id.eq(flow.id))
        .exec(tx.conn())
        .await?;
    Ok(Saved { connections: made, fresh: true })
}

/// Of all choices for one attempt, the first to get here has it.
async fn use_up(tx: &Tx, ctx: &Context, flow: &Model, selection: &Selection) -> Result<bool, DbErr> {
    let now = ctx.now();
    let used = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Some(now)))
        .col_expr(Column::Stage, Expr::value("saved"))
        .col_expr(Column::SelectionHash, Expr::value(Some(selection.hash())))
        .filter(Column::Id.eq(flow.id))
        .filter(Column::Stage.eq("ready"))
        .filter(Column::UsedAt.is_null())
        .filter(Column::HandleExpiresAt.gt(now))
        .exec(tx.conn())
        .await?;
    Ok(used.rows_affected == 1)
}

/// The answer of before, for the choice of before.
async fn repeated(tx: &Tx, flow: Uuid, selection: &Selection) -> Result<Saved, SaveError> {
    let found = Entity::find_by_id(flow).one(tx.conn()).await?;
    let same = |flow: &Model| flow.selection_hash.as_deref() == Some(&selection.hash()[..]);
    let flow = found.filter(same).ok_or(SaveError::HandleInvalid)?;
    Ok(Saved { connections: made_by(tx.conn(), &flow).await?, fresh: false })
}

/// The connections an attempt has led to, in the order of the choice.
pub async fn made_by(db: &impl sea_orm::ConnectionTrait, flow: &Model) -> Result<Vec<connection::Model>, DbErr> {
    let ids: Vec<Uuid> = flow.result.as_deref().and_then(|ids| serde_json::from_str(ids).ok()).unwrap_or_default();
    let found = connection::Entity::find().filter(connection::Column::Id.is_in(ids.clone())).all(db).await?;
    Ok(ids.iter().filter_map(|id| found.iter().find(|row| row.id == *id).cloned()).collect())
}

fn new_connection(
    organization: OrganizationId,
    actor: Actor,
    asks: Asks,
    candidate: &Candidate,
    content: &Content,
) -> Result<NewConnection, SaveError> {
    let token =
        candidate.token.clone().ok_or_else(|| SaveError::Connect(format!("no token for {}", asks_name(asks))))?;
    Ok(NewConnection {
        organization,
        actor,
        login_route: route_of(asks),
        external_id: candidate.external_id.clone(),
        app_scoped_id: candidate.app_scoped_id.clone(),
        page_id: candidate.page_id.clone(),
        name: candidate.name.clone(),
        username: candidate.username.clone(),
        picture_url: candidate.picture_url.clone(),
        scopes: scopes(content, asks),
        token,
        token_issued_at: Some(candidate.token_issued_at),
        token_expires_at: candidate.token_expires_at,
    })
}
