//! One answer of Meta, read to its end or to a limit.
//! Status, headers and body are judged together, because an error may stand inside HTTP 200 and a page of HTML in 500.

use std::time::Duration;

use chrono::DateTime;
use reqwest::Response;

use super::transport;
use crate::error::{Cause, GraphError};
use crate::usage::{self, Usage};

/// More than Meta ever answers here; the rest would only be memory for somebody else's server to fill.
const MAX_BODY: usize = 1024 * 1024;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) usage: Usage,
    pub(crate) api_version: Option<String>,
    /// When Meta says it answered, in milliseconds since 1970 UTC.
    pub(crate) date: Option<i64>,
    pub(crate) body: String,
    retry_after: Option<Duration>,
}

impl Answer {
    pub(super) async fn read(mut response: Response) -> Result<Self, GraphError> {
        let status = response.status().as_u16();
        let usage = Usage::from_headers(response.headers());
        let retry_after = usage.regain_access().max(usage::retry_after(response.headers()));
        let version = response.headers().get("facebook-api-version").and_then(|value| value.to_str().ok());
        let api_version = version.map(|text| text.chars().take(16).collect());
        let date = response.headers().get("date").and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| DateTime::parse_from_rfc2822(text).ok()).map(|date| date.timestamp_millis());
        let mut body = Vec::new();
        let too_long = || GraphError::new(Cause::Interrupted, Some(status), "the answer is longer than 1 MiB");
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(error, Some(status)))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Self { status, usage, api_version, date, body, retry_after })
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error this answer is, if it is one: an envelope in any status, or a status that is no success.
    pub(crate) fn error(&self) -> Option<GraphError> {
        let error = match GraphError::from_body(self.status, &self.body) {
            Some(error) => error,
            None if self.is_success() => return None,
            None => GraphError::new(Cause::NotJson, Some(self.status), "the answer is no error of Meta's interface"),
        };
        Some(GraphError { retry_after: self.retry_after, ..error })
    }

    /// The error for a success that lacks what was asked for.
    pub(crate) fn lacks(&self, what: &str) -> GraphError {
        GraphError::new(Cause::NotJson, Some(self.status), what)
    }
}
