//! The life of a message we send: queued → sending → sent, failed or unknown. `sending` is committed before any byte leaves,
//! and what the world tells us (`sent`, with Meta's id) is written by whoever learns it.

use crate::clock::Millis;
use crate::db::Tx;
use crate::feed::What;
use crate::id::new_id;
use crate::inbox::{attachments, by_words, catch_up, lock, refresh};
use crate::usage::Tally;
use crate::window;
use entities::message::Model as Message;
use entities::{connection, contact, conversation, message};
use meta::Route;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryTrait as _, UpdateMany,
};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A message with all that sending it needs.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message as it was read.
    pub message: message::Model,
    /// The account it is sent from.
    pub connection: connection::Model,
    /// Meta's id of the recipient.
    pub recipient: String,
    /// When the contact wrote last; `None`: never.
    pub last_inbound_at: Option<Millis>,
}

impl Outgoing {
    /// Until when Meta lets it be sent at the longest; `None` when the contact has never written.
    pub fn until(&self, human_agent: bool) -> Option<Millis> {
        let span = if self.message.by_hand && human_agent { window::HUMAN_AGENT } else { window::WINDOW };
        self.last_inbound_at.map(|at| at.saturating_add(span))
    }

    /// The file it consists of: type and address.
    pub fn file(&self) -> Option<(String, String)> {
        let all: Vec<Value> = serde_json::from_str(&self.message.attachments).ok()?;
        let text = |name: &str| all.first()?.get(name)?.as_str().map(str::to_owned);
        Some((text("type")?, text("url")?))
    }
}

/// Which of Meta's APIs speaks for a connection.
pub fn route_of(connection: &connection::Model) -> Route {
    match connection.login_route.as_str() {
        "facebook_page" => Route::FacebookPage,
        "instagram_via_page" => Route::InstagramViaPage,
        _ => Route::InstagramLogin,
    }
}

/// Reads a message with its account and recipient.
pub async fn load(db: &impl ConnectionTrait, message_id: Uuid) -> Result<Option<Outgoing>, DbErr> {
    let Some(message) = message::Entity::find_by_id(message_id).one(db).await? else { return Ok(None) };
    let connection = connection::Entity::find_by_id(message.connection_id).one(db).await?;
    let conversation = conversation::Entity::find_by_id(message.conversation_id).one(db).await?;
    let (Some(connection), Some(conversation)) = (connection, conversation) else { return Ok(None) };
    let Some(contact) = contact::Entity::find_by_id(conversation.contact_id).one(db).await? else { return Ok(None) };
    let last_inbound_at = conversation.last_inbound_at;
    Ok(Some(Outgoing { message, connection, recipient: contact.external_id, last_inbound_at }))
}

/// Whether the part before this one was not sent: then this one would make no sense. It has failed, or was queued again since
/// and comes after this one in the lane.
pub async fn earlier_part_failed(db: &impl ConnectionTrait, message: &message::Model) -> Result<bool, DbErr> {
    let Some(group) = message.group_id.filter(|_| message.part > 0) else { return Ok(false) };
    let before = message::Entity::find()
        .filter(message::Column::GroupId.eq(group))
        .filter(message::Column::Part.eq(message.part - 1))
        .one(db)
        .await?;
    Ok(before.is_some_and(|part| matches!(part.status.as_deref(), Some("failed" | "queued"))))
}

/// What a shop reads beside a message whose outcome nobody knows.
pub const UNKNOWN: &str = "It is not known whether this message was sent. It will not be sent again by itself.";

/// The class of a message that an operator has let be, whose outcome is as unknown as before.
pub const DISMISSED: &str = "dismissed";

/// Claims the message for sending: `queued → sending`. False when it is not queued any more.
pub async fn begin(tx: &Tx, message_id: Uuid, now: Millis) -> Result<bool, DbErr> {
    let claim = message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value("sending"))
        .col_expr(message::Column::SendingAt, Expr::value(Some(now)))
        .filter(message::Column::Id.eq(message_id))
        .filter(message::Column::Status.eq("queued"));
    Ok(change(tx, claim).await? == 1)
}

/// What became of a message whose outcome was unknown.
#[derive(Debug)]
pub enum Settled {
    /// There is none of this id.
    Missing,
    /// Its outcome is known: this status.
    NotUnknown(String),
    /// Done; the message as it is now.
    Now(Box<message::Model>),
}

