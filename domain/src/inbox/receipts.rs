//! How far a contact has received and read what we sent: one time each per conversation, which only moves forward. Meta names
//! messages, or a time, or both; a message that it names and we do not know yet leaves a mark.

use super::changes::{Mark, leave_mark};
use super::store::SKEW;
use crate::clock::Millis;
use crate::db::Tx;
use crate::feed::What;
use entities::{conversation, message};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// More ids in one delivery than Meta can have anything new to say of.
const MOST_NAMED: usize = 500;

/// What a contact has done with what we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    Delivered,
    Read,
}

impl Receipt {
    pub(super) const ALL: [Self; 2] = [Self::Delivered, Self::Read];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    fn column(self) -> conversation::Column {
        match self {
            Self::Delivered => conversation::Column::ContactDeliveredAt,
            Self::Read => conversation::Column::ContactReadAt,
        }
    }

    fn until(self, conversation: &conversation::Model) -> Option<Millis> {
        match self {
            Self::Delivered => conversation.contact_delivered_at,
            Self::Read => conversation.contact_read_at,
        }
    }
}

/// When and how a receipt came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Meta's time up to which everything is meant, where it gives one.
    pub watermark: Option<Millis>,
    /// Of the event.
    pub at: Millis,
    /// Of its delivery to us.
    pub received_at: Millis,
}

/// Moves the conversation's time: to Meta's watermark and at least as far as the messages that are named. Whoever has received
/// one of them has received what came before it.
pub(super) async fn apply(
    tx: &Tx,
    conversation: &conversation::Model,
    receipt: Receipt,
    mids: &[String],
    moment: Moment,
) -> Result<(), DbErr> {
    let mids = &mids[..mids.len().min(MOST_NAMED)];
    let known = sent_at(tx, conversation.id, mids).await?;
    for mid in mids.iter().filter(|mid| !known.contains_key(*mid)) {
        leave_mark(tx.conn(), conversation.id, mid, &Mark::Receipt(receipt), moment.received_at).await?;
    }
    // Only where nothing is named does the time of the event tell how far.
    let told = moment.watermark.or(mids.is_empty().then_some(moment.at));
    let told = told.map(|at| at.min(moment.received_at + SKEW));
    match told.max(known.into_values().max()) {
        Some(until) => lift(tx, conversation, receipt, until).await,
        None => Ok(()),
    }
}

/// A message has learnt its id, or that Meta's time of it is `sent_at`: what was said of it before stays said. `was_at`: the
/// time it had, where it counted as sent already.
pub(super) async fn keep(
    tx: &Tx,
    conversation: Uuid,
    marks: &[Mark],
    was_at: Option<Millis>,
    sent_at: Millis,
) -> Result<(), DbErr> {
    let Some(conversation) = conversation::Entity::find_by_id(conversation).one(tx.conn()).await? else {
        return Ok(());
    };
    for receipt in Receipt::ALL {
        let had_it = was_at.zip(receipt.until(&conversation)).is_some_and(|(at, until)| at <= until);
        if had_it || marks.contains(&Mark::Receipt(receipt)) {
            lift(tx, &conversation, receipt, sent_at).await?;
        }
    }
    Ok(())
}

async fn sent_at(tx: &Tx, conversation: Uuid, mids: &[String]) -> Result<HashMap<String, Millis>, DbErr> {
    use message::Column;
    if mids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, Millis)> = message::Entity::find()
        .select_only()
        .columns([Column::ExternalId, Column::SentAt])
        .filter(Column::ConversationId.eq(conversation))
        .filter(Column::Direction.eq("outbound"))
        .filter(Column::ExternalId.is_in(mids))
        .into_tuple()
        .all(tx.conn())
        .await?;
    Ok(rows.into_iter().collect())
}

async fn lift(tx: &Tx, conversation: &conversation::Model, receipt: Receipt, until: Millis) -> Result<(), DbErr> {
    let column = receipt.column();
    let moved = conversation::Entity::update_many()
        .col_expr(column, Expr::value(Some(until)))
        .filter(conversation::Column::Id.eq(conversation.id))
        .filter(Condition::any().add(column.is_null()).add(column.lt(until)))
        .exec(tx.conn())
        .await?;
    if moved.rows_affected == 1 {
        // As it was read: somebody may have moved it since, and what is told then is told twice.
        let since = receipt.until(conversation).unwrap_or(Millis::MIN);
        tx.note(conversation.organization_id, What::Receipts { conversation: conversation.id, since });
    }
    Ok(())
}
