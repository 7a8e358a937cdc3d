//! The automatic reply: decides whether a new message is answered, fixes the words, and writes the outbound message. The
//! unique key on the answered message makes a second reply impossible, however often this runs.

use crate::clock::{DAY, MINUTE, Millis};
use crate::context::Context;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use crate::inbox::lock;
use crate::inbox::threads::window_closes_at;
use crate::outbound;
use crate::plans::Entitled;
use entities::{connection, contact, conversation, message};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryTrait,
};
use uuid::Uuid;

/// Automatic replies in one conversation within [`SHORT`] and within [`LONG`]: two bots talking to each other fall silent.
const SHORT: (Millis, u64) = (10 * MINUTE, 5);
const LONG: (Millis, u64) = (DAY, 20);

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The reply is written as `queued`: send it.
    Reply(Box<message::Model>),
    /// No reply, and why.
    Skip(&'static str),
}

/// Decides about the reply to one message, in the transaction that will also hold the job that sends it.
pub async fn decide(tx: &Tx, ctx: &Context, message_id: Uuid) -> Result<Decision, DbErr> {
    let (db, now) = (tx.conn(), ctx.now());
    let Some(inbound) = message::Entity::find_by_id(message_id).one(db).await? else {
        return Ok(Decision::Skip("message_gone"));
    };
    // What it was answered with, how often, and whether it was unsent, is decided one after the other.
    lock::conversation(db, inbound.conversation_id).await?;
    let Some(inbound) = message::Entity::find_by_id(message_id).one(db).await? else {
        return Ok(Decision::Skip("message_gone"));
    };
    if inbound.direction != "inbound" || inbound.deleted_at.is_some() {
        return Ok(Decision::Skip("not_answerable"));
    }
    let Some(connection) = connection::Entity::find_by_id(inbound.connection_id).one(db).await? else {
        return Ok(Decision::Skip("connection_gone"));
    };
    if let Some(reason) = connection_refuses(db, &connection).await? {
        return Ok(Decision::Skip(reason));
    }
    let found = conversation::Entity::find_by_id(inbound.conversation_id).one(db).await?;
    let Some((conversation, contact)) = with_contact(db, found).await? else {
        return Ok(Decision::Skip("conversation_gone"));
    };
    if window_closes_at(&conversation).is_none_or(|closes| now >= closes) {
        return Ok(Decision::Skip("window_closed"));
    }
    if is_connected_account(db, &contact.external_id).await? {
        return Ok(Decision::Skip("sender_is_a_connected_account"));
    }
    for (span, most) in [SHORT, LONG] {
        if recent_replies(db, conversation.id, now - span).await? >= most {
            return Ok(Decision::Skip("too_many_replies"));
        }
    }
    let Some(template) = connection.auto_reply_text.as_deref().filter(|text| !text.trim().is_empty()) else {
        return Ok(Decision::Skip("no_text"));
    };
    let text = render(template, &connection, &contact);
    let text = meta::text_limit(outbound::route_of(&connection)).truncate(&text).to_owned();
    if text.trim().is_empty() {
        return Ok(Decision::Skip("no_text"));
    }
    let reply = reply_row(&inbound, text, now);
    let insert = message::Entity::insert(reply.clone().into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .into_query()
        .returning_col(message::Column::Id)
        .to_owned();
    if db.query_one(&insert).await?.is_none() {
        return Ok(Decision::Skip("answered_already"));
    }
    Ok(Decision::Reply(Box::new(reply)))
}

async fn connection_refuses(
    db: &impl ConnectionTrait,
    connection: &connection::Model,
) -> Result<Option<&'static str>, DbErr> {
    if connection.auto_reply_mode != "template" {
        return Ok(Some("auto_reply_off"));
    }
    // One that only needs reconnecting may be well again before the window closes: its reply waits.
    if !matches!(connection.status.as_str(), "active" | "needs_reconnect") {
        return Ok(Some("connection_unavailable"));
    }
    let Some(entitled) = Entitled::load(db, OrganizationId(connection.organization_id)).await? else {
        return Ok(Some("organization_gone"));
    };
    if entitled.require_active().is_err() {
        return Ok(Some("subscription_inactive"));
    }
    Ok((!entitled.plan.auto_reply).then_some("feature_required"))
}

