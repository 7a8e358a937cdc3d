//! A customer as one connected account sees them.

use sea_orm::entity::prelude::*;

/// A row of `contacts`.
#[derive(Clone, Debug, PartialEq, Eq, Default, DeriveEntityModel)]
#[sea_orm(table_name = "contacts")]
pub struct Model {
    /// Internal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// The account they wrote to.
    pub connection_id: Uuid,
    /// IGSID or PSID.
    pub external_id: String,
    /// From the profile, once fetched.
    pub name: Option<String>,
    /// Without `@`.
    pub username: Option<String>,
    /// An address of Meta that expires.
    pub picture_url: Option<String>,
    /// `known` or `refused`, once Meta was asked.
    pub profile_state: Option<String>,
    /// When it was asked last.
    pub profile_at: Option<i64>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
