//! Errors of the control interface: always JSON, always a sentence that says what to change.
//! A test that misuses the sandbox should learn it at once and not from a missing effect.

use poem::{Response, http::StatusCode};
use serde_json::{Value, json};

/// A refusal.
#[derive(Debug)]
pub(crate) struct ControlError {
    status: u16,
    body: Value,
}

impl ControlError {
    fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: json!({"error": {"code": code, "message": message}}) }
    }

    pub(crate) fn bad_json(message: &str) -> Self {
        Self::new(400, "bad_json", message)
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(422, "invalid", message)
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(404, "not_found", message)
    }

    pub(crate) fn unknown_account(id: &str) -> Self {
        Self::new(404, "unknown_account", &format!("there is no account {id}"))
    }

    pub(crate) fn unknown_person(id: &str) -> Self {
        Self::new(404, "unknown_person", &format!("there is no person {id}"))
    }

    pub(crate) fn unknown_customer(id: &str) -> Self {
        Self::new(404, "unknown_customer", &format!("the account has no customer {id}"))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "method_not_allowed", "this path has other methods")
    }

    pub(crate) fn unknown_fault(name: &str, known: &[&str]) -> Self {
        let mut error = Self::new(422, "unknown_fault", &format!("there is no fault {name}"));
        error.body["error"]["known"] = json!(known);
        error
    }

    pub(crate) fn into_response(self) -> Response {
        json_response(self.status, &self.body)
    }
}

/// A JSON answer.
pub(crate) fn json_response(status: u16, value: &Value) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("application/json")
        .body(value.to_string())
}

/// The answer to a body that is too large, whomever it was for.
pub(crate) fn too_large(limit: usize) -> Response {
    let message = format!("the body is larger than {limit} bytes");
    ControlError::new(413, "too_large", &message).into_response()
}
