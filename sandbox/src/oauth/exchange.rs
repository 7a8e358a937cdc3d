//! A code becomes a short-lived token, a short-lived token a long-lived one.
//! Every check of Meta stands in its order; a refused request leaves the code as it was.

use serde_json::{Value, json};

use crate::{
    config::is_local_page,
    graph::{call::Call, error::GraphError},
    world::{
        World,
        accounts::Login,
        tokens::{Kind, Token},
    },
};

use super::{
    codes::{Code, Subject},
    issue,
};

const NO_CODE: &str = "Matching code was not found or was already used";

/// `POST api.instagram.com/oauth/access_token`
pub(crate) fn instagram_code(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    let wrong = |message: &str| GraphError::invalid(message);
    if call.text("client_id").as_deref() != Some(&world.config.instagram_app_id) {
        return Err(wrong("Invalid platform app"));
    }
    if call.text("client_secret").as_deref() != Some(&world.config.instagram_app_secret) {
        return Err(wrong("Error validating client secret."));
    }
    if call.text("grant_type").as_deref() != Some("authorization_code") {
        return Err(wrong("Invalid grant_type"));
    }
    let code = call.text("code").unwrap_or_default();
    let found = usable(world, &code, Login::Instagram).ok_or_else(|| wrong(NO_CODE))?;
    if found.expired(world.clock.now()) {
        return Err(wrong("This authorization code has expired."));
    }
    if call.text("redirect_uri").as_deref() != Some(&found.redirect_uri) {
        return Err(GraphError::redirect_differs());
    }
    let Subject::Account(account) = found.subject else { return Err(wrong(NO_CODE)) };
    mark_used(world, &code);
    let scopes = found.scopes;
    let like = Token { account: Some(account), scopes: scopes.clone(), ..World::blank_token(Login::Instagram) };
    let (token, _) = world.issue(Kind::InstagramShort, &like);
    let envelope = world.config.instagram_data_envelope;
    let scoped = world.accounts.get(account).app_scoped_id.clone().unwrap_or_default();
    let numbers = world.config.instagram_ids_as_numbers.unwrap_or(!envelope);
    let list = world.config.permissions_as_array.unwrap_or(!envelope);
    let body = json!({
        "access_token": token, "user_id": id(&scoped, numbers),
        "permissions": if list { json!(scopes) } else { scopes.join(",").into() },
    });
    Ok(if envelope { json!({"data": [body]}) } else { body })
}

/// An id as text or as a bare number; one that was chosen freely may be no number.
pub(crate) fn id(id: &str, number: bool) -> Value {
    id.parse::<u64>().ok().filter(|_| number).map_or_else(|| id.into(), Value::from)
}

/// `GET graph.instagram.com/access_token`
pub(crate) fn instagram_long(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    if call.text("grant_type").as_deref() != Some("ig_exchange_token") {
        return Err(GraphError::parameter_required("grant_type"));
    }
    if call.text("client_secret").as_deref() != Some(&world.config.instagram_app_secret) {
        return Err(GraphError::client_secret());
    }
    // Not asked for by Meta, but many send it.
    if call.text("client_id").is_some_and(|id| id != world.config.instagram_app_id) {
        return Err(GraphError::unknown_app());
    }
    let text = call.token().ok_or_else(|| GraphError::no_token(false))?;
    let index = world.tokens.find(&text).ok_or_else(GraphError::unknown_token)?;
    let token = world.tokens.get(index).clone();
    if token.kind != Kind::InstagramShort {
        return Err(GraphError::unsupported("get"));
    }
    alive(world, &token)?;
    let (long, lives) = world.issue(Kind::InstagramLong, &token);
    Ok(issue::answer(&long, lives))
}

/// `graph.facebook.com/oauth/access_token` with a code.
pub(crate) fn facebook_code(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    meta_app(world, call)?;
    let code = call.text("code").ok_or_else(|| GraphError::parameter_required("code"))?;
    let redirect = call.text("redirect_uri").unwrap_or_default();
    if !registered(world, Login::Facebook, &redirect) && !redirect.is_empty() {
        return Err(GraphError::redirect_not_allowed());
    }
    let known = world.codes.get(&code).filter(|code| code.product == Login::Facebook);
    let used = known.ok_or_else(GraphError::code_unknown)?.used;
    let found = usable(world, &code, Login::Facebook).filter(|_| !used).ok_or_else(GraphError::code_used)?;
    if found.expired(world.clock.now()) {
        return Err(GraphError::code_expired());
    }
    if redirect != found.redirect_uri {
        return Err(GraphError::redirect_differs());
    }
    let Subject::Person(person) = found.subject else { return Err(GraphError::code_unknown()) };
    mark_used(world, &code);
    let like = Token { person: Some(person), scopes: found.scopes, ..World::blank_token(Login::Facebook) };
    let kind = if world.config.code_exchange_long_lived { Kind::UserLong } else { Kind::UserShort };
    let (token, lives) = world.issue(kind, &like);
    Ok(issue::answer(&token, lives.filter(|_| !world.config.code_exchange_without_expires_in)))
}

/// The same with a token instead of a code.
pub(crate) fn facebook_long(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    meta_app(world, call)?;
    let text = call.text("fb_exchange_token").ok_or_else(|| GraphError::parameter_required("fb_exchange_token"))?;
    let index = world.tokens.find(&text).ok_or_else(GraphError::unknown_token)?;
    let token = world.tokens.get(index).clone();
    if !matches!(token.kind, Kind::UserShort | Kind::UserLong) {
        return Err(GraphError::unknown_token());
    }
    alive(world, &token)?;
    let (long, lives) = world.issue(Kind::UserLong, &token);
    Ok(issue::answer(&long, lives))
}

/// The same for the app itself.
pub(crate) fn facebook_app(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    meta_app(world, call)?;
    let (token, _) = world.issue(Kind::App, &World::blank_token(Login::Facebook));
    Ok(issue::answer(&token, None))
}

fn meta_app(world: &World, call: &Call) -> Result<(), GraphError> {
    if call.text("client_id").as_deref() != Some(&world.config.meta_app_id) {
        return Err(GraphError::unknown_app());
    }
    if call.text("client_secret").as_deref() != Some(&world.config.meta_app_secret) {
        return Err(GraphError::client_secret());
    }
    Ok(())
}

/// A code of that product that has not been used.
fn usable(world: &World, code: &str, product: Login) -> Option<Code> {
    world.codes.get(code).filter(|code| code.product == product && !code.used).cloned()
}

fn mark_used(world: &mut World, code: &str) {
    if let Some(code) = world.codes.get_mut(code) {
        code.used = true;
    }
}

fn alive(world: &World, token: &Token) -> Result<(), GraphError> {
    match world.token_problem(token) {
        Some(problem) => Err(GraphError::dead(problem, world.clock.now())),
        None => Ok(()),
    }
}

/// Whether a person may be sent back to that address.
pub(crate) fn registered(world: &World, product: Login, redirect: &str) -> bool {
    let list = match product {
        Login::Instagram => &world.config.instagram_redirect_uris,
        Login::Facebook => &world.config.meta_redirect_uris,
    };
    match list {
        Some(list) => list.iter().any(|known| known == redirect),
        None => is_local_page(redirect),
    }
}
