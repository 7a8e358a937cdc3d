//! An account whose data was deleted: what Meta still delivers for it is not kept.

use sea_orm::entity::prelude::*;

/// A row of `tombstones`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tombstones")]
pub struct Model {
    /// SHA-256 of platform and external id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_hash: Vec<u8>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
