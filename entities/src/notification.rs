//! What the owner must know and has been told once.

use sea_orm::entity::prelude::*;

/// A row of `notifications`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    /// `ntf_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whom it is for.
    pub organization_id: Uuid,
    /// The account it is about.
    pub connection_id: Option<Uuid>,
    /// `needs_reconnect`, `restricted`, `over_plan` or `webhooks_off`.
    pub kind: String,
    /// Unique: what was said once is not said again.
    pub dedupe_key: String,
    /// A sentence for the owner.
    pub text: String,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