async fn with_contact(
    db: &impl ConnectionTrait,
    conversation: Option<conversation::Model>,
) -> Result<Option<(conversation::Model, contact::Model)>, DbErr> {
    let Some(conversation) = conversation else { return Ok(None) };
    let contact = contact::Entity::find_by_id(conversation.contact_id).one(db).await?;
    Ok(contact.map(|contact| (conversation, contact)))
}

/// Our own accounts are not customers: a reply to one could be answered by a reply.
async fn is_connected_account(db: &impl ConnectionTrait, external_id: &str) -> Result<bool, DbErr> {
    let query = connection::Entity::find()
        .filter(connection::Column::Platform.is_in(["instagram", "facebook"]))
        .filter(connection::Column::ExternalId.eq(external_id))
        .filter(connection::Column::Status.ne("disconnected"));
    Ok(query.count(db).await? > 0)
}

async fn recent_replies(db: &impl ConnectionTrait, conversation_id: Uuid, since: Millis) -> Result<u64, DbErr> {
    message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation_id))
        .filter(message::Column::SentAt.gt(since))
        .filter(message::Column::Origin.eq("auto"))
        .count(db)
        .await
}

/// Fills in `{{contact.name}}`, `{{contact.username}}` and `{{account.name}}`; a name that is not known yet leaves nothing
/// behind, and what is not one of these stays as it was written.
fn render(template: &str, connection: &connection::Model, contact: &contact::Model) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((variable, after)) = after.split_once("}}") else {
            text.push_str("{{");
            rest = after;
            continue;
        };
        match variable.trim() {
            "contact.name" => {
                text.push_str(contact.name.as_deref().or(contact.username.as_deref()).unwrap_or_default())
            }
            "contact.username" => text.push_str(contact.username.as_deref().unwrap_or_default()),
            "account.name" => text.push_str(&connection.name),
            _ => text.extend(["{{", variable, "}}"]),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn reply_row(inbound: &message::Model, text: String, now: Millis) -> message::Model {
    message::Model {
        id: new_id(now),
        external_id: None,
        direction: "outbound".to_owned(),
        origin: "auto".to_owned(),
        kind: "text".to_owned(),
        text: Some(text),
        attachments: "[]".to_owned(),
        status: Some("queued".to_owned()),
        answers_id: Some(inbound.id),
        reply_to_external_id: None,
        reactions: "[]".to_owned(),
        extra: None,
        standby: false,
        sent_at: now,
        sending_at: None,
        edited_at: None,
        edits: 0,
        created_at: now,
        ..inbound.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_connection, a_contact};

    #[test]
    fn variables_are_filled_in_and_nothing_else_changes() {
        let (mut connection, mut contact) = (a_connection(), a_contact());
        connection.name = "Blue Shop".to_owned();
        contact.username = Some("ann".to_owned());
        let cases = [
            ("Hi {{contact.name}}!", "Hi ann!"),
            ("{{ account.name }} thanks @{{contact.username}}", "Blue Shop thanks @ann"),
            ("{{unknown}} {{", "{{unknown}} {{"),
            ("{{contact.name", "{{contact.name"),
            ("{{{{contact.name}}}}", "{{{{contact.name}}}}"),
            ("plain", "plain"),
        ];
        for (template, expected) in cases {
            assert_eq!(render(template, &connection, &contact), expected, "{template}");
        }
        contact.name = Some("{{account.name}}".to_owned());
        assert_eq!(render("{{contact.name}}", &connection, &contact), "{{account.name}}", "names are not templates");
    }
}
