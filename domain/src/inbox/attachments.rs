//! What is known of the files of messages: whether Meta still has them, what they are, and a small picture. A message stands
//! whatever becomes of its files; what a person unsends is removed with them.

use super::lock;
use crate::clock::Millis;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use entities::attachment::{ActiveModel, Column, Entity};
use entities::message;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, DerivePartialModel, EntityTrait, QueryFilter, QuerySelect,
};
use serde_json::Value;
use uuid::Uuid;

/// Meta's type of a link to a page that somebody has put into a message: it is no file, and lies anywhere.
pub const LINK: &str = "fallback";

/// A file of a message that has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its place in the message, from 0.
    pub position: i32,
    /// Meta's type.
    pub kind: String,
    /// Where it is.
    pub url: String,
}

/// What was found out about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// `available`, `expired`, `refused` or `failed`.
    pub status: &'static str,
    /// A sentence, where there is something to know.
    pub note: Option<String>,
    /// When its address ends.
    pub expires_at: Option<Millis>,
    /// As Meta's answer said.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: Option<i64>,
    /// A small JPEG.
    pub preview: Option<Vec<u8>>,
}

/// What is known of a file, without the picture.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity", from_query_result)]
pub struct Known {
    /// The message.
    pub message_id: Uuid,
    /// Its place in the message.
    pub position: i32,
    /// `att_…`
    pub id: Uuid,
    /// `available`, `expired`, `refused` or `failed`.
    pub status: String,
    /// A sentence.
    pub note: Option<String>,
    /// When its address ends.
    pub expires_at: Option<i64>,
    /// As Meta's answer said.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: Option<i64>,
    /// Whether there is a small picture.
    #[sea_orm(from_expr = "Column::Preview.is_not_null()")]
    pub has_preview: bool,
}

/// The files of a message that have an address.
pub fn named(message: &message::Model) -> Vec<Named> {
    let all: Vec<Value> = serde_json::from_str(&message.attachments).unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let read = |(position, value): (i32, &Value)| {
        let kind = text(value, "type").unwrap_or_else(|| "file".to_owned());
        text(value, "url").filter(|_| kind != LINK).map(|url| Named { position, kind, url })
    };
    (0..).zip(&all).filter_map(read).collect()
}

/// What is known of the files of some messages.
pub async fn known(db: &impl ConnectionTrait, messages: impl IntoIterator<Item = Uuid>) -> Result<Vec<Known>, DbErr> {
    let ids: Vec<Uuid> = messages.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find().filter(Column::MessageId.is_in(ids)).into_partial_model::<Known>().all(db).await
}

/// Writes down what was found out about a file, unless its message was unsent meanwhile.
pub async fn write(tx: &Tx, message: &message::Model, position: i32, looked: Looked, now: Millis) -> Result<(), DbErr> {
    lock::conversation(tx.conn(), message.conversation_id).await?;
    let row = message::Entity::find_by_id(message.id).one(tx.conn()).await?;
    if row.is_none_or(|row| row.deleted_at.is_some()) {
        return Ok(());
    }
    tx.note_message(message);
    let row = ActiveModel {
        message_id: Set(message.id),
        position: Set(position),
        id: Set(new_id(now)),
        organization_id: Set(message.organization_id),
        conversation_id: Set(message.conversation_id),
        status: Set(looked.status.to_owned()),
        note: Set(looked.note),
        expires_at: Set(looked.expires_at),
        content_type: Set(looked.content_type),
        bytes: Set(looked.bytes),
        preview: Set(looked.preview),
        fetched_at: Set(now),
    };
    let again = OnConflict::columns([Column::MessageId, Column::Position])
        .update_columns([
            Column::Status,
            Column::Note,
            Column::ExpiresAt,
            Column::ContentType,
            Column::Bytes,
            Column::Preview,
            Column::FetchedAt,
        ])
        .to_owned();
    Entity::insert(row).on_conflict(again).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The small picture of a file; a foreign one is `None`, like a missing one.
pub async fn preview(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Option<Vec<u8>>, DbErr> {
    let found: Option<Option<Vec<u8>>> = Entity::find()
        .select_only()
        .column(Column::Preview)
        .filter(Column::Id.eq(id))
        .filter(Column::OrganizationId.eq(organization.0))
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.flatten())
}

/// Removes what is known of a message's files, pictures with it.
pub(crate) async fn remove(db: &impl ConnectionTrait, message: Uuid) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::MessageId.eq(message)).exec(db).await?;
    Ok(())
}
