//! What is known of a message's attachment since it was looked at.

use sea_orm::entity::prelude::*;

/// A row of `attachments`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachments")]
pub struct Model {
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    /// Its place in the message, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// `att_…`
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// The thread.
    pub conversation_id: Uuid,
    /// `available`, `expired`, `refused` or `failed`.
    pub status: String,
    /// A sentence, where there is something to know.
    pub note: Option<String>,
    /// When Meta's address ends, where it says so.
    pub expires_at: Option<i64>,
    /// As Meta's answer said.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: Option<i64>,
    /// A small JPEG.
    pub preview: Option<Vec<u8>>,
    /// Milliseconds since 1970 UTC.
    pub fetched_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
