//! A queue and whether it is paused.

use sea_orm::entity::prelude::*;

/// A row of `queues`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "queues")]
pub struct Model {
    /// `interactive`, `webhooks`, `send`, `maintenance`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Nothing is claimed while true.
    pub paused: bool,
    /// Milliseconds since 1970 UTC.
    pub paused_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
