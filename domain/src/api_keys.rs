//! Keys for programs: organization keys that read and write one inbox, operator keys that see the ledger.
//! A key is 32 random bytes shown once; the database has its hash, and revoking it works at the next request.

use crate::audit::{self, Actor, Entry};
use crate::clock::{DAY, Millis};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{IdKind, OrganizationId, new_id};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entities::api_key::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Every key ends after at most this long.
pub const LIFETIME_MAX: Millis = 90 * DAY;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read conversations and messages.
    InboxRead,
    /// Send and mark as read.
    InboxWrite,
    /// Read connections.
    ConnectionsRead,
    /// Read the ledger.
    JobsRead,
    /// Retry, cancel, pause.
    JobsWrite,
    /// Send again what may have been sent.
    JobsForce,
    /// See message texts.
    PayloadReveal,
    /// Read the audit trail.
    AuditRead,
}

impl Scope {
    /// Every scope with its name and whether it is for operators; everything else is drawn from here.
    pub const ALL: [(Self, &'static str, bool); 8] = [
        (Self::InboxRead, "inbox:read", false),
        (Self::InboxWrite, "inbox:write", false),
        (Self::ConnectionsRead, "connections:read", false),
        (Self::JobsRead, "jobs:read", true),
        (Self::JobsWrite, "jobs:write", true),
        (Self::JobsForce, "jobs:force", true),
        (Self::PayloadReveal, "payload:reveal", true),
        (Self::AuditRead, "audit:read", true),
    ];

    fn row(self) -> (&'static str, bool) {
        // The table has every variant; the fallback keeps this total without a panic.
        Self::ALL.iter().find(|(scope, ..)| *scope == self).map_or(("", false), |(_, name, operator)| (name, *operator))
    }

    /// Its public name.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// True when only operator keys can have it.
    pub fn is_for_operators(self) -> bool {
        self.row().1
    }

    /// Reads a public name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(scope, ..)| *scope)
    }
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// It could do nothing.
    #[error("A key needs at least one scope.")]
    NoScope,
    /// Operator scopes on an organization key or the other way round.
    #[error("The scope {0} does not belong on this kind of key.")]
    WrongKind(&'static str),
    /// Longer than allowed, or not at all.
    #[error("A key lives for 1 to 90 days.")]
    Lifetime,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A key that holds.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// `key_…`
    pub id: Uuid,
    /// `None`: an operator.
    pub organization: Option<OrganizationId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// Makes a key; the secret is returned here and nowhere else ever again.
pub async fn create(
    tx: &Tx,
    ctx: &Context,
    organization: Option<OrganizationId>,
    scopes: &[Scope],
    lifetime: Millis,
) -> Result<(Model, SecretString), ApiKeyError> {
    if scopes.is_empty() {
        return Err(ApiKeyError::NoScope);
    }
    if let Some(wrong) = scopes.iter().find(|scope| scope.is_for_operators() == organization.is_some()) {
        return Err(ApiKeyError::WrongKind(wrong.name()));
    }
    if !(1..=LIFETIME_MAX).contains(&lifetime) {
        return Err(ApiKeyError::Lifetime);
    }
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|_| ApiKeyError::Randomness)?;
    let kind = if organization.is_some() { "ra_org_" } else { "ra_op_" };
    let secret = SecretString::from(format!("{kind}{}", URL_SAFE_NO_PAD.encode(bytes.as_ref())));
    let now = ctx.now();
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    let row = Model {
        id: new_id(now),
        organization_id: organization.map(|id| id.0),
        key_hash: hash(secret.expose_secret()),
        hint: secret.expose_secret().chars().take(kind.len() + 4).collect(),
        scopes: json!(names).to_string(),
        created_at: now,
        expires_at: now + lifetime,
        revoked_at: None,
    };
    Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await?;
    let entry = Entry::new(Actor::CommandLine, "key.created", organization)
        .target(IdKind::ApiKey.show(row.id))
        .details(json!({ "scopes": names }));
    audit::record(tx.conn(), now, entry).await?;
    Ok((row, secret))
}

/// Who a key is, if it holds. Looked up by hash at each request, so a revoked key is dead at once.
pub async fn authenticate(ctx: &Context, key: &str) -> Result<Option<Authenticated>, DbErr> {
    let found = Entity::find().filter(Column::KeyHash.eq(hash(key))).one(ctx.db.read()).await?;
    let now = ctx.now();
    Ok(found.filter(|row| row.revoked_at.is_none() && now < row.expires_at).map(|row| {
        let names: Vec<String> = serde_json::from_str(&row.scopes).unwrap_or_default();
        Authenticated {
            id: row.id,
            organization: row.organization_id.map(OrganizationId),
            scopes: names.iter().filter_map(|name| Scope::parse(name)).collect(),
        }
    }))
}

/// Whether a key still holds.
pub async fn holds(ctx: &Context, key: Uuid) -> Result<bool, DbErr> {
    let (now, found) = (ctx.now(), Entity::find_by_id(key).one(ctx.db.read()).await?);
    Ok(found.is_some_and(|row| row.revoked_at.is_none() && now < row.expires_at))
}

fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}
