//! People who sign in, each in one organization, known by their e-mail address in lower case.
//! Registering makes organization and user together or neither.

use crate::audit::{self, Actor, Entry};
use crate::context::Context;
use crate::db::{Tx, is_unique_violation};
use crate::id::{IdKind, OrganizationId, new_id};
use crate::organizations::{self, OrganizationError};
use entities::organization;
use entities::user::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::json;

/// Longest address, as mail itself limits it.
pub const EMAIL_MAX: usize = 254;

/// Why a user could not be made.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Not an e-mail address.
    #[error("That is not an e-mail address.")]
    Email,
    /// Somebody signs in with it already.
    #[error("Somebody already signs in with this e-mail address.")]
    EmailTaken,
    /// The organization was refused.
    #[error(transparent)]
    Organization(#[from] OrganizationError),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// The form in which an address is stored and compared, if it can be one. Mail itself is the only full test of an address;
/// this keeps out what would break a line, a log or a header.
pub fn checked_email(email: &str) -> Result<String, UserError> {
    let email = email.trim().to_lowercase();
    let whole = email.len() <= EMAIL_MAX && !email.chars().any(|c| c.is_control() || c.is_whitespace());
    match email.split_once('@') {
        Some((local, host)) if whole && !local.is_empty() && !host.is_empty() && !host.contains('@') => Ok(email),
        _ => Err(UserError::Email),
    }
}

/// The user of an address in stored form.
pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Email.eq(email)).one(db).await
}

/// Adds a user to an organization.
pub async fn create(
    tx: &Tx,
    ctx: &Context,
    organization: OrganizationId,
    email: &str,
    password_hash: String,
) -> Result<Model, UserError> {
    let now = ctx.now();
    let row = Model {
        id: new_id(now),
        organization_id: organization.0,
        email: checked_email(email)?,
        password_hash,
        created_at: now,
    };
    let inserted = Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await;
    match inserted {
        Ok(_) => Ok(row),
        Err(error) if is_unique_violation(&error) => Err(UserError::EmailTaken),
        Err(error) => Err(error.into()),
    }
}

/// Makes an organization and its first user.
pub async fn register(
    tx: &Tx,
    ctx: &Context,
    email: &str,
    password_hash: String,
    organization_name: &str,
    plan: &str,
) -> Result<(Model, organization::Model), UserError> {
    let organization = organizations::create(tx, ctx, organization_name, plan).await?;
    let id = OrganizationId(organization.id);
    let user = create(tx, ctx, id, email, password_hash).await?;
    let entry = Entry::new(Actor::User(user.id), "organization.registered", Some(id))
        .target(id.to_string())
        .details(json!({ "plan": plan, "user": IdKind::User.show(user.id) }));
    audit::record(tx.conn(), ctx.now(), entry).await?;
    Ok((user, organization))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_stored_in_one_form() {
        assert_eq!(checked_email("  Ada@Example.TEST ").unwrap(), "ada@example.test");
        let long = format!("{}@example.test", "a".repeat(250));
        for bad in ["", "ada", "@example.test", "ada@", "a@b@c", "a b@c", "a\r\nb@c", "a\0@b", &long] {
            assert!(checked_email(bad).is_err(), "{bad:?}");
        }
    }
}
