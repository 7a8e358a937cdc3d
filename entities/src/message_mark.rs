//! What Meta said of a message we have not seen yet: applied when the message arrives.

use sea_orm::entity::prelude::*;

/// A row of `message_marks`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_marks")]
pub struct Model {
    /// The thread.
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    /// The mid it speaks of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    /// `deleted`, `edit`, or `reaction:<person>`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mark: String,
    /// JSON.
    pub value: Option<String>,
    /// Which of two marks stands: the event's time, for an edit its number.
    pub rank: i64,
    /// When it was left.
    pub created_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
