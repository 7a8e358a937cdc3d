//! Words a shop uses again: by hand, at a later time, or as an automatic reply.

use sea_orm::entity::prelude::*;

/// A row of `templates`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "templates")]
pub struct Model {
    /// `tpl_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// Unique within the organization.
    pub name: String,
    /// With variables such as `{{contact.name}}`.
    pub text: String,
    /// JSON array of words that this template answers.
    pub keywords: String,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970 UTC.
    pub updated_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
