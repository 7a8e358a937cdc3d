//! The one thread between a connected account and a contact.

use sea_orm::entity::prelude::*;

/// A row of `conversations`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    /// `cnv_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// The account.
    pub connection_id: Uuid,
    /// Unique: one conversation a contact.
    pub contact_id: Uuid,
    /// Latest by `sent_at`.
    pub last_message_id: Option<Uuid>,
    /// Sort key of the inbox.
    pub last_activity_at: i64,
    /// Opens Meta's 24-hour window.
    pub last_inbound_at: Option<i64>,
    /// The contact received what was sent up to here.
    pub contact_delivered_at: Option<i64>,
    /// The contact read what was sent up to here.
    pub contact_read_at: Option<i64>,
    /// Inbound messages since the shop last read.
    pub unread_count: i32,
    /// JSON; where the contact first came from.
    pub lead_source_first: Option<String>,
    /// When that was; the earliest wins.
    pub lead_source_first_at: Option<i64>,
    /// JSON; where the contact last came from.
    pub lead_source_last: Option<String>,
    /// When that was; the latest wins.
    pub lead_source_last_at: Option<i64>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
