//! Refreshing an Instagram token: at least a day old, still alive, basic permission still granted.
//! What Meta says to a token of the wrong kind is misleading, and said here in the same words.

use serde_json::Value;

use crate::{
    graph::{call::Call, error::GraphError},
    world::{
        World,
        tokens::{Kind, Token},
    },
};

use super::{issue, scopes};

const DAY_MS: i64 = 86_400_000;

fn refreshable(token: &Token) -> bool {
    match token.kind {
        Kind::InstagramLong => true,
        Kind::Fixed => token.product == crate::world::accounts::Login::Instagram,
        _ => false,
    }
}

/// `GET graph.instagram.com/refresh_access_token`
pub(crate) fn refresh(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    if call.text("grant_type").as_deref() != Some("ig_refresh_token") {
        return Err(GraphError::parameter_required("grant_type"));
    }
    let text = call.token().ok_or_else(|| GraphError::no_token(false))?;
    let index = world.tokens.find(&text).ok_or_else(GraphError::unknown_token)?;
    let token = world.tokens.get(index);
    if !refreshable(token) {
        return Err(GraphError::unsupported("get"));
    }
    let now = world.clock.now();
    if let Some(problem) = world.token_problem(token) {
        return Err(GraphError::dead(problem, now));
    }
    if !token.has(scopes::INSTAGRAM_BASIC) {
        return Err(GraphError::unsupported("get"));
    }
    if now - token.issued_at < DAY_MS {
        return Err(GraphError::too_young());
    }
    let (text, lives) = world.prolong(index);
    Ok(issue::answer(&text, Some(lives)))
}
