//! The one shape of every refusal and failure: `application/problem+json` with a stable code and a sentence for people.
//! What went wrong inside is logged here and never sent.

mod codes;
mod convert;
mod document;

pub use codes::Code;
pub use convert::from_poem;

use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use poem::error::ResponseError;
use poem::{IntoResponse, Response};
use serde_json::json;
use std::fmt;

/// An answer that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    retry_after: Option<i64>,
    required_plan: Option<String>,
    status: Option<http::StatusCode>,
    closing: bool,
}

impl Problem {
    /// With the code's own sentence.
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, retry_after: None, required_plan: None, status: None, closing: false }
    }

    /// With a sentence of its own, which must hold nothing internal.
    pub fn with(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    /// Tells when to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Names the plan that would allow it.
    #[must_use]
    pub fn required_plan(mut self, plan: Option<String>) -> Self {
        self.required_plan = plan;
        self
    }

    /// Ends the connection: what else comes on it is not read.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.closing = true;
        self
    }

    /// Answers 409 instead of the code's own status: what is told is how something asked for earlier ended.
    #[must_use]
    pub fn as_conflict(mut self) -> Self {
        self.status = Some(http::StatusCode::CONFLICT);
        self
    }

    fn http_status(&self) -> http::StatusCode {
        self.status.unwrap_or(self.code.status())
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.detail())
    }

    /// Logs what happened inside and answers with nothing of it.
    pub fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(Code::Internal)
    }

    fn body(&self) -> serde_json::Value {
        let mut body = json!({
            "type": format!("urn:retail-assist:problem:{}", self.code.name()),
            "title": self.code.title(),
            "status": self.http_status().as_u16(),
            "code": self.code.name(),
            "detail": self.detail(),
        });
        if let Some(plan) = &self.required_plan {
            body["requiredPlan"] = json!(plan);
        }
        if let Some(seconds) = self.retry_after {
            body["retryAfterSeconds"] = json!(seconds);
        }
        body
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail())
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.http_status()).body(self.body().to_string());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closing {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl ResponseError for Problem {
    fn status(&self) -> http::StatusCode {
        self.http_status()
    }

    fn as_response(&self) -> Response {
        self.clone().into_response()
    }
}
