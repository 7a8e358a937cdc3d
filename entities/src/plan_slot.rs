//! A place under the plan's account limit, taken by one connection.

use sea_orm::entity::prelude::*;

/// A row of `plan_slots`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plan_slots")]
pub struct Model {
    /// The organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    /// 1 up to the plan's limit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i32,
    /// Unique.
    pub connection_id: Uuid,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
