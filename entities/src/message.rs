//! A message in either direction, of any kind.

use sea_orm::entity::prelude::*;

/// A row of `messages`.
#[derive(Clone, Debug, PartialEq, Eq, Default, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    /// `msg_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// The account.
    pub connection_id: Uuid,
    /// The thread.
    pub conversation_id: Uuid,
    /// Meta's mid; unique within the conversation.
    pub external_id: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// `contact`, `auto`, `person`, or `external` (typed in Meta's own apps or sent by another tool).
    pub origin: String,
    /// `text`, `image`, … `deleted`; see the contract.
    pub kind: String,
    /// UTF-8 without NUL.
    pub text: Option<String>,
    /// JSON array of `{type,url,title,externalId}`.
    pub attachments: String,
    /// Outbound only: `queued`, `sending`, `sent`, `failed`, `unknown`.
    pub status: Option<String>,
    /// The inbound message an automatic reply answers; unique for origin `auto`.
    pub answers_id: Option<Uuid>,
    /// The mid this message quotes.
    pub reply_to_external_id: Option<String>,
    /// JSON array of `{by,reaction,emoji}`.
    pub reactions: String,
    /// JSON: quick reply, postback payload, story, referral.
    pub extra: Option<String>,
    /// Another app owned the thread.
    pub standby: bool,
    /// Of a failed or unknown send.
    pub error_class: Option<String>,
    /// Meta's `code/subcode`.
    pub error_code: Option<String>,
    /// A sentence a shop owner understands.
    pub error_message: Option<String>,
    /// When it was written; Meta's time where known.
    pub sent_at: i64,
    /// When the send was claimed.
    pub sending_at: Option<i64>,
    /// Last edit.
    pub edited_at: Option<i64>,
    /// Number of the last edit.
    pub edits: i32,
    /// Unsent by its author; text and attachments are gone.
    pub deleted_at: Option<i64>,
    /// When we stored it.
    pub created_at: i64,
    /// The person of the shop who wrote it.
    pub author_id: Option<Uuid>,
    /// Typed by a person and sent at once.
    pub by_hand: bool,
    /// The first part of a text that was sent in several.
    pub group_id: Option<Uuid>,
    /// From 0.
    pub part: i32,
    /// Whose words it has.
    pub template_id: Option<Uuid>,
    /// Read back from Meta after an outage.
    pub reconciled: bool,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
