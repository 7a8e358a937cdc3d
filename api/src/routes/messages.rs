//! The message as clients see it; conversations show their last one, and a thread is a list of them.

use domain::clock::rfc3339;
use domain::id::IdKind;
use domain::inbox::WITHOUT_MID;
use domain::inbox::threads::Shown;
use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::Value;

/// A file, picture or share of a message.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Attachment {
    /// E.g. `image`.
    #[oai(rename = "type")]
    kind: String,
    url: Option<String>,
    title: Option<String>,
    /// `remote`: at Meta, whose address expires; `missing`: Meta gave none.
    status: String,
}

/// A reaction to a message.
#[derive(Object)]
struct Reaction {
    /// Who reacted, as Meta names them.
    by: Option<String>,
    reaction: Option<String>,
    emoji: Option<String>,
}

/// Why a message was not sent, or may not have been.
#[derive(Object)]
struct SendError {
    class: Option<String>,
    /// Meta's code.
    code: Option<String>,
    message: Option<String>,
}

/// A message.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub struct Message {
    /// `msg_…`
    id: String,
    /// `cnv_…`
    conversation_id: String,
    /// Meta's id; null where Meta gave none.
    external_id: Option<String>,
    /// `inbound` or `outbound`.
    direction: String,
    /// `contact`, `auto`, `person` or `external`.
    origin: String,
    /// `text`, `image`, … `deleted`.
    kind: String,
    text: Option<String>,
    attachments: Vec<Attachment>,
    /// Outbound: `queued`, `sending`, `sent`, `delivered`, `read`, `failed` or `unknown`.
    status: Option<String>,
    /// `msg_…` of the message it answers or quotes.
    in_reply_to: Option<String>,
    reactions: Vec<Reaction>,
    sent_at: String,
    edited_at: Option<String>,
    error: Option<SendError>,
    /// Quick reply, postback, story, referral.
    extra: Option<Any<Value>>,
}

/// A message as stored, with what its conversation knows, as shown.
pub fn shown(shown: Shown) -> Message {
    let Shown { message: row, status, in_reply_to } = shown;
    let failed = row.error_class.is_some() || row.error_code.is_some() || row.error_message.is_some();
    let error =
        failed.then_some(SendError { class: row.error_class, code: row.error_code, message: row.error_message });
    Message {
        id: IdKind::Message.show(row.id),
        conversation_id: IdKind::Conversation.show(row.conversation_id),
        external_id: row.external_id.filter(|id| !id.starts_with(WITHOUT_MID)),
        direction: row.direction,
        origin: row.origin,
        kind: row.kind,
        text: row.text,
        attachments: list(&row.attachments).iter().map(attachment).collect(),
        status,
        in_reply_to: in_reply_to.map(|id| IdKind::Message.show(id)),
        reactions: list(&row.reactions).iter().map(reaction).collect(),
        sent_at: rfc3339(row.sent_at),
        edited_at: row.edited_at.map(rfc3339),
        error,
        extra: row.extra.and_then(|text| serde_json::from_str(&text).ok()).map(Any),
    }
}

fn list(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap_or_default()
}

fn attachment(value: &Value) -> Attachment {
    let url = field(value, "url");
    let status = field(value, "status").unwrap_or_else(|| if url.is_some() { "remote" } else { "missing" }.to_owned());
    let kind = field(value, "type").unwrap_or_else(|| "file".to_owned());
    Attachment { kind, url, title: field(value, "title"), status }
}

fn reaction(value: &Value) -> Reaction {
    Reaction { by: field(value, "by"), reaction: field(value, "reaction"), emoji: field(value, "emoji") }
}

fn field(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(ToOwned::to_owned)
}
