//! A message that is to be sent at a later time.

use sea_orm::entity::prelude::*;

/// A row of `scheduled_messages`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scheduled_messages")]
pub struct Model {
    /// `sch_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// The account.
    pub connection_id: Uuid,
    /// The thread.
    pub conversation_id: Uuid,
    /// The words, unless a template has them.
    pub text: Option<String>,
    /// Whose words are read when it falls due.
    pub template_id: Option<Uuid>,
    /// When it is to be sent.
    pub due_at: i64,
    /// `scheduled`, `released`, `failed` or `cancelled`.
    pub status: String,
    /// Goes up with each change.
    pub version: i32,
    /// The first message it became.
    pub message_id: Option<Uuid>,
    /// Who scheduled it.
    pub author_id: Option<Uuid>,
    /// Why it failed.
    pub error_class: Option<String>,
    /// The same as a sentence.
    pub error_message: Option<String>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970 UTC.
    pub updated_at: i64,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
