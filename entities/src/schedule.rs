//! A job that recurs.

use sea_orm::entity::prelude::*;

/// A row of `schedules`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    /// The job kind it enqueues.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Period in milliseconds.
    pub every_ms: i64,
    /// Moved by compare-and-set with the enqueue.
    pub last_due_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
