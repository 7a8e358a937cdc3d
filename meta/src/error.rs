//! One error type for every call to Meta, whichever of its envelopes came back or failed to.
//! It carries the numbers that decide (fact sheet §8) and a message that is safe to log, store and show.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::json::Fields;
use crate::redact::{bounded, redact};

/// How far the call came. This decides whether it may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Provably nothing was written: name resolution, connection or TLS failed, or the request could not be built.
    Connect,
    /// No complete answer in time; Meta may have acted.
    Timeout,
    /// The connection broke, or the answer was cut off or too long; Meta may have acted.
    Interrupted,
    /// An answer that is not what the interface promises: HTML, or a success without the expected field.
    NotJson,
    /// Graph's envelope `{"error":{…}}`, whatever the HTTP status (also inside 200).
    Graph,
    /// The envelope of api.instagram.com: `{"error_type","code","error_message"}` (§2.1).
    Instagram,
}

impl Cause {
    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::NotJson => "not_json",
            Self::Graph => "graph",
            Self::Instagram => "instagram",
        }
    }
}

/// A call to Meta that did not succeed. What follows from it is decided by [`crate::classify`], never here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct GraphError {
    /// HTTP status, when an answer came at all. Unreliable as a sign of the kind of error (§8.2).
    pub http_status: Option<u16>,
    /// Graph's `code`.
    pub code: Option<i64>,
    /// Graph's `error_subcode`.
    pub subcode: Option<i64>,
    /// Graph's `type`, such as `OAuthException`.
    pub kind: Option<String>,
    /// Meta's words without tokens and URL queries, at most 300 characters. Localised and changing: not for decisions.
    pub message: String,
    /// Meta's reference for its support.
    pub fbtrace_id: Option<String>,
    /// Meta says that a repetition may succeed.
    pub is_transient: bool,
    /// How long Meta asks to wait (`Retry-After`, or the usage headers).
    pub retry_after: Option<Duration>,
    /// How far the call came.
    pub cause: Cause,
}

impl GraphError {
    /// An error without an envelope; `message` is redacted.
    pub fn new(cause: Cause, http_status: Option<u16>, message: &str) -> Self {
        Self {
            http_status,
            code: None,
            subcode: None,
            kind: None,
            message: redact(message),
            fbtrace_id: None,
            is_transient: false,
            retry_after: None,
            cause,
        }
    }

    /// Reads the envelope of either interface out of an answer; `None` when there is none.
    pub fn from_body(http_status: u16, body: &str) -> Option<Self> {
        let fields = Fields::parse(body)?;
        if let Some(error) = fields.object("error") {
            return Some(Self::graph(http_status, &error));
        }
        // OAuth's own form `{"error":"…","error_description":"…"}`, and Instagram's.
        let message = fields.text("error_message").or_else(|| fields.text("error_description"));
        let kind = fields.text("error_type").or_else(|| fields.text("error"))?;
        Some(Self {
            code: fields.integer("code"),
            kind: Some(name(&kind)),
            fbtrace_id: fields.text("fbtrace_id").map(|id| name(&id)),
            ..Self::new(Cause::Instagram, Some(http_status), &message.unwrap_or_default())
        })
    }

    fn graph(http_status: u16, error: &Fields<'_>) -> Self {
        let message = error.text("message").or_else(|| error.text("error_user_msg"));
        Self {
            code: error.integer("code"),
            // Inside `debug_token` the key is `subcode` (§2.6).
            subcode: error.integer("error_subcode").or_else(|| error.integer("subcode")),
            kind: error.text("type").map(|kind| name(&kind)),
            fbtrace_id: error.text("fbtrace_id").map(|id| bounded(&id, 64).to_owned()),
            is_transient: error.flag("is_transient"),
            ..Self::new(Cause::Graph, Some(http_status), &message.unwrap_or_default())
        }
    }
}

/// A short identifier; longer ones are none.
fn name(text: &str) -> String {
    bounded(&redact(text), 64).to_owned()
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.as_str())?;
        if let Some(status) = self.http_status {
            write!(f, " http {status}")?;
        }
        if let Some(code) = self.code {
            write!(f, " code {code}")?;
        }
        if let Some(subcode) = self.subcode {
            write!(f, "/{subcode}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match &self.fbtrace_id {
            Some(id) => write!(f, " (fbtrace_id {id})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_graph_envelope() {
        let body = r#"{"error":{"message":"Bad EAAsandboxToken","type":"OAuthException","code":190,"error_subcode":460,"is_transient":false,"error_user_title":"t","error_user_msg":"m","fbtrace_id":"EJplcsCHuLu"}}"#;
        let error = GraphError::from_body(400, body).unwrap();
        assert_eq!((error.cause, error.code, error.subcode), (Cause::Graph, Some(190), Some(460)));
        assert_eq!(error.to_string(), "graph http 400 code 190/460: Bad [redacted] (fbtrace_id EJplcsCHuLu)");
        assert_eq!(error.kind.as_deref(), Some("OAuthException"));
    }

    #[test]
    fn only_message_and_code_are_safe_to_assume() {
        let bare = GraphError::from_body(200, r#"{"error":{"code":"10","is_transient":true}}"#).unwrap();
        assert_eq!((bare.code, bare.http_status, bare.is_transient), (Some(10), Some(200), true));
        assert_eq!(GraphError::from_body(500, r#"{"error":{}}"#).unwrap().code, None);
    }

    #[test]
    fn the_instagram_envelope() {
        let body = r#"{"error_type":"OAuthException","code":400,"error_message":"Matching code was not found or was already used"}"#;
        let error = GraphError::from_body(400, body).unwrap();
        assert_eq!((error.cause, error.code), (Cause::Instagram, Some(400)));
        assert!(error.message.starts_with("Matching code"));
        let oauth = GraphError::from_body(400, r#"{"error":"invalid_client","error_description":"d"}"#).unwrap();
        assert_eq!((oauth.cause, oauth.kind.as_deref()), (Cause::Instagram, Some("invalid_client")));
    }

    #[test]
    fn what_is_no_envelope_is_none() {
        for body in ["", "<html>", "[]", "{}", r#"{"data":[]}"#, r#"{"error":null}"#, r#"{"error":[]}"#] {
            assert_eq!(GraphError::from_body(500, body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_survived(status in 100u16..600, body in ".*") {
            let _ = GraphError::from_body(status, &body);
        }
    }
}