/// An operator's word on a message whose outcome is unknown: `again` queues it, else it counts as not sent.
pub async fn settle_unknown(tx: &Tx, id: Uuid, again: bool) -> Result<Settled, DbErr> {
    let find = || message::Entity::find_by_id(id).filter(message::Column::Direction.eq("outbound"));
    let Some(row) = find().one(tx.conn()).await? else { return Ok(Settled::Missing) };
    lock::conversation(tx.conn(), row.conversation_id).await?;
    let dismissed = Trouble {
        class: DISMISSED.to_owned(),
        code: None,
        sentence: "It is not known whether this message was sent; it was let be.".to_owned(),
    };
    let (status, trouble) = if again { ("queued", None) } else { ("failed", Some(&dismissed)) };
    let changed = moved(tx, id, &["unknown"], status, trouble).await?;
    let Some(row) = find().one(tx.conn()).await? else { return Ok(Settled::Missing) };
    Ok(if changed { Settled::Now(Box::new(row)) } else { Settled::NotUnknown(row.status.unwrap_or_default()) })
}

/// Why a message is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// From the error-class table.
    pub class: String,
    /// Meta's `code/subcode`.
    pub code: Option<String>,
    /// A sentence a shop owner understands.
    pub sentence: String,
}

/// Provably not sent, and to be tried again: back to `queued`, as it was `before` it was on its way.
pub async fn requeue(tx: &Tx, before: &message::Model) -> Result<(), DbErr> {
    let back = message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value("queued"))
        .col_expr(message::Column::SendingAt, Expr::value(before.sending_at))
        .filter(message::Column::Id.eq(before.id))
        // An echo may have settled it meanwhile, and stands.
        .filter(message::Column::Status.eq("sending"));
    change(tx, back).await.map(|_| ())
}

/// Meta refused it: not sent, and never will be. `before`: as it was when it waited.
pub async fn fail(tx: &Tx, before: &message::Model, trouble: &Trouble) -> Result<(), DbErr> {
    not_sent(tx, before, &["queued", "sending"], trouble).await
}

/// Not sent by our own decision; one that is on its way is left alone. `before`: as it was when it waited.
pub async fn refuse(tx: &Tx, before: &message::Model, trouble: &Trouble) -> Result<(), DbErr> {
    not_sent(tx, before, &["queued"], trouble).await
}

/// What waits and has been on its way before was wanted again by an operator: the first time may have been successful, and that
/// is as unknown as it was.
async fn not_sent(tx: &Tx, before: &message::Model, from: &[&str], trouble: &Trouble) -> Result<(), DbErr> {
    if before.sending_at.is_none() {
        return leave(tx, before.id, from, "failed", Some(trouble)).await;
    }
    let sentence = format!("It was not sent again: {} {UNKNOWN}", trouble.sentence);
    let trouble = Trouble { class: "unknown_outcome".to_owned(), code: trouble.code.clone(), sentence };
    leave(tx, before.id, from, "unknown", Some(&trouble)).await
}

/// Nobody can say whether it was sent: shown as such, and never sent again by itself.
pub async fn unknown(tx: &Tx, message_id: Uuid, trouble: &Trouble) -> Result<(), DbErr> {
    leave(tx, message_id, &["sending"], "unknown", Some(trouble)).await
}

async fn leave(tx: &Tx, message_id: Uuid, from: &[&str], status: &str, trouble: Option<&Trouble>) -> Result<(), DbErr> {
    moved(tx, message_id, from, status, trouble).await.map(|_| ())
}

/// False when the message stands elsewhere.
async fn moved(
    tx: &Tx,
    message_id: Uuid,
    from: &[&str],
    status: &str,
    trouble: Option<&Trouble>,
) -> Result<bool, DbErr> {
    let update = message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value(status))
        .col_expr(message::Column::ErrorClass, Expr::value(trouble.map(|t| t.class.clone())))
        .col_expr(message::Column::ErrorCode, Expr::value(trouble.and_then(|t| t.code.clone())))
        .col_expr(message::Column::ErrorMessage, Expr::value(trouble.map(|t| t.sentence.clone())))
        .filter(message::Column::Id.eq(message_id))
        // An echo may have settled it meanwhile, and stands.
        .filter(message::Column::Status.is_in(from.iter().copied()));
    Ok(change(tx, update).await? == 1)
}

/// Changes messages and notes those that it has changed; returns how many.
async fn change(tx: &Tx, update: UpdateMany<message::Entity>) -> Result<usize, DbErr> {
    use message::Column as C;
    let statement = update
        .into_query()
        .returning(Query::returning().columns([C::OrganizationId, C::ConversationId, C::Id]))
        .to_owned();
    let changed = tx.conn().query_all(&statement).await?;
    for row in &changed {
        let what = What::Message { conversation: row.try_get_by_index(1)?, id: row.try_get_by_index(2)? };
        tx.note(row.try_get_by_index(0)?, what);
    }
    Ok(changed.len())
}

/// Meta has it, under this id; `at` is Meta's own time, where it is known. Counts the usage once, takes over from a row that
/// stood for the same message, and gives back an id that was another message's with the same words.
pub async fn sent(tx: &Tx, message_id: Uuid, mid: &str, at: Option<Millis>, now: Millis) -> Result<(), DbErr> {
    let mut tally = Tally::default();
    sent_counted(tx, message_id, mid, at, now, &mut tally).await?;
    tally.write(tx.conn(), now).await
}

