//! The Send API: one request, one message (fact sheet §6).
//! Meta knows no idempotency key, so a call is made once, and an error tells how far it came.

use reqwest::Method;
use secrecy::SecretString;
use serde::Serialize;
use thiserror::Error;

use super::Route;
use crate::client::MetaClient;
use crate::error::GraphError;
use crate::json::Fields;
use crate::usage::Usage;

/// What to send, to whom, by which way.
#[derive(Debug, Clone, Copy)]
pub struct SendRequest<'a> {
    /// The way; the token must be of its kind.
    pub route: Route,
    /// Instagram user token or Page token.
    pub token: &'a SecretString,
    /// IGSID or PSID of the person.
    pub recipient: &'a str,
    /// The message.
    pub content: Content<'a>,
    /// Up to 1000 characters that come back in the echo. Documented for Messenger only, and sent there only.
    pub metadata: Option<&'a str>,
    /// Leave to write after the 24 hours.
    pub tag: Option<Tag>,
}

/// What a message consists of: text or one attachment, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Text within [`super::text_limit`].
    Text(&'a str),
    /// A file that Meta fetches.
    Attachment {
        /// `image`, `video`, `audio` or `file`.
        kind: &'a str,
        /// A public HTTPS address.
        url: &'a str,
    },
}

/// Leave to write outside the 24-hour window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Up to 7 days, written by a human, with the app's Human Agent feature.
    HumanAgent,
}

/// Meta has taken the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message's `mid`; its echo carries the same.
    pub message_id: String,
    /// The person; missing in some answers.
    pub recipient_id: Option<String>,
    /// How much of the rate limits is spent.
    pub usage: Usage,
    /// The Graph version that answered; another than ours when ours has died (§10).
    pub api_version: Option<String>,
}

/// The message was not taken, or it is not known; `classify(Operation::Send, &error)` tells which.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct SendError {
    /// What went wrong.
    pub error: GraphError,
    /// How much of the rate limits is spent, when an answer came.
    pub usage: Usage,
}

impl MetaClient {
    /// Sends one message, with one attempt.
    ///
    /// # Errors
    /// [`SendError`]. An answer without `message_id` is an error too, with an unknown outcome.
    pub async fn send(&self, request: SendRequest<'_>) -> Result<Sent, SendError> {
        let call = self.request(Method::POST, request.route.host(), "me/messages", request.token).json(&body(&request));
        let answer = match self.answer(call).await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(SendError { error, usage: Usage::default() });
            }
        };
        let fields = Fields::parse(&answer.body).unwrap_or_default();
        // The id first: whatever else the answer says, a message with an id exists, and must not be sent again.
        if answer.is_success()
            && let Some(message_id) = fields.id("message_id")
        {
            return Ok(Sent {
                message_id,
                recipient_id: fields.id("recipient_id"),
                usage: answer.usage,
                api_version: answer.api_version,
            });
        }
        let error = answer.error().unwrap_or_else(|| answer.lacks("the answer has no message_id"));
        Err(SendError { error, usage: answer.usage })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    recipient: Recipient<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'static str>,
    message: Message<'a>,
}

#[derive(Serialize)]
struct Recipient<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    url: &'a str,
}

fn body<'a>(request: &SendRequest<'a>) -> Body<'a> {
    let is_messenger = request.route == Route::FacebookPage;
    let messaging_type = match request.tag {
        Some(_) => Some("MESSAGE_TAG"),
        // Formally required by Messenger, and left out on Instagram (§6.3).
        None => is_messenger.then_some("RESPONSE"),
    };
    let (text, attachment) = match request.content {
        Content::Text(text) => (Some(text), None),
        Content::Attachment { kind, url } => (None, Some(Attachment { kind, payload: Payload { url } })),
    };
    Body {
        recipient: Recipient { id: request.recipient },
        messaging_type,
        tag: request.tag.map(|Tag::HumanAgent| "HUMAN_AGENT"),
        message: Message { text, attachment, metadata: request.metadata.filter(|_| is_messenger) },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_body_of_each_route() {
        let token = SecretString::from("t");
        let text = Content::Text("hi");
        let image = Content::Attachment { kind: "image", url: "https://x.test/a.png" };
        let (metadata, tag) = (Some("id-1"), Some(Tag::HumanAgent));
        let cases: [(Route, Content<'_>, Option<Tag>, Value); 7] = [
            (Route::InstagramLogin, text, None, json!({"recipient":{"id":"9"},"message":{"text":"hi"}})),
            (Route::InstagramViaPage, text, None, json!({"recipient":{"id":"9"},"message":{"text":"hi"}})),
            (
                Route::FacebookPage,
                text,
                None,
                json!({"recipient":{"id":"9"},"messaging_type":"RESPONSE","message":{"text":"hi","metadata":"id-1"}}),
            ),
            (
                Route::InstagramLogin,
                text,
                tag,
                json!({"recipient":{"id":"9"},"messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT","message":{"text":"hi"}}),
            ),
            (
                Route::FacebookPage,
                text,
                tag,
                json!({"recipient":{"id":"9"},"messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT","message":{"text":"hi","metadata":"id-1"}}),
            ),
            (
                Route::InstagramLogin,
                image,
                None,
                json!({"recipient":{"id":"9"},"message":{"attachment":{"type":"image","payload":{"url":"https://x.test/a.png"}}}}),
            ),
            (
                Route::FacebookPage,
                image,
                None,
                json!({"recipient":{"id":"9"},"messaging_type":"RESPONSE","message":{"attachment":{"type":"image","payload":{"url":"https://x.test/a.png"}},"metadata":"id-1"}}),
            ),
        ];
        for (route, content, tag, expected) in cases {
            let request = SendRequest { route, token: &token, recipient: "9", content, metadata, tag };
            assert_eq!(serde_json::to_value(body(&request)).unwrap(), expected, "{route:?}");
        }
    }
}
