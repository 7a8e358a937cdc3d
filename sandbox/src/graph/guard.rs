//! A call of signing in or subscribing: counted when it arrives, struck by a fault of its kind, then done.
//! Sends have rules of their own; everything else that can fail on purpose goes through here.

use std::sync::Arc;

use poem::Response;
use serde_json::{Value, json};

use crate::{
    connection::Cut,
    faults::Fired,
    oauth::codes::Subject,
    world::{Shared, World, oauth_counters::Op},
};

use super::{
    access,
    call::{Call, Host},
    error::GraphError,
    reply,
    waiting::{hang, held},
};

/// What a fault does to a call.
enum Effect {
    Refuse(GraphError),
    Throttle(GraphError, u64),
    Html,
    Hang(u64),
    Hold,
    /// Answers this and does nothing.
    Pretend(Value),
    /// Does the work and ends the connection.
    Lose(Cut),
}

fn effect(fault: &Fired) -> Option<Effect> {
    let code = || u32::try_from(fault.number("code")).unwrap_or(4);
    Some(match fault.name {
        "code_exchange_html_502" | "refresh_html_502" => Effect::Html,
        "code_exchange_timeout" | "refresh_timeout" | "accounts_hang" => Effect::Hang(fault.number("ms")),
        "code_exchange_lost" | "refresh_lost" => Effect::Lose(Cut::parse(fault.text("how"))),
        "code_exchange_hold" | "refresh_hold" | "subscribe_hold" => Effect::Hold,
        "refresh_rate_limit" | "accounts_rate_limit" => {
            Effect::Throttle(GraphError::throttled(400, code()), fault.number("minutes"))
        }
        "refresh_unsupported" => Effect::Refuse(GraphError::unsupported("get")),
        "refresh_empty_token" => {
            Effect::Pretend(json!({"access_token": "", "token_type": "bearer", "expires_in": 5_183_944}))
        }
        "identity_revoked" => Effect::Refuse(GraphError::app_removed()),
        "refresh_checkpoint" => Effect::Refuse(GraphError::checkpoint()),
        "subscription_list_missing" => Effect::Refuse(GraphError::no_such_object("me")),
        "subscribe_dropped" => Effect::Pretend(json!({"success": true})),
        name if name.ends_with("_transient") => Effect::Refuse(GraphError::transient()),
        // Whoever makes the redirect or takes the code sees to the others.
        _ => return None,
    })
}

/// Whether an exchange of codes is Instagram's, which answers in its own way.
pub(crate) fn is_instagram_exchange(world: &World, call: &Call) -> bool {
    let named = call.text("client_id").is_some_and(|id| id == world.config.instagram_app_id);
    call.host == Host::InstagramApi || (call.host == Host::Any && named)
}

/// The account a call is counted for, and every id that a fault may name to strike it.
fn concerned(world: &World, call: &Call, op: Op) -> (Option<String>, Vec<String>) {
    if op == Op::CodeExchange {
        let code = call.text("code").and_then(|code| world.codes.get(&code));
        return (None, code.map(|code| world.subject_ids(code.subject)).unwrap_or_default());
    }
    let exchanged = call.text("fb_exchange_token").filter(|_| op == Op::LongLived);
    let token = match exchanged {
        Some(text) => world.tokens.find(&text).map(|token| world.tokens.get(token)),
        None => access::known_token(world, call),
    };
    let Some(token) = token else { return (None, Vec::new()) };
    let mut ids = Vec::new();
    if let Some(account) = token.account {
        let linked = world.accounts.get(account).instagram;
        ids.extend([Some(account), linked].into_iter().flatten().map(|index| world.accounts.get(index).id.clone()));
    }
    let account = ids.first().cloned();
    if let Some(person) = token.person {
        ids.extend(world.subject_ids(Subject::Person(person)).into_iter().take(if account.is_some() { 1 } else { 99 }));
    }
    (account, ids)
}

/// Counts the call, lets a fault strike, else does the work.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    call: &Call,
    op: Op,
    version: &str,
    work: impl FnOnce(&mut World) -> Result<Value, GraphError> + Send,
) -> Response {
    let (effect, own_envelope) = shared.with(|world| {
        let (account, ids) = concerned(world, call, op);
        world.counters.oauth.arrive(op, account.as_deref());
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let fault = op.group().and_then(|group| world.faults.fire_any(group, &ids, &[], &mut world.rng));
        let own_envelope = op == Op::CodeExchange && is_instagram_exchange(world, call);
        (used_code(world, call, fault.as_ref()).or_else(|| fault.as_ref().and_then(effect)), own_envelope)
    });
    let answer = Answer { shared, call, op, version, own_envelope };
    match effect {
        Some(Effect::Refuse(error)) => answer.refuse(&error),
        Some(Effect::Throttle(error, minutes)) => {
            let account = answer.count_refused();
            reply::throttled(shared, account, &error, minutes, version)
        }
        Some(Effect::Html) => {
            answer.count_refused();
            reply::html_502()
        }
        Some(Effect::Hang(ms)) => {
            answer.count_refused();
            hang(shared, call.peer, ms).await;
            shared.connections.cut(call.peer, Cut::Close);
            Response::default()
        }
        Some(Effect::Pretend(body)) => answer.success(body),
        Some(Effect::Lose(how)) => {
            let done = shared.with(work);
            if done.is_err() {
                answer.count_refused();
            }
            shared.connections.cut(call.peer, how);
            Response::default()
        }
        Some(Effect::Hold) if !held(shared, call).await => {
            answer.count_refused();
            Response::default()
        }
        Some(Effect::Hold) | None => match shared.with(work) {
            Ok(body) => answer.success(body),
            Err(error) => answer.refuse(&error),
        },
    }
}

/// A code that is said to be used must be so from then on.
fn used_code(world: &mut World, call: &Call, fault: Option<&Fired>) -> Option<Effect> {
    fault.filter(|fault| fault.name == "code_exchange_used")?;
    if let Some(code) = call.text("code").and_then(|code| world.codes.get_mut(&code)) {
        code.used = true;
    }
    let mut error = GraphError::code_used();
    if is_instagram_exchange(world, call) {
        "Matching code was not found or was already used".clone_into(&mut error.message);
    }
    Some(Effect::Refuse(error))
}

/// How this call is answered.
struct Answer<'a> {
    shared: &'a Arc<Shared>,
    call: &'a Call,
    op: Op,
    version: &'a str,
    own_envelope: bool,
}

impl Answer<'_> {
    fn count_refused(&self) -> Option<usize> {
        self.shared.with(|world| {
            world.counters.oauth.refuse(self.op);
            access::token_account(world, self.call)
        })
    }

    fn success(&self, body: Value) -> Response {
        if self.own_envelope {
            return reply::plain(200, &body);
        }
        let (body, account) =
            self.shared.read(|world| (super::spelled(world, body), access::token_account(world, self.call)));
        reply::success(self.shared, account, body, self.version)
    }

    fn refuse(&self, error: &GraphError) -> Response {
        let account = self.count_refused();
        if self.own_envelope {
            return reply::instagram_refusal(error);
        }
        reply::refusal(self.shared, self.call, account, error, self.version)
    }
}
