//! Sending stopped for one account, or for all of a platform, until a time.

use sea_orm::entity::prelude::*;

/// A row of `holds`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "holds")]
pub struct Model {
    /// Internal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `connection:<uuid>` or `app:<platform>`; unique.
    pub subject: String,
    /// For an account.
    pub connection_id: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// When sending may go on.
    pub until_at: i64,
    /// How long it was for; doubled when the next throttle follows soon.
    pub pause_ms: i64,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
