//! Events that change what is there: reactions, edits, unsends, deliveries and reads. One that speaks of a message we have
//! not seen leaves a mark, and the message respects it when it comes.

use crate::clock::Millis;
use entities::{conversation, message, message_mark};
use meta::webhook::{Event, EventBody, ReactionAction};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

/// Applies a change to its conversation; returns the message it touched, if that is known already.
pub async fn apply(
    db: &impl ConnectionTrait,
    event: &Event,
    conversation: &conversation::Model,
    received_at: Millis,
) -> Result<Option<Uuid>, DbErr> {
    let at = event.timestamp_ms.unwrap_or(received_at);
    match &event.body {
        EventBody::Read { watermark_ms, .. } => {
            // Instagram names one message; reading it means having read what came before.
            watermark(db, conversation.id, conversation::Column::ContactReadAt, watermark_ms.unwrap_or(at)).await?;
            Ok(None)
        }
        EventBody::Delivered { watermark_ms, .. } => {
            let to = watermark_ms.unwrap_or(at);
            watermark(db, conversation.id, conversation::Column::ContactDeliveredAt, to).await?;
            Ok(None)
        }
        EventBody::Deleted { mid } => on_message(db, conversation.id, mid, &Mark::Deleted { at }).await,
        EventBody::Edit { mid, text, num_edit } => {
            let number = i32::try_from(*num_edit).unwrap_or(i32::MAX);
            on_message(db, conversation.id, mid, &Mark::Edit { at, number, text: text.clone() }).await
        }
        EventBody::Reaction { mid, action, reaction, emoji } => {
            let by = event.sender.clone().unwrap_or_default();
            let set = *action == ReactionAction::React;
            let (reaction, emoji) = if set { (reaction.clone(), emoji.clone()) } else { (None, None) };
            on_message(db, conversation.id, mid, &Mark::Reaction { at, by, reaction, emoji }).await
        }
        _ => Ok(None),
    }
}

/// What was said of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Deleted { at: Millis },
    Edit { at: Millis, number: i32, text: Option<String> },
    Reaction { at: Millis, by: String, reaction: Option<String>, emoji: Option<String> },
}

impl Mark {
    fn key(&self) -> String {
        match self {
            Self::Deleted { .. } => "deleted".to_owned(),
            Self::Edit { .. } => "edit".to_owned(),
            Self::Reaction { by, .. } => format!("reaction:{by}"),
        }
    }

    fn at(&self) -> Millis {
        match self {
            Self::Deleted { at } | Self::Edit { at, .. } | Self::Reaction { at, .. } => *at,
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Self::Deleted { .. } => None,
            Self::Edit { number, text, .. } => Some(json!({ "number": number, "text": text }).to_string()),
            Self::Reaction { by, reaction, emoji, .. } => {
                Some(json!({ "by": by, "reaction": reaction, "emoji": emoji }).to_string())
            }
        }
    }

    /// Reads a stored mark back; one that cannot be read changes nothing.
    pub(super) fn read(row: &message_mark::Model) -> Option<Self> {
        let value: Value = row.value.as_deref().and_then(|v| serde_json::from_str(v).ok()).unwrap_or_default();
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(match row.mark.as_str() {
            "deleted" => Self::Deleted { at: row.at },
            "edit" => Self::Edit {
                at: row.at,
                number: i32::try_from(value.get("number")?.as_i64()?).ok()?,
                text: text("text"),
            },
            _ => Self::Reaction { at: row.at, by: text("by")?, reaction: text("reaction"), emoji: text("emoji") },
        })
    }

    /// Changes the row; the order in which marks are applied does not matter.
    pub(super) fn change(&self, row: &mut message::Model) {
        match self {
            Self::Deleted { at } => {
                row.kind = "deleted".to_owned();
                row.text = None;
                row.attachments = "[]".to_owned();
                row.extra = None;
                row.deleted_at = Some(row.deleted_at.map_or(*at, |earlier| earlier.min(*at)));
            }
            Self::Edit { at, number, text } => {
                if *number > row.edits {
                    row.edits = *number;
                    row.edited_at = Some(*at);
                    if row.deleted_at.is_none() && text.is_some() {
                        row.text.clone_from(text);
                    }
                }
            }
            Self::Reaction { at, by, reaction, emoji } => {
                let mut all: Vec<Value> = serde_json::from_str(&row.reactions).unwrap_or_default();
                let at_of = |entry: &Value| entry.get("at").and_then(Value::as_i64).unwrap_or_default();
                let is_theirs = |entry: &Value| entry.get("by").and_then(Value::as_str) == Some(by);
                if all.iter().any(|entry| is_theirs(entry) && at_of(entry) > *at) {
                    return;
                }
                all.retain(|entry| !is_theirs(entry));
                // A reaction taken back stays as an entry without emoji, so that an older one cannot come back after it.
                all.push(json!({ "by": by, "reaction": reaction, "emoji": emoji, "at": at }));
                all.sort_by_key(|entry| entry.get("by").and_then(Value::as_str).unwrap_or_default().to_owned());
                row.reactions = Value::from(all).to_string();
            }
        }
    }
}

async fn on_message(
    db: &impl ConnectionTrait,
    conversation_id: Uuid,
    mid: &str,
    mark: &Mark,
) -> Result<Option<Uuid>, DbErr> {
    let found = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::ExternalId.eq(mid))
        .one(db)
        .await?;
    let Some(mut row) = found else {
        leave_mark(db, conversation_id, mid, mark).await?;
        return Ok(None);
    };
    mark.change(&mut row);
    let id = row.id;
    message::Entity::update_many()
        .col_expr(message::Column::Kind, Expr::value(row.kind))
        .col_expr(message::Column::Text, Expr::value(row.text))
        .col_expr(message::Column::Attachments, Expr::value(row.attachments))
        .col_expr(message::Column::Extra, Expr::value(row.extra))
        .col_expr(message::Column::Reactions, Expr::value(row.reactions))
        .col_expr(message::Column::Edits, Expr::value(row.edits))
        .col_expr(message::Column::EditedAt, Expr::value(row.edited_at))
        .col_expr(message::Column::DeletedAt, Expr::value(row.deleted_at))
        .filter(message::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(Some(id))
}

async fn leave_mark(db: &impl ConnectionTrait, conversation_id: Uuid, mid: &str, mark: &Mark) -> Result<(), DbErr> {
    let row = message_mark::ActiveModel {
        conversation_id: Set(conversation_id),
        external_id: Set(mid.to_owned()),
        mark: Set(mark.key()),
        value: Set(mark.value()),
        at: Set(mark.at()),
    };
    // Of two edits or two reactions of one person the later one stands.
    let conflict = OnConflict::columns([
        message_mark::Column::ConversationId,
        message_mark::Column::ExternalId,
        message_mark::Column::Mark,
    ])
    .update_columns([message_mark::Column::Value, message_mark::Column::At])
    .action_and_where(Expr::cust("excluded.at >= message_marks.at"))
    .to_owned();
    message_mark::Entity::insert(row).on_conflict(conflict).exec_without_returning(db).await?;
    Ok(())
}

async fn watermark(
    db: &impl ConnectionTrait,
    conversation_id: Uuid,
    column: conversation::Column,
    at: Millis,
) -> Result<(), DbErr> {
    conversation::Entity::update_many()
        .col_expr(column, Expr::value(Some(at)))
        .filter(conversation::Column::Id.eq(conversation_id))
        .filter(Condition::any().add(column.is_null()).add(column.lt(at)))
        .exec(db)
        .await?;
    Ok(())
}
