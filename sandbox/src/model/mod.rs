//! A stand-in for a language model behind the usual API of completions, so that nothing leaves this machine.
//! Its words are made from what it was asked: a test can tell them from a template and knows them beforehand.

pub(crate) mod asked;
pub(crate) mod refused;
pub(crate) mod words;

use std::sync::Arc;

use poem::{Request, Response, http::header};
use serde_json::{Value, json};

use crate::{
    connection::Cut,
    control::error::json_response,
    faults::{Fired, Group},
    graph::waiting::hang,
    world::{Shared, World},
};

use self::{asked::Asked, refused::Refused};

/// The one thing that is served.
const PATH: &str = "/ai/v1/chat/completions";

/// What is kept of it.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Requests to the path, refused or not.
    pub(crate) calls: u64,
    /// Fixed words; none: the default.
    pub(crate) answer: Option<String>,
    /// The body of the last request that was in order.
    pub(crate) last: Option<Value>,
}

/// Answers a request below `/ai`.
pub(crate) async fn answer(shared: &Arc<Shared>, request: &Request, body: &[u8]) -> Response {
    let (method, path) = (request.method().as_str(), request.original_uri().path());
    if path != PATH || method != "POST" {
        return Refused::wrong_place(method, path, path == PATH).into_response();
    }
    let taken = shared.read(|world| {
        world.model.calls += 1;
        authorized(request)?;
        let asked = Asked::read(body)?;
        world.model.last = Some(asked.body.clone());
        let fault = world.faults.fire_any(Group::Model, &[], &[], &mut world.rng);
        Ok::<_, Refused>((asked, fault))
    });
    let (asked, fault) = match taken {
        Ok(taken) => taken,
        Err(refused) => return refused.into_response(),
    };
    match fault {
        Some(fault) if fault.name == "ai_timeout" => {
            let peer = request.remote_addr().as_socket_addr().copied();
            hang(shared, peer, fault.number("ms")).await;
            shared.connections.cut(peer, Cut::Close);
            Response::default()
        }
        fault => shared.read(|world| said(world, &asked, fault.as_ref())),
    }
}

/// Any key will do, but there must be one.
fn authorized(request: &Request) -> Result<(), Refused> {
    let key = request.header(header::AUTHORIZATION).and_then(|text| text.split_once(' '));
    let given = key.is_some_and(|(scheme, key)| scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty());
    if given { Ok(()) } else { Err(Refused::no_key()) }
}

fn said(world: &World, asked: &Asked, fault: Option<&Fired>) -> Response {
    let words = match fault.map(|fault| fault.name) {
        Some("ai_error") => return Refused::failing(fault.map_or(503, |fault| fault.number("status"))).into_response(),
        Some("ai_filtered") => return Refused::filtered().into_response(),
        Some("ai_garbage") => return garbage(fault.and_then(|fault| fault.text("how"))),
        Some("ai_refusal") => return completion(world, asked, None),
        Some("ai_long") => words::long(),
        Some("ai_link") => words::LINKS.to_owned(),
        Some("ai_empty") => String::new(),
        _ => world.model.answer.clone().unwrap_or_else(|| words::friendly(asked.last_user())),
    };
    completion(world, asked, Some(&words))
}

/// The usual shape; without words it is a refusal of the model itself.
fn completion(world: &World, asked: &Asked, words: Option<&str>) -> Response {
    let refusal = words.is_none().then_some(words::REFUSAL);
    let (prompt, completion) = (asked.tokens(), words::tokens(words.unwrap_or(words::REFUSAL)));
    let body = json!({
        "id": format!("chatcmpl-sandbox-{}", world.model.calls), "object": "chat.completion",
        "created": world.clock.now() / 1000, "model": asked.model,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": words, "refusal": refusal}, "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    });
    json_response(200, &body)
}

/// What a wrong address or a broken server in between answers.
fn garbage(how: Option<&str>) -> Response {
    if how == Some("html") {
        let page = "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>";
        return Response::builder().content_type("text/html; charset=utf-8").body(page);
    }
    json_response(200, &json!({"object": "list", "data": [], "choices": "none"}))
}
