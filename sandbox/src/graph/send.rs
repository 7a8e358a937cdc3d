//! The messages edge: faults before acceptance, acceptance, and what befalls the answer.
//! Waiting happens here, outside the lock; a caller that hangs up in the middle ends it, and that is noted.

use std::{sync::Arc, time::Duration};

use poem::{Body, Response};
use serde_json::{Map, Value};
use tokio::io::AsyncRead;

use crate::{
    connection::Cut,
    faults::{Fired, Group},
    world::Shared,
};

use super::{
    accept::{self, Accepted},
    access,
    call::Call,
    error::GraphError,
    refusals, reply,
    waiting::{hang, held},
};

/// `POST /{who}/messages`.
pub(crate) async fn messages(shared: &Arc<Shared>, call: &Call, who: &str, version: &str) -> Response {
    let first = shared.with(|world| {
        world.counters.sends_received += 1;
        let caller = access::caller(world, call, who == "me")?;
        let id = world.accounts.get(caller.account).id.clone();
        let fault = world.faults.fire(Group::Refusal, &id, &[], &mut world.rng);
        let error = fault.as_ref().and_then(|fault| refusals::error(world, caller.account, fault));
        Ok((caller.account, fault, error))
    });
    let (account, fault, error) = match first {
        Ok(first) => first,
        Err(error) => return refuse(shared, call, &error, version),
    };
    if let Some(error) = error {
        if fault.as_ref().is_some_and(|fault| fault.name == "rate_limit") {
            shared.with(|world| world.counters.refused(error.counted_as()));
            let minutes = fault.map_or(1, |fault| fault.number("minutes"));
            return reply::throttled(shared, Some(account), &error, minutes, version);
        }
        return refuse(shared, call, &error, version);
    }
    if let Some(fault) = fault
        && let Some(response) = disturb(shared, call, &fault).await
    {
        return response;
    }
    match shared.with(|world| accept::accept(world, call, who)) {
        Ok(accepted) => answer(shared, call, accepted, version).await,
        Err(error) => refuse(shared, call, &error, version),
    }
}

fn refuse(shared: &Arc<Shared>, call: &Call, error: &GraphError, version: &str) -> Response {
    let account = shared.with(|world| {
        world.counters.refused(error.counted_as());
        access::token_account(world, call)
    });
    reply::refusal(shared, call, account, error, version)
}

/// Faults before acceptance that are no Graph error; none: go on.
async fn disturb(shared: &Arc<Shared>, call: &Call, fault: &Fired) -> Option<Response> {
    match fault.name {
        "html_502" => {
            shared.with(|world| world.counters.refused("html_502".to_owned()));
            Some(reply::html_502())
        }
        "timeout_before_accept" => {
            shared.with(|world| world.counters.refused("timeout".to_owned()));
            hang(shared, call.peer, fault.number("ms")).await;
            shared.connections.cut(call.peer, Cut::Close);
            Some(Response::default())
        }
        "hold_before_accept" => {
            if held(shared, call).await {
                return None;
            }
            shared.with(|world| world.counters.refused("hung_up".to_owned()));
            Some(Response::default())
        }
        _ => None,
    }
}

/// Notes an answer as lost unless it was given: the caller may hang up while we wait.
struct Promise<'a> {
    shared: &'a Shared,
    sent: usize,
    epoch: u64,
    kept: bool,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.shared.read(|world| {
            if world.epoch == self.epoch
                && let Some(sent) = world.sent.get_mut(self.sent)
            {
                sent.answer = "lost";
                world.counters.answers_lost += 1;
            }
        });
    }
}

async fn answer(shared: &Arc<Shared>, call: &Call, accepted: Accepted, version: &str) -> Response {
    let account = shared.read(|world| access::token_account(world, call));
    let mut body = Map::new();
    body.insert("recipient_id".to_owned(), accepted.recipient_id.into());
    let fault = accepted.fault;
    let name = fault.as_ref().map(|fault| fault.name);
    let Some(mid) = accepted.mid else {
        return reply::success(shared, account, Value::Object(body), version);
    };
    if name != Some("answer_without_message_id") {
        body.insert("message_id".to_owned(), mid.into());
    }
    let body = Value::Object(body);
    // What is lost for sure has been counted; the rest is lost when the caller goes before the end.
    let kept = matches!(
        name,
        Some("answer_lost" | "timeout_after_accept" | "reset_mid_response" | "answer_without_message_id")
    );
    let mut promise = Promise { shared, sent: accepted.sent, epoch: accepted.epoch, kept };
    for echo in accepted.echoes_first {
        // A receiver that does not answer in time, or a reset, must not hold the send for ever.
        let _ = tokio::time::timeout(Duration::from_secs(10), echo).await;
    }
    let ms = fault.as_ref().map_or(0, |fault| fault.number("ms"));
    let how = Cut::parse(fault.as_ref().and_then(|fault| fault.text("how")));
    let there = match name {
        Some("slow_answer") => hang(shared, call.peer, ms).await,
        Some("hold_answer") => held(shared, call).await,
        Some("timeout_after_accept") => {
            hang(shared, call.peer, ms).await;
            shared.connections.cut(call.peer, Cut::Close);
            true
        }
        Some("answer_lost") => {
            shared.connections.cut(call.peer, how);
            true
        }
        Some("reset_mid_response") => {
            shared.connections.end_with(call.peer, how);
            return truncated(reply::success(shared, account, body.clone(), version), &body.to_string());
        }
        _ => true,
    };
    promise.kept |= there;
    drop(promise);
    reply::success(shared, account, body, version)
}

/// Announces the whole body and sends half of it.
fn truncated(mut response: Response, body: &str) -> Response {
    let length = body.len().into();
    response.headers_mut().insert("content-length", length);
    let half = body.as_bytes()[..body.len() / 2].to_vec();
    response.set_body(Body::from_async_read(half_a_body(half)));
    response
}

/// Gives the bytes, waits for them to leave, and fails.
fn half_a_body(half: Vec<u8>) -> impl AsyncRead + Send + 'static {
    let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
    let (broken, failing) = (tokio::time::sleep(Duration::from_millis(50)), theirs);
    tokio::spawn(async move {
        // The reader may have gone with its connection.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut ours, &half).await;
        broken.await;
        drop(ours);
    });
    failing
}
