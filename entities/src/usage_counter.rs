//! What an organization used in a month.

use sea_orm::entity::prelude::*;

/// A row of `usage_counters`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_counters")]
pub struct Model {
    /// The organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    /// `2026-11`, UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub month: String,
    /// `messages_received`, `messages_sent`, `auto_replies`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub metric: String,
    /// So many.
    pub count: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