/// The same for one of many: the caller writes the tally.
pub(crate) async fn sent_counted(
    tx: &Tx,
    message_id: Uuid,
    mid: &str,
    at: Option<Millis>,
    now: Millis,
    tally: &mut Tally,
) -> Result<(), DbErr> {
    let db = tx.conn();
    let Some(Message { conversation_id, direction, .. }) = message::Entity::find_by_id(message_id).one(db).await?
    else {
        return Ok(());
    };
    if direction != "outbound" {
        return Ok(());
    }
    lock::conversation(db, conversation_id).await?;
    // Read again: it may have changed until the lock was ours.
    let Some(message) = message::Entity::find_by_id(message_id).one(db).await? else { return Ok(()) };
    let holder = message::Entity::find()
        .filter(message::Column::ConversationId.eq(message.conversation_id))
        .filter(message::Column::ExternalId.eq(mid))
        .filter(message::Column::Id.ne(message_id))
        .one(db)
        .await?;
    let stood_in = match holder {
        Some(row) if row.origin == "external" => {
            attachments::remove(db, row.id).await?;
            message::Entity::delete_by_id(row.id).exec(db).await?;
            tx.note_message(&row);
            Some(row)
        }
        Some(row) => {
            mistaken(tx, &row, tally).await?;
            None
        }
        None => None,
    };
    let known_already = message.external_id.as_deref() == Some(mid);
    let meta_time = at.or(stood_in.as_ref().map(|row| row.sent_at));
    let sent_at = meta_time.unwrap_or(if known_already { message.sent_at } else { now });
    mark_sent(tx, message_id, mid, sent_at).await?;
    catch_up(tx, message.clone(), mid, sent_at, stood_in.as_ref()).await?;
    if message.status.as_deref() != Some("sent") {
        count(tally, &message, 1);
    }
    if let Some(other) = message.external_id.as_deref().filter(|other| *other != mid) {
        give_back(tx, &message, other, now, tally).await?;
    }
    refresh(db, &BTreeSet::from([message.conversation_id])).await
}

async fn mark_sent(tx: &Tx, message_id: Uuid, mid: &str, sent_at: Millis) -> Result<(), DbErr> {
    let update = message::Entity::update_many()
        .col_expr(message::Column::ExternalId, Expr::value(Some(mid)))
        .col_expr(message::Column::Status, Expr::value("sent"))
        .col_expr(message::Column::ErrorClass, Expr::value(None::<String>))
        .col_expr(message::Column::ErrorCode, Expr::value(None::<String>))
        .col_expr(message::Column::ErrorMessage, Expr::value(None::<String>))
        .col_expr(message::Column::SentAt, Expr::value(sent_at))
        .filter(message::Column::Id.eq(message_id));
    change(tx, update).await?;
    Ok(())
}

fn count(tally: &mut Tally, message: &message::Model, by: i64) {
    tally.add(message.organization_id, "messages_sent", by);
    if message.origin == "auto" {
        tally.add(message.organization_id, "auto_replies", by);
    }
}

/// An echo with the same words was taken for this message's, and was another's: what became of it is unknown again.
async fn mistaken(tx: &Tx, row: &message::Model, tally: &mut Tally) -> Result<(), DbErr> {
    let update = message::Entity::update_many()
        .col_expr(message::Column::ExternalId, Expr::value(None::<String>))
        .col_expr(message::Column::Status, Expr::value("unknown"))
        .col_expr(message::Column::ErrorClass, Expr::value(Some("unknown_outcome")))
        .col_expr(message::Column::ErrorMessage, Expr::value(Some(UNKNOWN)))
        .filter(message::Column::Id.eq(row.id));
    change(tx, update).await?;
    if row.status.as_deref() == Some("sent") {
        count(tally, row, -1);
    }
    Ok(())
}

/// The id that an echo gave this message belongs to another one with the same words: to one of ours whose outcome is
/// unknown, else to somebody else's.
async fn give_back(
    tx: &Tx,
    message: &message::Model,
    other: &str,
    now: Millis,
    tally: &mut Tally,
) -> Result<(), DbErr> {
    let of_ours = by_words(tx.conn(), message.text.as_deref(), message.conversation_id, message.sent_at).await?;
    if let Some(ours) = of_ours.filter(|row| row.id != message.id) {
        mark_sent(tx, ours.id, other, message.sent_at).await?;
        count(tally, &ours, 1);
        return Ok(());
    }
    let foreign = message::Model {
        id: new_id(now),
        external_id: Some(other.to_owned()),
        origin: "external".to_owned(),
        answers_id: None,
        status: Some("sent".to_owned()),
        ..message.clone()
    };
    tx.note_message(&foreign);
    message::Entity::insert(foreign.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}
