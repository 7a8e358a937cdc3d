//! What is kept beside the messages so that lists are cheap: last activity, unread counts, the window, lead sources, usage.
//! Each statement takes a maximum, a minimum or a sum, so that the order of events does not matter.

use crate::clock::{Millis, SECOND};
use entities::{connection, conversation, message};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, LockBehavior, LockType, NullOrdering, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Points each conversation at its latest message: by time, then by Meta's id.
pub async fn refresh(db: &impl ConnectionTrait, conversations: &BTreeSet<Uuid>) -> Result<(), DbErr> {
    for id in conversations {
        let latest = |column| {
            Query::select()
                .column(column)
                .from(message::Entity)
                .and_where(message::Column::ConversationId.eq(*id))
                .order_by(message::Column::SentAt, Order::Desc)
                .order_by_with_nulls(message::Column::ExternalId, Order::Desc, NullOrdering::Last)
                .order_by(message::Column::Id, Order::Desc)
                .limit(1)
                .to_owned()
        };
        conversation::Entity::update_many()
            .col_expr(conversation::Column::LastMessageId, subquery(latest(message::Column::Id)))
            .col_expr(conversation::Column::LastActivityAt, subquery(latest(message::Column::SentAt)))
            .filter(conversation::Column::Id.eq(*id))
            .exec(db)
            .await?;
    }
    Ok(())
}

fn subquery(select: sea_orm::sea_query::SelectStatement) -> Expr {
    Expr::SubQuery(None, Box::new(select.into()))
}

/// One more unread message; its time may open the window.
pub(super) async fn unread(db: &impl ConnectionTrait, conversation_id: Uuid, sent_at: Millis) -> Result<(), DbErr> {
    let inbound = || Expr::col(conversation::Column::LastInboundAt);
    let later = CaseStatement::new()
        .case(Condition::any().add(inbound().is_null()).add(inbound().lt(sent_at)), Expr::value(sent_at))
        .finally(inbound());
    conversation::Entity::update_many()
        .col_expr(conversation::Column::UnreadCount, Expr::cust("unread_count + 1"))
        .col_expr(conversation::Column::LastInboundAt, later.into())
        .filter(conversation::Column::Id.eq(conversation_id))
        .exec(db)
        .await?;
    Ok(())
}

/// Something the contact did opens Meta's window as a message would.
pub(super) async fn window_opens(db: &impl ConnectionTrait, conversation_id: Uuid, at: Millis) -> Result<(), DbErr> {
    let inbound = conversation::Column::LastInboundAt;
    conversation::Entity::update_many()
        .col_expr(inbound, Expr::value(Some(at)))
        .filter(conversation::Column::Id.eq(conversation_id))
        .filter(Condition::any().add(inbound.is_null()).add(inbound.lt(at)))
        .exec(db)
        .await?;
    Ok(())
}

/// Keeps the earliest and the latest lead source.
pub(super) async fn lead_source(
    db: &impl ConnectionTrait,
    conversation_id: Uuid,
    source: &Value,
    at: Millis,
) -> Result<(), DbErr> {
    use conversation::Column as C;
    // Of two in the same moment the text decides, never which came first.
    let text = source.to_string();
    conversation::Entity::update_many()
        .col_expr(C::LeadSourceFirst, Expr::value(Some(text.clone())))
        .col_expr(C::LeadSourceFirstAt, Expr::value(Some(at)))
        .filter(C::Id.eq(conversation_id))
        .filter(
            Condition::any()
                .add(C::LeadSourceFirstAt.is_null())
                .add(C::LeadSourceFirstAt.gt(at))
                .add(Condition::all().add(C::LeadSourceFirstAt.eq(at)).add(C::LeadSourceFirst.gt(text.clone()))),
        )
        .exec(db)
        .await?;
    conversation::Entity::update_many()
        .col_expr(C::LeadSourceLast, Expr::value(Some(text.clone())))
        .col_expr(C::LeadSourceLastAt, Expr::value(Some(at)))
        .filter(C::Id.eq(conversation_id))
        .filter(
            Condition::any()
                .add(C::LeadSourceLastAt.is_null())
                .add(C::LeadSourceLastAt.lt(at))
                .add(Condition::all().add(C::LeadSourceLastAt.eq(at)).add(C::LeadSourceLast.lt(text.clone()))),
        )
        .exec(db)
        .await?;
    Ok(())
}

/// Notes that Meta delivered something; once a second is enough, and spares the row. A row that is locked is just being
/// noted by another process, or belongs to an account that is being changed: nobody waits for it.
pub(super) async fn webhook_seen(
    db: &impl ConnectionTrait,
    connections: impl Iterator<Item = Uuid>,
    now: Millis,
) -> Result<(), DbErr> {
    use connection::Column as C;
    let ids: BTreeSet<Uuid> = connections.collect();
    if ids.is_empty() {
        return Ok(());
    }
    let stale = Query::select()
        .column(C::Id)
        .from(connection::Entity)
        .and_where(C::Id.is_in(ids))
        .cond_where(Condition::any().add(C::LastWebhookAt.is_null()).add(C::LastWebhookAt.lt(now - SECOND)))
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .to_owned();
    connection::Entity::update_many()
        .col_expr(C::LastWebhookAt, Expr::value(Some(now)))
        .filter(C::Id.in_subquery(stale))
        .exec(db)
        .await?;
    Ok(())
}
