//! The audit trail: who did what to what, when and why. A row is written in the transaction of the act it tells of, so that
//! there is never the one without the other.

use crate::clock::Millis;
use crate::id::{IdKind, OrganizationId, new_id};
use entities::audit_entry::{ActiveModel, Column, Entity, Model};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::fmt;
use uuid::Uuid;

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person.
    User(Uuid),
    /// A program with a key.
    ApiKey(Uuid),
    /// Somebody at the machine itself.
    CommandLine,
    /// A job.
    Job(Uuid),
    /// Meta, by a signed request.
    Meta,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => f.write_str(&IdKind::User.show(*id)),
            Self::ApiKey(id) => f.write_str(&IdKind::ApiKey.show(*id)),
            Self::CommandLine => f.write_str("command line"),
            Self::Job(id) => f.write_str(&IdKind::Job.show(*id)),
            Self::Meta => f.write_str("Meta"),
        }
    }
}

/// One act.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whom it concerns.
    pub organization: Option<OrganizationId>,
    /// Who did it.
    pub actor: Actor,
    /// What, e.g. `connection.created`.
    pub action: &'static str,
    /// To what: a public id or a name.
    pub target: Option<String>,
    /// As given by who did it.
    pub reason: Option<String>,
    /// Facts worth keeping; never a secret, never a message's text.
    pub details: Option<serde_json::Value>,
}

impl Entry {
    /// An act without target, reason and details.
    pub fn new(actor: Actor, action: &'static str, organization: Option<OrganizationId>) -> Self {
        Self { organization, actor, action, target: None, reason: None, details: None }
    }

    /// Names what it was done to.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Adds facts.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Adds why.
    #[must_use]
    pub fn reason(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }
}

/// Writes a row; call it in the transaction of the act.
pub async fn record(tx: &impl ConnectionTrait, now: Millis, entry: Entry) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(new_id(now)),
        at: Set(now),
        organization_id: Set(entry.organization.map(|id| id.0)),
        actor: Set(entry.actor.to_string()),
        action: Set(entry.action.to_owned()),
        target: Set(entry.target),
        reason: Set(entry.reason),
        details: Set(entry.details.map(|details| details.to_string())),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// An organization's trail, newest first, before the position given.
pub async fn of_organization(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    before: Option<(Millis, Uuid)>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    page(db, Condition::all().add(Column::OrganizationId.eq(organization.0)), before, limit).await
}

/// Everybody's trail, newest first; for operators.
pub async fn of_everybody(
    db: &impl ConnectionTrait,
    before: Option<(Millis, Uuid)>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    page(db, Condition::all(), before, limit).await
}

async fn page(
    db: &impl ConnectionTrait,
    filter: Condition,
    before: Option<(Millis, Uuid)>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let older = before.map(|(at, id)| {
        Condition::any().add(Column::At.lt(at)).add(Condition::all().add(Column::At.eq(at)).add(Column::Id.lt(id)))
    });
    Entity::find()
        .filter(filter.add_option(older))
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await
}
