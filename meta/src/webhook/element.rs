//! Reads one element of `messaging` or `standby`, and one of `changes`.
//! An element is known by the key it has besides sender, recipient and timestamp (fact sheet §5.4–§5.7).

use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{EventBody, ReactionAction};
use super::{read, time};
use crate::json::{self, Fields};
use crate::redact::bounded;

/// Unknown keys kept for the record: how many, and how much of each.
const MAX_KEYS: usize = 16;
const MAX_KEY_CHARS: usize = 64;

/// Fields that describe messaging: their `changes` form holds a messaging element as its value (§5.5).
const MESSAGING_FIELDS: [&str; 20] = [
    "messages",
    "message_deliveries",
    "message_echoes",
    "message_edit",
    "message_edits",
    "message_reactions",
    "message_reads",
    "messaging_account_linking",
    "messaging_handover",
    "messaging_handovers",
    "messaging_optins",
    "messaging_optouts",
    "messaging_policy_enforcement",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_referrals",
    "messaging_seen",
    "response_feedback",
    "send_cart",
    "standby",
];

/// An element before it has a place in the delivery.
pub(super) struct Element {
    pub(super) standby: bool,
    pub(super) sender: Option<String>,
    pub(super) recipient: Option<String>,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) body: EventBody,
}

impl Element {
    pub(super) fn malformed(reason: &str) -> Self {
        Self::only(EventBody::Malformed { reason: reason.to_owned() })
    }

    pub(super) fn only(body: EventBody) -> Self {
        Self { standby: false, sender: None, recipient: None, timestamp_ms: None, body }
    }

    /// True for what the dashboard's test button sends (§5.5): constant ids, or the account that cannot exist.
    fn is_test(&self, account_id: &str) -> bool {
        let constant_ids = self.sender.as_deref() == Some("12334") && self.recipient.as_deref() == Some("23245");
        account_id == "0" || constant_ids
    }
}

/// One element of `messaging` or `standby`.
pub(super) fn messaging(raw: &RawValue, account_id: &str) -> Element {
    let Some(fields) = Fields::of(raw) else {
        return Element::malformed("the element is not an object");
    };
    let person = |key| fields.object(key).and_then(|party| party.id("id"));
    let mut element = Element {
        standby: false,
        sender: person("sender"),
        recipient: person("recipient"),
        timestamp_ms: fields.get("timestamp").and_then(time::milliseconds),
        body: body(&fields).unwrap_or_else(|reason| EventBody::Malformed { reason: reason.to_owned() }),
    };
    let understood = !matches!(element.body, EventBody::Malformed { .. } | EventBody::Unknown { .. });
    if understood && element.is_test(account_id) {
        element.body = EventBody::TestMessage;
    }
    element
}

/// One element of `changes`, or an entry with `field` and `value` of its own (§5.3).
pub(super) fn change(fields: &Fields<'_>, account_id: &str) -> Element {
    let Some(field) = fields.text("field") else {
        return Element::malformed("the change names no field");
    };
    let value = fields.get("value");
    if let Some(raw) = value
        && MESSAGING_FIELDS.contains(&field.as_str())
        && Fields::of(raw).is_some()
    {
        return Element { standby: field == "standby", ..messaging(raw, account_id) };
    }
    let inner = value.and_then(Fields::of).unwrap_or_default();
    let moment = |key| inner.get(key).and_then(time::milliseconds);
    let timestamp_ms = moment("timestamp").or_else(|| moment("created_time"));
    let value = match value {
        None => Value::Null,
        Some(raw) => match serde_json::from_str(raw.get()) {
            Ok(value) => value,
            Err(_) => return Element::malformed("the value of the change cannot be read"),
        },
    };
    Element { timestamp_ms, ..Element::only(EventBody::Change { field, value }) }
}

