//! A signed-in browser; holds the hash of its cookie, never the cookie.

use sea_orm::entity::prelude::*;

/// A row of `sessions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Internal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256 of the cookie's value.
    pub token_hash: Vec<u8>,
    /// Who signed in.
    pub user_id: Uuid,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// For the idle limit; moved at most once a minute.
    pub last_seen_at: i64,
    /// The absolute limit.
    pub expires_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
