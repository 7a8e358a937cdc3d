//! `debug_token`: what Meta knows about a token, valid or not.
//! An invalid one is told in a good answer; a refusal here means that the caller's own token is wrong.

use serde_json::{Value, json};

use crate::world::{
    World,
    accounts::Login,
    tokens::{Kind, Token},
};

use super::{
    access::{self, Holder},
    call::Call,
    error::GraphError,
};

const NINETY_DAYS_S: i64 = 90 * 86_400;

/// `GET /debug_token?input_token=`
pub(crate) fn read(world: &World, call: &Call) -> Result<Value, GraphError> {
    let viewer = access::bearer(world, call, false)?;
    let viewing = match (viewer.token(world), viewer.holder) {
        (Some(token), _) => token.product,
        (None, Holder::App(product)) => product,
        (None, _) => Login::Facebook,
    };
    let input = call.text("input_token").ok_or_else(|| GraphError::parameter_required("input_token"))?;
    if let Some(app) = access::app(world, &input) {
        let app = app?;
        let token = World::blank_token(app);
        return if app == viewing { Ok(json!({"data": valid(world, &token)})) } else { Err(GraphError::other_app()) };
    }
    let Some(token) = world.tokens.find(&input).map(|token| world.tokens.get(token)) else {
        let error = json!({"code": 190, "message": "Invalid OAuth access token."});
        return Ok(json!({"data": {"is_valid": false, "scopes": [], "error": error}}));
    };
    if token.product != viewing {
        return Err(GraphError::other_app());
    }
    let Some(problem) = world.token_problem(token) else {
        return Ok(json!({"data": valid(world, token)}));
    };
    let message = GraphError::dead(problem, world.clock.now()).message;
    // Here it is called subcode, not error_subcode.
    let error = json!({"code": 190, "subcode": problem.subcode(), "message": message});
    let app = world.app_id(token.product);
    Ok(json!({"data": {"app_id": app, "type": kind(token), "is_valid": false, "scopes": [], "error": error}}))
}

fn kind(token: &Token) -> &'static str {
    match (token.account, token.person) {
        (Some(_), _) => "PAGE",
        (None, Some(_)) => "USER",
        (None, None) => "APP",
    }
}

fn valid(world: &World, token: &Token) -> Value {
    let grant = token.person.and_then(|person| world.managers[person].grant.as_ref());
    let mut data = json!({
        "app_id": world.app_id(token.product), "type": kind(token), "application": "Sandbox app",
        "data_access_expires_at": grant.map_or(0, |grant| grant.at / 1000 + NINETY_DAYS_S),
        "expires_at": token.expires_at.map_or(0, |at| at / 1000), "is_valid": true, "scopes": token.scopes,
    });
    if token.kind.long_lived() && token.kind != Kind::App {
        data["issued_at"] = (token.issued_at / 1000).into();
    }
    if let Some(page) = token.account {
        data["profile_id"] = world.accounts.get(page).id.clone().into();
    }
    if let Some(person) = token.person {
        data["user_id"] = world.managers[person].app_scoped_id.clone().into();
        data["granular_scopes"] = granular(world, token, person);
    }
    data
}

/// Which assets each permission is for.
fn granular(world: &World, token: &Token, person: usize) -> Value {
    let pages: Vec<usize> = world.granted(person).iter().map(|managed| managed.page).collect();
    let id = |index: usize| world.accounts.get(index).id.clone();
    let own: Vec<String> = pages.iter().copied().map(id).collect();
    let linked: Vec<String> = pages.iter().filter_map(|page| world.accounts.get(*page).instagram).map(id).collect();
    let about = token.scopes.iter().filter_map(|scope| {
        let targets = match scope.as_str() {
            name if name.starts_with("pages_") => &own,
            name if name.starts_with("instagram_") => &linked,
            _ => return None,
        };
        Some(json!({"scope": scope, "target_ids": targets}))
    });
    about.collect()
}
