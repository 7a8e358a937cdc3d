//! Failed sign-ins per account and per address within the current window.

use sea_orm::entity::prelude::*;

/// A row of `sign_in_failures`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_failures")]
pub struct Model {
    /// `account:<sha-256>` or `address:<ip>`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// In this window.
    pub failures: i32,
    /// Milliseconds since 1970 UTC.
    pub window_started_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
