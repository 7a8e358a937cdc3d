//! The Graph API as far as signing in and messaging need it: one entry point, and a file for each kind of call.
//! Which host is meant comes from the path's prefix, or at the bare origin from the token.

pub(crate) mod accept;
pub(crate) mod access;
pub(crate) mod account_list;
pub(crate) mod app_subscriptions;
pub(crate) mod attachments;
pub(crate) mod call;
pub(crate) mod conversations;
pub(crate) mod debug_token;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod guard;
pub(crate) mod identity;
pub(crate) mod outgoing;
pub(crate) mod page;
pub(crate) mod permissions;
pub(crate) mod profile;
pub(crate) mod refusals;
pub(crate) mod reply;
pub(crate) mod send;
pub(crate) mod subscribed;
pub(crate) mod usage;
pub(crate) mod versions;
pub(crate) mod waiting;

use std::sync::Arc;

use poem::Response;
use serde_json::Value;

use crate::{
    oauth::{dialog, exchange, refresh, request},
    world::{Shared, World, oauth_counters::Op},
};

use self::{
    call::{Call, Host},
    error::GraphError,
};

/// Answers a call to any of the five hosts.
pub(crate) async fn answer(shared: &Arc<Shared>, call: Call) -> Response {
    let now = shared.read(|world| world.clock.now());
    let asked = call.version.clone();
    let asked = asked.unwrap_or_else(|| shared.read(|world| world.config.default_version.clone()));
    let Some(version) = versions::served(&asked, now) else {
        return reply::refusal(shared, &call, None, &GraphError::unknown_path(&call.shown_path()), &asked);
    };
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    if let Some(product) = request::product_of(call.host, &path) {
        return dialog::answer(shared, &call, product);
    }
    if let Some(response) = tokens(shared, &call, &path, &version).await {
        return response;
    }
    if let Some(response) = reading(shared, &call, &path, &version).await {
        return response;
    }
    let result = match (call.method.as_str(), path.as_slice()) {
        ("POST", [who, "messages"]) => return send::messages(shared, &call, who, &version).await,
        ("GET", [who, "conversations"]) => shared.with(|world| conversations::list(world, &call, who, &version)),
        (_, [app, "subscriptions"]) => app_subscriptions::edge(shared, &call, app, &version).await,
        ("GET", [who, "businesses"]) => shared.read(|world| account_list::businesses(world, &call, who)),
        ("GET", [who, edge @ ("owned_pages" | "client_pages")]) => {
            shared.with(|world| account_list::of_business(world, &call, who, edge, &version))
        }
        ("GET", [who]) => shared.with(|world| profile::read(world, &call, who)),
        ("GET", _) => Err(GraphError::unknown_path(&call.shown_path())),
        _ => Err(GraphError::unsupported_post()),
    };
    let account = shared.read(|world| access::token_account(world, &call));
    match result {
        Ok(body) => {
            let body = shared.read(|world| spelled(world, body));
            reply::success(shared, account, body, &version)
        }
        Err(error) => reply::refusal(shared, &call, account, &error, &version),
    }
}

/// `success` as text, where that is switched on.
pub(crate) fn spelled(world: &World, mut body: Value) -> Value {
    if world.config.success_as_string && body["success"] == true {
        body["success"] = "true".into();
    }
    body
}

/// Calls that give a token.
async fn tokens(shared: &Arc<Shared>, call: &Call, path: &[&str], version: &str) -> Option<Response> {
    let instagram = matches!(call.host, Host::InstagramGraph | Host::Any);
    let response = match (call.method.as_str(), path) {
        ("POST", ["oauth", "access_token"]) if shared.read(|world| guard::is_instagram_exchange(world, call)) => {
            guard::run(shared, call, Op::CodeExchange, version, |world| exchange::instagram_code(world, call)).await
        }
        ("GET" | "POST", ["oauth", "access_token"]) if matches!(call.host, Host::FacebookGraph | Host::Any) => {
            match call.text("grant_type").as_deref() {
                Some("fb_exchange_token") => {
                    guard::run(shared, call, Op::LongLived, version, |world| exchange::facebook_long(world, call)).await
                }
                Some("client_credentials") => match shared.with(|world| exchange::facebook_app(world, call)) {
                    Ok(body) => reply::success(shared, None, body, version),
                    Err(error) => reply::refusal(shared, call, None, &error, version),
                },
                _ => {
                    guard::run(shared, call, Op::CodeExchange, version, |world| exchange::facebook_code(world, call))
                        .await
                }
            }
        }
        ("GET", ["access_token"]) if instagram => {
            guard::run(shared, call, Op::LongLived, version, |world| exchange::instagram_long(world, call)).await
        }
        ("GET", ["refresh_access_token"]) if instagram => {
            guard::run(shared, call, Op::Refresh, version, |world| refresh::refresh(world, call)).await
        }
        (method, ["access_token" | "refresh_access_token"]) if instagram => {
            reply::refusal(shared, call, None, &GraphError::unsupported(method), version)
        }
        _ => return None,
    };
    Some(response)
}

/// Calls about a token and its holder that are counted and can be struck.
async fn reading(shared: &Arc<Shared>, call: &Call, path: &[&str], version: &str) -> Option<Response> {
    let (op, work): (Op, Work<'_>) = match (call.method.as_str(), path) {
        ("GET", ["debug_token"]) => (Op::DebugToken, Box::new(|world| debug_token::read(world, call))),
        ("GET", [who, "accounts"]) => {
            (Op::AccountList, Box::new(move |world| account_list::accounts(world, call, who, version)))
        }
        ("GET", [who, "permissions"]) => (Op::Permissions, Box::new(|world| permissions::list(world, call, who))),
        ("DELETE", [who, "permissions"]) => (Op::Revoke, Box::new(|world| permissions::remove(world, call, who, None))),
        ("DELETE", [who, "permissions", one]) => {
            (Op::Revoke, Box::new(|world| permissions::remove(world, call, who, Some(one))))
        }
        (method, [who, "subscribed_apps"]) => {
            let op = match method {
                "POST" => Op::Subscribe,
                "DELETE" => Op::Unsubscribe,
                _ => Op::SubscriptionRead,
            };
            (op, Box::new(|world| subscribed::edge(world, call, who)))
        }
        ("GET", [who]) if shared.read(|world| identity::is_own(world, call, who)) => {
            (Op::Identity, Box::new(|world| identity::read(world, call, who)))
        }
        _ => return None,
    };
    Some(guard::run(shared, call, op, version, work).await)
}

/// What a call does once nothing stands in its way.
type Work<'a> = Box<dyn FnOnce(&mut World) -> Result<Value, GraphError> + Send + 'a>;
