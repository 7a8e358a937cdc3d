//! Turns an event into a message row: its kind, its text, its attachments and what else is worth keeping.
//! Pure, so that every shape Meta sends can be tested without a database.

use super::store::Routed;
use crate::id::new_id;
use entities::message;
use meta::webhook::{Event, EventBody, Message, Referral};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Stored text is bounded far above what Meta lets a person write.
const TEXT_CHARACTERS: usize = 20_000;
const URL_CHARACTERS: usize = 4_000;
/// What else Meta says of an attachment (a place, a booking, products) is kept up to this size.
const PAYLOAD_BYTES: usize = 16_384;

/// The message row of an event, or `None` for events that make no message.
pub fn message_row(routed: &Routed<'_>, conversation_id: Uuid) -> Option<message::Model> {
    let Routed { connection, event, received_at } = *routed;
    let sent_at = routed.at();
    let base = |mid: String, kind: &str| message::Model {
        id: new_id(received_at),
        organization_id: connection.organization_id,
        connection_id: connection.id,
        conversation_id,
        external_id: Some(mid),
        direction: "inbound".to_owned(),
        origin: "contact".to_owned(),
        kind: kind.to_owned(),
        text: None,
        attachments: "[]".to_owned(),
        status: None,
        answers_id: None,
        reply_to_external_id: None,
        reactions: "[]".to_owned(),
        extra: None,
        standby: event.standby,
        error_class: None,
        error_code: None,
        error_message: None,
        sent_at,
        sending_at: None,
        edited_at: None,
        edits: 0,
        deleted_at: None,
        created_at: received_at,
        author_id: None,
        by_hand: false,
        group_id: None,
        part: 0,
        template_id: None,
        reconciled: false,
    };
    match &event.body {
        EventBody::Message(message) => {
            let mid = message.mid.clone().unwrap_or_else(|| substitute_mid(event));
            let row = base(mid, message.kind().as_str());
            Some(fill(row, message, routed.is_echo()))
        }
        EventBody::Postback { mid, title, payload, referral } => {
            let mid = mid.clone().unwrap_or_else(|| substitute_mid(event));
            let mut extra = Map::new();
            if let Some(payload) = payload {
                extra.insert("postbackPayload".to_owned(), json!(bounded(payload, TEXT_CHARACTERS)));
            }
            if let Some(referral) = referral {
                extra.insert("referral".to_owned(), lead_source(referral));
            }
            Some(message::Model {
                text: title.as_deref().map(|text| bounded(text, TEXT_CHARACTERS)),
                extra: some_object(extra),
                ..base(mid, "postback")
            })
        }
        _ => None,
    }
}

fn fill(row: message::Model, message: &Message, outbound: bool) -> message::Model {
    let mut extra = Map::new();
    if let Some(payload) = &message.quick_reply_payload {
        extra.insert("quickReplyPayload".to_owned(), json!(bounded(payload, TEXT_CHARACTERS)));
    }
    if let Some(story) = message.reply_to.as_ref().and_then(|reply| reply.story.as_ref()) {
        let url = story.url.as_deref().map(|url| bounded(url, URL_CHARACTERS));
        extra.insert("story".to_owned(), json!({ "id": story.id, "url": url }));
    }
    if let Some(referral) = &message.referral {
        extra.insert("referral".to_owned(), lead_source(referral));
    }
    if let Some(app_id) = message.app_id.as_ref().filter(|_| outbound) {
        extra.insert("appId".to_owned(), json!(app_id));
    }
    let attachments: Vec<Value> = message
        .attachments
        .iter()
        .map(|attachment| {
            json!({
                "type": attachment.kind,
                "url": attachment.url.as_deref().map(|url| bounded(url, URL_CHARACTERS)),
                "title": attachment.title.as_deref().map(|title| bounded(title, TEXT_CHARACTERS)),
                "externalId": attachment.id,
                "payload": Some(&attachment.payload).filter(|rest| rest.to_string().len() <= PAYLOAD_BYTES),
            })
        })
        .collect();
    message::Model {
        direction: if outbound { "outbound" } else { "inbound" }.to_owned(),
        origin: if outbound { "external" } else { "contact" }.to_owned(),
        status: outbound.then(|| "sent".to_owned()),
        text: message.text.as_deref().map(|text| bounded(text, TEXT_CHARACTERS)),
        attachments: Value::from(attachments).to_string(),
        reply_to_external_id: message.reply_to.as_ref().and_then(|reply| reply.mid.clone()),
        extra: some_object(extra),
        ..row
    }
}

/// Where a contact came from, as the contract shows it.
pub fn lead_source(referral: &Referral) -> Value {
    let kind = match (referral.source.as_deref(), referral.ad_id.as_deref()) {
        (Some("ADS"), _) | (_, Some(_)) => "ad",
        (Some("SHORTLINK" | "IGME-SOURCE-LINK" | "IGME_LINK"), _) => "link",
        _ if referral.product_id.is_some() => "product",
        _ => "referral",
    };
    json!({
        "type": kind,
        "ref": referral.ref_,
        "source": referral.source,
        "adId": referral.ad_id,
        "adTitle": referral.ad_title,
        "productId": referral.product_id,
        "postId": referral.post_id,
        "refererUri": referral.referer_uri.as_deref().map(|uri| bounded(uri, URL_CHARACTERS)),
    })
}

/// Begins an id of our own making, for a message to which Meta gave none.
pub const WITHOUT_MID: &str = "without-mid:";

/// Some postbacks (and test messages) come without an id: the same event must still be the same row.
fn substitute_mid(event: &Event) -> String {
    let identity = format!("{:?}|{:?}|{:?}|{:?}", event.sender, event.recipient, event.timestamp_ms, event.body);
    let digest = Sha256::digest(identity.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{WITHOUT_MID}{hex}")
}

fn bounded(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

fn some_object(map: Map<String, Value>) -> Option<String> {
    (!map.is_empty()).then(|| Value::from(map).to_string())
}
