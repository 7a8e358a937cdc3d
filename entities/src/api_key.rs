//! A key for programs: scoped, hashed, expiring.

use sea_orm::entity::prelude::*;

/// A row of `api_keys`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// `key_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `None`: an operator key.
    pub organization_id: Option<Uuid>,
    /// SHA-256 of the key.
    pub key_hash: Vec<u8>,
    /// Its first characters.
    pub hint: String,
    /// JSON array.
    pub scopes: String,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970 UTC.
    pub expires_at: i64,
    /// Milliseconds since 1970 UTC.
    pub revoked_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