/// What the element says. When it has several known keys, the first in this order counts.
fn body(fields: &Fields<'_>) -> Result<EventBody, &'static str> {
    if let Some(inner) = part(fields, "message")? {
        if inner.flag("is_deleted") {
            return Ok(EventBody::Deleted { mid: mid(&inner)? });
        }
        return Ok(EventBody::Message(read::message(&inner)));
    }
    if let Some(inner) = part(fields, "postback")? {
        return Ok(EventBody::Postback {
            mid: inner.id("mid"),
            title: inner.text("title"),
            payload: inner.text("payload"),
            referral: inner.get("referral").and_then(read::referral),
        });
    }
    if let Some(inner) = part(fields, "reaction")? {
        return reaction(&inner);
    }
    for key in ["message_edit", "message_edits"] {
        if let Some(inner) = part(fields, key)? {
            return edit(&inner);
        }
    }
    if let Some(raw) = fields.get("referral") {
        return read::referral(raw).map(EventBody::Referral).ok_or("the referral is not an object");
    }
    if let Some(inner) = part(fields, "read")? {
        return Ok(EventBody::Read { mid: inner.id("mid"), watermark_ms: watermark(&inner) });
    }
    if let Some(inner) = part(fields, "delivery")? {
        let mids = inner.get("mids").and_then(json::elements).unwrap_or_default();
        let mids = mids.into_iter().filter_map(json::text).collect();
        return Ok(EventBody::Delivered { mids, watermark_ms: watermark(&inner) });
    }
    Ok(rarely(fields))
}

/// Events that are recorded but start no work.
fn rarely(fields: &Fields<'_>) -> EventBody {
    let inner = |key| fields.get(key).map(|raw| Fields::of(raw).unwrap_or_default());
    if fields.has("optin") {
        return EventBody::Optin;
    }
    if let Some(inner) = inner("account_linking") {
        return EventBody::AccountLinking { status: inner.text("status") };
    }
    // The Messenger documents spell the key both ways.
    if let Some(inner) = inner("policy_enforcement").or_else(|| inner("policy-enforcement")) {
        return EventBody::PolicyEnforcement { action: inner.text("action"), reason: inner.text("reason") };
    }
    for kind in ["pass_thread_control", "take_thread_control", "request_thread_control"] {
        if fields.has(kind) {
            return EventBody::ThreadControl { kind };
        }
    }
    if fields.has("app_roles") {
        return EventBody::AppRoles;
    }
    if let Some(inner) = inner("response_feedback") {
        return EventBody::ResponseFeedback { feedback: inner.text("feedback"), mid: inner.id("mid") };
    }
    if fields.has("order") {
        return EventBody::Order { value: fields.value("order") };
    }
    EventBody::Unknown { keys: keys(fields, &["sender", "recipient", "timestamp"]) }
}

/// The keys besides the expected ones, bounded in number and length.
pub(super) fn keys(fields: &Fields<'_>, expected: &[&str]) -> Vec<String> {
    let others = fields.keys().filter(|key| !expected.contains(key));
    others.take(MAX_KEYS).map(|key| bounded(key, MAX_KEY_CHARS).to_owned()).collect()
}

fn reaction(inner: &Fields<'_>) -> Result<EventBody, &'static str> {
    let (reaction, emoji) = (inner.text("reaction"), inner.text("emoji"));
    let action = match inner.text("action").as_deref() {
        Some("react") => ReactionAction::React,
        Some("unreact") => ReactionAction::Unreact,
        // Another word: what is there tells.
        _ if reaction.is_some() || emoji.is_some() => ReactionAction::React,
        _ => ReactionAction::Unreact,
    };
    Ok(EventBody::Reaction { mid: mid(inner)?, action, reaction, emoji })
}

fn edit(inner: &Fields<'_>) -> Result<EventBody, &'static str> {
    let text = inner.text("text");
    let number = inner.integer("num_edit").and_then(|number| u32::try_from(number).ok());
    // Documented with a placeholder for a number: where none can be read, new words tell that it was edited.
    let num_edit = number.unwrap_or_else(|| u32::from(text.is_some()));
    Ok(EventBody::Edit { mid: mid(inner)?, text, num_edit })
}

fn mid(inner: &Fields<'_>) -> Result<String, &'static str> {
    inner.id("mid").ok_or("the event names no message")
}

fn watermark(inner: &Fields<'_>) -> Option<i64> {
    inner.get("watermark").and_then(time::milliseconds)
}

/// The object under a key, which must be an object when it is there.
fn part<'a>(fields: &Fields<'a>, key: &'static str) -> Result<Option<Fields<'a>>, &'static str> {
    match fields.get(key) {
        None => Ok(None),
        Some(raw) => Fields::of(raw).map(Some).ok_or("the event is not an object"),
    }
}
