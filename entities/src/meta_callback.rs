//! A deauthorization or a request to delete data, as Meta signed it.

use sea_orm::entity::prelude::*;

/// A row of `meta_callbacks`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "meta_callbacks")]
pub struct Model {
    /// The job's handle.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `deauthorize` or `data_deletion`.
    pub kind: String,
    /// SHA-256 of the person's app-scoped id.
    pub subject_hash: Vec<u8>,
    /// Unix seconds, as Meta signed it.
    pub issued_at: i64,
    /// What the person is given to ask with.
    pub confirmation_code: String,
    /// `received` or `done`.
    pub status: String,
    /// How many connections it was about.
    pub connections: i32,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// When it was done.
    pub finished_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
