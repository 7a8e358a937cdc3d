//! Errors of the model's API in its own envelope, which is neither Graph's nor the control interface's.
//! A client branches on the status and on `code`, so each refusal stands here once.

use poem::Response;
use serde_json::json;

use crate::control::error::json_response;

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refused {
    status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
}

impl Refused {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, kind, code, param: None, message: message.into() }
    }

    /// A body that is not as it must be.
    pub(crate) fn invalid(param: &str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        let param = Some(param.to_owned()).filter(|param| !param.is_empty());
        Self { param, ..Self::new(400, "invalid_request_error", code, message) }
    }

    pub(crate) fn no_key() -> Self {
        let text = "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                    Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        Self::new(401, "invalid_request_error", None, text)
    }

    pub(crate) fn wrong_place(method: &str, path: &str, known: bool) -> Self {
        let path = path.strip_prefix("/ai").unwrap_or(path);
        if known {
            let text = format!("Not allowed to {method} on {path}.");
            return Self::new(405, "invalid_request_error", Some("method_not_supported"), text);
        }
        Self::new(404, "invalid_request_error", None, format!("Invalid URL ({method} {path})"))
    }

    pub(crate) fn filtered() -> Self {
        let text = "The response was filtered due to the prompt triggering the content management policy. Please \
                    modify your prompt and retry.";
        Self::invalid("prompt", Some("content_filter"), text)
    }

    /// The server cannot or will not, whatever was asked.
    pub(crate) fn failing(status: u64) -> Self {
        let status = u16::try_from(status).ok().filter(|status| (400..600).contains(status)).unwrap_or(503);
        match status {
            401 => Self::new(status, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided."),
            429 => Self::new(status, "requests", Some("rate_limit_exceeded"), "Rate limit reached for requests."),
            400..500 => Self::new(status, "invalid_request_error", None, "The request could not be served."),
            503 => Self::new(status, "server_error", None, "That model is currently overloaded with other requests."),
            _ => Self::new(status, "server_error", None, "The server had an error while processing your request."),
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let error = json!({"message": self.message, "type": self.kind, "param": self.param, "code": self.code});
        json_response(self.status, &json!({ "error": error }))
    }
}
