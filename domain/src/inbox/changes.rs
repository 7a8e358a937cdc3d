//! Events that change what is there: reactions, edits, unsends, deliveries and reads. One that speaks of a message we have
//! not seen leaves a mark, and the message respects it when it comes.

use super::receipts::{Moment, Receipt};
use super::store::CHUNK;
use super::{attachments, receipts};
use crate::clock::Millis;
use crate::db::Tx;
use entities::{conversation, message, message_mark};
use meta::webhook::{Event, EventBody, ReactionAction};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Applies a change, of the time `at`, to its conversation; returns the message it touched, if that is known already.
pub async fn apply(
    tx: &Tx,
    event: &Event,
    conversation: &conversation::Model,
    at: Millis,
    received_at: Millis,
) -> Result<Option<Uuid>, DbErr> {
    let moment = |watermark: &Option<Millis>| Moment { watermark: *watermark, at, received_at };
    let mark = match &event.body {
        EventBody::Read { mid, watermark_ms } => {
            let moment = moment(watermark_ms);
            receipts::apply(tx, conversation, Receipt::Read, mid.as_slice(), moment).await?;
            return Ok(None);
        }
        EventBody::Delivered { mids, watermark_ms } => {
            receipts::apply(tx, conversation, Receipt::Delivered, mids, moment(watermark_ms)).await?;
            return Ok(None);
        }
        EventBody::Deleted { mid } => (mid, Mark::Deleted { at }),
        EventBody::Edit { mid, text, num_edit } => {
            let number = i32::try_from(*num_edit).unwrap_or(i32::MAX);
            (mid, Mark::Edit { at, number, text: text.clone() })
        }
        EventBody::Reaction { mid, action, reaction, emoji } => {
            let by = event.sender.clone().unwrap_or_default();
            let set = *action == ReactionAction::React;
            let (reaction, emoji) = if set { (reaction.clone(), emoji.clone()) } else { (None, None) };
            (mid, Mark::Reaction { at, by, reaction, emoji })
        }
        _ => return Ok(None),
    };
    on_message(tx, conversation.id, mark.0, &mark.1, received_at).await
}

/// What was said of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Deleted {
        at: Millis,
    },
    Edit {
        at: Millis,
        number: i32,
        text: Option<String>,
    },
    Reaction {
        at: Millis,
        by: String,
        reaction: Option<String>,
        emoji: Option<String>,
    },
    /// Changes the conversation, once the message is known to be ours.
    Receipt(Receipt),
}

impl Mark {
    fn key(&self) -> String {
        match self {
            Self::Deleted { .. } => "deleted".to_owned(),
            Self::Edit { .. } => "edit".to_owned(),
            Self::Reaction { by, .. } => format!("reaction:{by}"),
            Self::Receipt(receipt) => receipt.as_str().to_owned(),
        }
    }

    /// Which of two marks stands; equal ones are decided by their value, never by which came first.
    fn rank(&self) -> i64 {
        match self {
            // The first unsend is the one that counts.
            Self::Deleted { at } => -at,
            Self::Edit { number, .. } => i64::from(*number),
            Self::Reaction { at, .. } => *at,
            Self::Receipt(_) => 0,
        }
    }

    fn value(&self) -> String {
        match self {
            Self::Deleted { .. } | Self::Receipt(_) => "{}".to_owned(),
            Self::Edit { at, text, .. } => json!({ "at": at, "text": text }).to_string(),
            Self::Reaction { by, reaction, emoji, .. } => reaction_value(by, reaction.as_deref(), emoji.as_deref()),
        }
    }

    /// Reads a stored mark back; one that cannot be read changes nothing.
    pub(super) fn read(row: &message_mark::Model) -> Option<Self> {
        let value: Value = row.value.as_deref().and_then(|v| serde_json::from_str(v).ok()).unwrap_or_default();
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(receipt) = Receipt::ALL.into_iter().find(|receipt| receipt.as_str() == row.mark) {
            return Some(Self::Receipt(receipt));
        }
        Some(match row.mark.as_str() {
            "deleted" => Self::Deleted { at: -row.rank },
            "edit" => {
                Self::Edit { at: value.get("at")?.as_i64()?, number: i32::try_from(row.rank).ok()?, text: text("text") }
            }
            _ => Self::Reaction { at: row.rank, by: text("by")?, reaction: text("reaction"), emoji: text("emoji") },
        })
    }

