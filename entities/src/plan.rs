//! A plan and what it allows; the catalogue is data.

use sea_orm::entity::prelude::*;

/// A row of `plans`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plans")]
pub struct Model {
    /// `starter`, `pro`, …
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// Order from small to large; a refusal names the next one that would allow it.
    pub rank: i32,
    /// Accounts in total; `None` is no limit.
    pub accounts_limit: Option<i32>,
    /// May connect Instagram accounts.
    pub instagram: bool,
    /// May reply automatically.
    pub auto_reply: bool,
    /// Sending by hand, templates, scheduled messages and leads on Instagram.
    pub instagram_messaging: bool,
    /// US cents a month, where published.
    pub price_cents: Option<i32>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
