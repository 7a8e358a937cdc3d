//! The message as clients see it; conversations show their last one, and a thread is a list of them.

use domain::clock::{Millis, rfc3339};
use domain::id::IdKind;
use domain::inbox::WITHOUT_MID;
use domain::inbox::attachments::{Known, LINK};
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
    /// Meta's address, which expires.
    url: Option<String>,
    title: Option<String>,
    /// Meta's id of the post, reel or sticker.
    external_id: Option<String>,
    /// What else Meta says of it: a booking, products.
    payload: Option<Any<Value>>,
    /// `remote`: at Meta, and not looked at yet; `available`: it was there; `expired`, `refused`, `failed`: it could not be
    /// read, and `note` says why; `link`: a page anywhere in the web, which is not read; `missing`: Meta gave no address.
    status: String,
    /// A sentence, where there is something to know.
    note: Option<String>,
    /// When the address ends, where it says so.
    expires_at: Option<String>,
    /// E.g. `image/jpeg`.
    content_type: Option<String>,
    /// Its size.
    bytes: Option<i64>,
    /// A small picture, at this service.
    preview_url: Option<String>,
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
    deleted_at: Option<String>,
    /// `msg_…` of the first part, of a text that was sent in several.
    part_of: Option<String>,
    /// Its place among the parts, from 0.
    part: i32,
    /// `tpl_…` it was made from.
    template_id: Option<String>,
    /// Read back from Meta after an outage; no webhook told of it.
    reconciled: bool,
    /// Another app had the conversation when it came; it is not answered by itself.
    standby: bool,
    error: Option<SendError>,
    /// Quick reply, postback, story, referral.
    extra: Option<Any<Value>>,
}

/// A message as stored, with what its conversation knows, as shown.
pub fn shown(shown: Shown, now: Millis) -> Message {
    let Shown { message: row, status, in_reply_to, mut files } = shown;
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
        attachments: (0..)
            .zip(&list(&row.attachments))
            .map(|(place, value)| attachment(value, files.remove(&place), now))
            .collect(),
        status,
        in_reply_to: in_reply_to.map(|id| IdKind::Message.show(id)),
        reactions: list(&row.reactions).iter().filter_map(reaction).collect(),
        sent_at: rfc3339(row.sent_at),
        edited_at: row.edited_at.map(rfc3339),
        deleted_at: row.deleted_at.map(rfc3339),
        part_of: row.group_id.map(|id| IdKind::Message.show(id)),
        part: row.part,
        template_id: row.template_id.map(|id| IdKind::Template.show(id)),
        reconciled: row.reconciled,
        standby: row.standby,
        error,
        extra: row.extra.and_then(|text| serde_json::from_str(&text).ok()).map(Any),
    }
}

fn list(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap_or_default()
}

fn attachment(value: &Value, known: Option<Known>, now: Millis) -> Attachment {
    let (kind, url) = (field(value, "type"), field(value, "url"));
    let status = match &known {
        Some(known) if known.status == "available" && known.expires_at.is_some_and(|at| at <= now) => "expired",
        Some(known) => known.status.as_str(),
        None if url.is_some() && kind.as_deref() == Some(LINK) => "link",
        None if url.is_some() => "remote",
        None => "missing",
    };
    let preview = |known: &Known| format!("/api/attachments/{}/preview", IdKind::Attachment.show(known.id));
    Attachment {
        kind: kind.unwrap_or_else(|| "file".to_owned()),
        title: field(value, "title"),
        external_id: field(value, "externalId"),
        payload: value.get("payload").filter(|payload| !payload.is_null()).cloned().map(Any),
        status: status.to_owned(),
        url,
        preview_url: known.as_ref().filter(|known| known.has_preview).map(preview),
        expires_at: known.as_ref().and_then(|known| known.expires_at).map(rfc3339),
        bytes: known.as_ref().and_then(|known| known.bytes),
        content_type: known.as_ref().and_then(|known| known.content_type.clone()),
        note: known.and_then(|known| known.note),
    }
}

/// None for one that was taken back.
fn reaction(value: &Value) -> Option<Reaction> {
    let (reaction, emoji) = (field(value, "reaction"), field(value, "emoji"));
    (reaction.is_some() || emoji.is_some()).then(|| Reaction { by: field(value, "by"), reaction, emoji })
}

fn field(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(ToOwned::to_owned)
}
