//! One conversation told in events, in any order, and what must be the same at its end whatever the order was.

use crate::shop::Shop;
use serde_json::{Value, json};

const ANN: &str = "900000000000001";

/// The events in the order that `seed` makes; 0 is the order in which they happened.
pub fn story(shop: &Shop, seed: u64) -> Vec<Value> {
    let at = shop.ledger.now();
    let mut events = vec![
        shop.element(ANN, json!({ "message": { "mid": "a", "text": "first" } })),
        shop.element(ANN, json!({ "message": { "mid": "b", "text": "secnd" } })),
        shop.element(ANN, json!({ "message_edit": { "mid": "b", "text": "second", "num_edit": 1 } })),
        shop.element(ANN, json!({ "message": { "mid": "c", "text": "oops" } })),
        shop.element(ANN, json!({ "message": { "mid": "c", "is_deleted": true } })),
        shop.echo(ANN, json!({ "mid": "d", "text": "from the app" })),
        shop.element(
            ANN,
            json!({ "reaction": { "mid": "d", "action": "react", "reaction": "love", "emoji": "\u{2764}" } }),
        ),
        shop.element(ANN, json!({ "reaction": { "mid": "d", "action": "unreact" } })),
        shop.element(ANN, json!({ "reaction": { "mid": "a", "action": "react", "reaction": "wow" } })),
        shop.element(ANN, json!({ "read": { "mid": "d" } })),
        shop.element(ANN, json!({ "referral": { "ref": "one", "source": "IGME_LINK", "type": "OPEN_THREAD" } })),
        shop.element(ANN, json!({ "referral": { "ref": "two", "source": "ADS", "ad_id": "9" } })),
    ];
    for (n, event) in events.iter_mut().enumerate() {
        event["timestamp"] = (at - 60_000 + i64::try_from(n).unwrap() * 1_000).into();
    }
    shuffle(&mut events, seed);
    events
}

fn shuffle(events: &mut [Value], seed: u64) {
    let mut state = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    for at in (1..events.len()).rev() {
        if seed == 0 {
            return;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        events.swap(at, usize::try_from((state >> 33) % (at as u64 + 1)).unwrap());
    }
}

/// Everything that must not depend on the order: not the ids, which are made on arrival.
pub async fn shape(shop: &Shop) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    let mut last = None;
    let conversation = shop.conversations().await.remove(0);
    for m in shop.messages().await.into_iter().filter(|m| m.origin != "auto") {
        if conversation.last_message_id == Some(m.id) {
            last = m.external_id.clone();
        }
        messages.push(json!({
            "mid": m.external_id, "kind": m.kind, "text": m.text, "direction": m.direction, "status": m.status,
            "reactions": m.reactions, "edits": m.edits, "editedAt": m.edited_at, "deletedAt": m.deleted_at, "sentAt": m.sent_at,
        }));
    }
    messages.sort_by_key(|m| m["mid"].as_str().unwrap().to_owned());
    json!({
        "messages": messages, "unread": conversation.unread_count, "inbound": conversation.last_inbound_at,
        "read": conversation.contact_read_at, "first": conversation.lead_source_first, "last": conversation.lead_source_last,
        "lastMessage": last,
    })
}
