//! The body of a send, checked as Meta checks it: recipient, one message of one kind, lengths, type and tag.
//! Instagram counts bytes where Messenger counts characters.

use serde_json::Value;

use super::{call::Call, error::GraphError};

const INSTAGRAM_BYTES: usize = 1000;
const MESSENGER_CHARS: usize = 2000;
const METADATA_CHARS: usize = 1000;
const QUICK_REPLIES: usize = 13;
const IMAGES: usize = 10;
const RETIRED_TAGS: [&str; 3] = ["CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE"];
const ACTIONS: [&str; 5] = ["typing_on", "typing_off", "mark_seen", "react", "unreact"];

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum What {
    /// A text or attachments.
    Message { text: Option<String>, attachment: Option<Value>, metadata: Option<String> },
    /// A reaction to a message, none to take it back.
    Reaction { mid: String, reaction: Option<String> },
    /// Typing, seen: leaves no trace.
    Action,
}

/// A send as asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) what: What,
    pub(crate) messaging_type: Option<String>,
    pub(crate) tag: Option<String>,
}

impl Outgoing {
    /// Whether a human agent's seven days are asked for.
    pub(crate) fn human_agent(&self) -> bool {
        self.tag.as_deref() == Some("HUMAN_AGENT")
    }
}

/// The id in `recipient`.
pub(crate) fn recipient(call: &Call, instagram: bool) -> Result<String, GraphError> {
    let recipient =
        call.object("recipient").ok_or_else(|| GraphError::invalid("(#100) The parameter recipient is required"))?;
    if recipient.get("comment_id").is_some() {
        // There are no comments here to answer.
        return Err(GraphError::invalid("(#100) This comment cannot be replied to privately.").sub(2_534_025));
    }
    match &recipient["id"] {
        Value::String(id) => Ok(id.clone()),
        Value::Number(id) => Ok(id.to_string()),
        _ => Err(GraphError::unknown_recipient(instagram)),
    }
}

/// Everything but the recipient.
pub(crate) fn parse(call: &Call, instagram: bool) -> Result<Outgoing, GraphError> {
    let (messaging_type, tag) = kind(call)?;
    if let Some(action) = call.text("sender_action") {
        let what = sender_action(call, instagram, &action)?;
        return Ok(Outgoing { what, messaging_type, tag });
    }
    let message = call
        .object("message")
        .ok_or_else(|| GraphError::invalid_message(instagram, "(#100) The parameter message is required"))?;
    let text = message["text"].as_str().map(str::to_owned);
    let attachment = [&message["attachment"], &message["attachments"]].into_iter().find(|value| !value.is_null());
    match (&text, attachment) {
        (Some(_), Some(_)) => {
            let problem = "(#100) A message has either a text or an attachment, not both.";
            return Err(GraphError::invalid_message(instagram, problem));
        }
        (None, None) => {
            return Err(GraphError::invalid_message(instagram, "(#100) The message must not be empty"));
        }
        (Some(text), None) => check_text(text, instagram)?,
        (None, Some(attachment)) => check_attachment(attachment, instagram)?,
    }
    let metadata = message["metadata"].as_str().map(str::to_owned);
    if metadata.as_ref().is_some_and(|metadata| metadata.chars().count() > METADATA_CHARS) {
        let problem = "(#100) Length of param message[metadata] must be less than or equal to 1000";
        return Err(GraphError::invalid(problem));
    }
    if message["quick_replies"].as_array().is_some_and(|replies| replies.len() > QUICK_REPLIES) {
        return Err(GraphError::invalid("(#100) Param message[quick_replies] has too many elements."));
    }
    let what = What::Message { text, attachment: attachment.cloned(), metadata };
    Ok(Outgoing { what, messaging_type, tag })
}

fn kind(call: &Call) -> Result<(Option<String>, Option<String>), GraphError> {
    let messaging_type = call.text("messaging_type");
    let tag = call.text("tag");
    match messaging_type.as_deref() {
        None | Some("RESPONSE" | "UPDATE") => {}
        Some("MESSAGE_TAG") if tag.is_none() => {
            return Err(GraphError::invalid("(#100) The parameter tag is required for messaging_type MESSAGE_TAG"));
        }
        Some("MESSAGE_TAG") => {}
        Some(other) => {
            let problem = format!(
                "(#100) Param messaging_type must be one of {{RESPONSE, UPDATE, MESSAGE_TAG}} - got \"{other}\""
            );
            return Err(GraphError::invalid(problem));
        }
    }
    match tag.as_deref() {
        Some(old) if RETIRED_TAGS.contains(&old) => {
            Err(GraphError::invalid(format!("(#100) The message tag {old} is no longer supported.")))
        }
        Some(tag) if tag != "HUMAN_AGENT" => Err(GraphError::invalid(format!("(#100) Unknown message tag {tag}."))),
        _ => Ok((messaging_type, tag)),
    }
}

fn sender_action(call: &Call, instagram: bool, action: &str) -> Result<What, GraphError> {
    if call.value("message").is_some() || !ACTIONS.contains(&action) {
        return Err(GraphError::invalid_message(instagram, "(#100) Invalid sender_action"));
    }
    if !matches!(action, "react" | "unreact") {
        return Ok(What::Action);
    }
    let payload = call.object("payload").unwrap_or_default();
    let mid = payload["message_id"].as_str().ok_or_else(|| {
        GraphError::invalid_message(instagram, "(#100) The parameter payload[message_id] is required")
    })?;
    let reaction = payload["reaction"].as_str().filter(|_| action == "react").map(str::to_owned);
    Ok(What::Reaction { mid: mid.to_owned(), reaction })
}

fn check_text(text: &str, instagram: bool) -> Result<(), GraphError> {
    let (length, most) =
        if instagram { (text.len(), INSTAGRAM_BYTES) } else { (text.chars().count(), MESSENGER_CHARS) };
    if text.is_empty() {
        return Err(GraphError::invalid_message(instagram, "(#100) The message must not be empty"));
    }
    if length > most {
        let problem = format!("(#100) Length of param message[text] must be less than or equal to {most}");
        return Err(GraphError::invalid(problem));
    }
    Ok(())
}

fn check_attachment(attachment: &Value, instagram: bool) -> Result<(), GraphError> {
    let problem = || GraphError::invalid_message(instagram, "(#100) Invalid attachment");
    match attachment {
        Value::Array(list) if list.is_empty() || list.len() > IMAGES => Err(problem()),
        Value::Array(list) => list.iter().try_for_each(|one| check_attachment(one, instagram)),
        one if !one["type"].is_string() => Err(problem()),
        one => match &one["payload"]["url"] {
            Value::Null => Ok(()),
            Value::String(url) if is_web(url) => Ok(()),
            _ => Err(GraphError::upload_failed()),
        },
    }
}

/// Only an address on the web can be fetched. Nothing is: whether there is a file behind it would be Meta's to find out.
fn is_web(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
