//! What became of one event of a delivery.

use sea_orm::entity::prelude::*;

/// A row of `delivery_events`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery_events")]
pub struct Model {
    /// The delivery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: Uuid,
    /// Position in the delivery, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idx: i32,
    /// What Meta sent, e.g. `message`.
    pub kind: String,
    /// `stored`, `duplicate`, `merged_echo`, `updated`, `ignored`, `unrouted`, `failed`.
    pub outcome: String,
    /// Why, for all but `stored`.
    pub reason: Option<String>,
    /// Meta's `entry.id`.
    pub account_external_id: Option<String>,
    /// The owner, where routed.
    pub organization_id: Option<Uuid>,
    /// The account, where routed.
    pub connection_id: Option<Uuid>,
    /// The message it made or changed.
    pub message_id: Option<Uuid>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