    /// Changes the row; the order in which marks are applied does not matter.
    pub(super) fn change(&self, row: &mut message::Model) {
        match self {
            Self::Receipt(_) => {}
            Self::Deleted { at } => {
                row.kind = "deleted".to_owned();
                row.text = None;
                row.attachments = "[]".to_owned();
                row.extra = None;
                row.deleted_at = Some(row.deleted_at.map_or(*at, |earlier| earlier.min(*at)));
            }
            Self::Edit { at, number, text } => {
                // Where Meta does not number them, the later one stands, and the same one again changes nothing.
                let later = *number == row.edits && Some(*at) > row.edited_at && row.deleted_at.is_none();
                if *number > row.edits || (later && *text != row.text) {
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
                let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
                let value_of = |entry: &Value| {
                    reaction_value(by, text(entry, "reaction").as_deref(), text(entry, "emoji").as_deref())
                };
                let stands = |entry: &Value| (at_of(entry), value_of(entry)) > (*at, self.value());
                if all.iter().any(|entry| is_theirs(entry) && stands(entry)) {
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

/// Changes new messages as was said of them before they came.
pub(super) async fn respect(
    tx: &Tx,
    waiting: &mut [(usize, message::Model, bool)],
    conversations: &BTreeSet<Uuid>,
) -> Result<(), DbErr> {
    let mids: BTreeSet<&str> = waiting.iter().filter_map(|(_, row, _)| row.external_id.as_deref()).collect();
    let (conversations, mids): (Vec<Uuid>, Vec<&str>) =
        (conversations.iter().copied().collect(), mids.into_iter().collect());
    let mut marks: HashMap<(Uuid, String), Vec<Mark>> = HashMap::new();
    for some in conversations.chunks(CHUNK) {
        for mids in mids.chunks(CHUNK) {
            let rows = message_mark::Entity::find()
                .filter(message_mark::Column::ConversationId.is_in(some.iter().copied()))
                .filter(message_mark::Column::ExternalId.is_in(mids.iter().copied()))
                .all(tx.conn())
                .await?;
            for row in rows {
                if let Some(mark) = Mark::read(&row) {
                    marks.entry((row.conversation_id, row.external_id)).or_default().push(mark);
                }
            }
        }
    }
    if marks.is_empty() {
        return Ok(());
    }
    for (_, row, _) in waiting {
        let key = (row.conversation_id, row.external_id.clone().unwrap_or_default());
        let Some(marks) = marks.get(&key) else { continue };
        marks.iter().for_each(|mark| mark.change(row));
        if row.direction == "outbound" {
            receipts::keep(tx, row.conversation_id, marks, None, row.sent_at).await?;
        }
    }
    Ok(())
}

/// The order of two reactions of the same moment, and what a mark keeps of one.
fn reaction_value(by: &str, reaction: Option<&str>, emoji: Option<&str>) -> String {
    json!({ "by": by, "reaction": reaction, "emoji": emoji }).to_string()
}

async fn on_message(
    tx: &Tx,
    conversation_id: Uuid,
    mid: &str,
    mark: &Mark,
    received_at: Millis,
) -> Result<Option<Uuid>, DbErr> {
    let db = tx.conn();
    let found = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::ExternalId.eq(mid))
        .one(db)
        .await?;
    let Some(mut row) = found else {
        leave_mark(db, conversation_id, mid, mark, received_at).await?;
        return Ok(None);
    };
    mark.change(&mut row);
    let id = row.id;
    write_changed(tx, row).await?;
    if matches!(mark, Mark::Deleted { .. }) {
        attachments::remove(db, id).await?;
    }
    Ok(Some(id))
}

/// Writes the columns that marks change.
async fn write_changed(tx: &Tx, row: message::Model) -> Result<(), DbErr> {
    tx.note_message(&row);
    message::Entity::update_many()
        .col_expr(message::Column::Kind, Expr::value(row.kind))
        .col_expr(message::Column::Text, Expr::value(row.text))
        .col_expr(message::Column::Attachments, Expr::value(row.attachments))
        .col_expr(message::Column::Extra, Expr::value(row.extra))
        .col_expr(message::Column::Reactions, Expr::value(row.reactions))
        .col_expr(message::Column::Edits, Expr::value(row.edits))
        .col_expr(message::Column::EditedAt, Expr::value(row.edited_at))
        .col_expr(message::Column::DeletedAt, Expr::value(row.deleted_at))
        .filter(message::Column::Id.eq(row.id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// One of our messages, as it was, has just learnt its id or Meta's time, `sent_at`: what was said of that id before, as marks
/// or of a row that stood for the same message, is said of it.
pub async fn catch_up(
    tx: &Tx,
    mut ours: message::Model,
    mid: &str,
    sent_at: Millis,
    stood_in: Option<&message::Model>,
) -> Result<(), DbErr> {
    let marks = message_mark::Entity::find()
        .filter(message_mark::Column::ConversationId.eq(ours.conversation_id))
        .filter(message_mark::Column::ExternalId.eq(mid))
        .all(tx.conn())
        .await?;
    let marks: Vec<Mark> = marks.iter().filter_map(Mark::read).collect();
    let was_at = (ours.status.as_deref() == Some("sent")).then_some(ours.sent_at);
    if was_at.is_some() || !marks.is_empty() {
        receipts::keep(tx, ours.conversation_id, &marks, was_at, sent_at).await?;
    }
    if marks.is_empty() && stood_in.is_none() {
        return Ok(());
    }
    if let Some(row) = stood_in {
        ours.reactions.clone_from(&row.reactions);
        if row.edits > 0 {
            (ours.edits, ours.edited_at) = (row.edits, row.edited_at);
            ours.text.clone_from(&row.text);
        }
        if let Some(at) = row.deleted_at {
            Mark::Deleted { at }.change(&mut ours);
        }
    }
    marks.iter().for_each(|mark| mark.change(&mut ours));
    write_changed(tx, ours).await
}

pub(super) async fn leave_mark(
    db: &impl ConnectionTrait,
    conversation_id: Uuid,
    mid: &str,
    mark: &Mark,
    received_at: Millis,
) -> Result<(), DbErr> {
    let row = message_mark::ActiveModel {
        conversation_id: Set(conversation_id),
        external_id: Set(mid.to_owned()),
        mark: Set(mark.key()),
        value: Set(Some(mark.value())),
        rank: Set(mark.rank()),
        created_at: Set(received_at),
    };
    let stands = "excluded.rank > message_marks.rank \
                  OR (excluded.rank = message_marks.rank AND excluded.value > message_marks.value)";
    let conflict = OnConflict::columns([
        message_mark::Column::ConversationId,
        message_mark::Column::ExternalId,
        message_mark::Column::Mark,
    ])
    .update_columns([message_mark::Column::Value, message_mark::Column::Rank])
    .action_and_where(Expr::cust(stands))
    .to_owned();
    message_mark::Entity::insert(row).on_conflict(conflict).exec_without_returning(db).await?;
    Ok(())
}
