//! Graph answers: JSON with the version that served, a trace id and, after enough calls, the usage.
//! Error bodies are made here alone, so that each has the same headers and its own trace id.

use poem::{Response, http::StatusCode};
use serde_json::Value;

use crate::{ids, world::Shared};

use super::{call::Call, error::GraphError, usage};

/// Headers every Graph answer has.
fn frame(status: u16, version: &str, trace: &str) -> poem::ResponseBuilder {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("content-type", "application/json; charset=UTF-8")
        .header("facebook-api-version", version)
        .header("x-fb-trace-id", trace)
        .header("x-fb-rev", "1030000001")
        .header("cache-control", "private, no-cache, no-store, must-revalidate")
}

/// A 200 with that body; counts the call for the account.
pub(crate) fn success(shared: &Shared, account: Option<usize>, body: Value, version: &str) -> Response {
    let (trace, usage) =
        shared.read(|world| (ids::trace(&mut world.rng), account.and_then(|account| usage::count(world, account))));
    let mut response = frame(200, version, &trace);
    for (name, value) in usage.unwrap_or_default() {
        response = response.header(name, value);
    }
    response.body(body.to_string())
}

/// An error in Graph's envelope.
pub(crate) fn refusal(
    shared: &Shared,
    call: &Call,
    account: Option<usize>,
    error: &GraphError,
    version: &str,
) -> Response {
    let (trace, usage) =
        shared.read(|world| (ids::trace(&mut world.rng), account.and_then(|account| usage::count(world, account))));
    let mut response = frame(error.status, version, &trace);
    for (name, value) in usage.unwrap_or_default() {
        response = response.header(name, value);
    }
    if let Some(challenge) = error.challenge().filter(|_| call.host != super::call::Host::InstagramGraph) {
        let text = format!("OAuth \"Facebook Platform\" \"{challenge}\" \"{}\"", error.message);
        response = response.header("www-authenticate", text);
    }
    response.body(error.envelope(&trace).to_string())
}

/// A throttled answer: the budget is spent, and how many minutes until it is not.
pub(crate) fn throttled(
    shared: &Shared,
    account: Option<usize>,
    error: &GraphError,
    minutes: u64,
    version: &str,
) -> Response {
    let (trace, usage) = shared.read(|world| {
        let usage = match account {
            Some(account) => usage::headers(world, account, 100, minutes),
            None => usage::of_app(world, 100, minutes),
        };
        (ids::trace(&mut world.rng), usage)
    });
    let mut response = frame(error.status, version, &trace);
    for (name, value) in usage {
        response = response.header(name, value);
    }
    response.body(error.envelope(&trace).to_string())
}

/// An error of Instagram's code exchange, which has an envelope of its own.
pub(crate) fn instagram_refusal(error: &GraphError) -> Response {
    let body = serde_json::json!({
        "error_type": "OAuthException", "code": error.status, "error_message": error.message,
    });
    plain(error.status, &body)
}

/// JSON without the headers of Graph.
pub(crate) fn plain(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("content-type", "application/json; charset=utf-8")
        .header("cache-control", "private, no-cache, no-store, must-revalidate")
        .body(body.to_string())
}

/// What a broken front server says.
pub(crate) fn html_502() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>";
    Response::builder().status(StatusCode::BAD_GATEWAY).content_type("text/html; charset=utf-8").body(page)
}
