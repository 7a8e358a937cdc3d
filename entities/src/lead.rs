//! A contact that a shop wants to sell to, made from a conversation.

use sea_orm::entity::prelude::*;

/// A row of `leads`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "leads")]
pub struct Model {
    /// `lea_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// The account.
    pub connection_id: Uuid,
    /// Unique: one lead a conversation.
    pub conversation_id: Uuid,
    /// Shown to people.
    pub name: String,
    /// As the shop wrote it down.
    pub email: Option<String>,
    /// As the shop wrote it down.
    pub phone: Option<String>,
    /// As the shop wrote it down.
    pub note: Option<String>,
    /// `new`, `contacted`, `won` or `lost`.
    pub stage: String,
    /// Who made it.
    pub author_id: Option<Uuid>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970 UTC.
    pub updated_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
