//! The Graph API as far as messaging needs it: one entry point, and a file for each kind of call.
//! Which host is meant comes from the path's prefix, or at the bare origin from the token.

pub(crate) mod accept;
pub(crate) mod access;
pub(crate) mod call;
pub(crate) mod conversations;
pub(crate) mod error;
pub(crate) mod outgoing;
pub(crate) mod profile;
pub(crate) mod refusals;
pub(crate) mod reply;
pub(crate) mod send;
pub(crate) mod subscribed;
pub(crate) mod usage;
pub(crate) mod versions;

use std::sync::Arc;

use poem::{Response, http::Method};

use crate::world::Shared;

use self::{call::Call, error::GraphError};

/// Answers a call to any of the five hosts.
pub(crate) async fn answer(shared: &Arc<Shared>, call: Call) -> Response {
    let now = shared.read(|world| world.clock.now());
    let asked = call.version.clone();
    let asked = asked.unwrap_or_else(|| shared.read(|world| world.config.default_version.clone()));
    let Some(version) = versions::served(&asked, now) else {
        return reply::refusal(shared, &call, None, &GraphError::unknown_path(&call.shown_path()), &asked);
    };
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let result = match (call.method.as_str(), path.as_slice()) {
        ("POST", [who, "messages"]) => return send::messages(shared, &call, who, &version).await,
        ("GET", [who, "conversations"]) => shared.with(|world| conversations::list(world, &call, who)),
        (_, [who, "subscribed_apps"]) => shared.with(|world| subscribed::edge(world, &call, who)),
        ("GET", [who]) => shared.with(|world| profile::read(world, &call, who)),
        _ if call.method == Method::GET => Err(GraphError::unknown_path(&call.shown_path())),
        _ => Err(GraphError::unsupported_post()),
    };
    let account = shared.read(|world| access::token_account(world, &call));
    match result {
        Ok(body) => reply::success(shared, account, body, &version),
        Err(error) => reply::refusal(shared, &call, account, &error, &version),
    }
}
