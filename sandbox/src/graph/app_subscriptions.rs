//! `/{app}/subscriptions`: the address and the fields of a whole app, with the verification in the middle.
//! The call waits for the program's answer, so it must be made while the program is already listening.

use std::{sync::Arc, time::Duration};

use poem::http::Method;
use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    config::is_local,
    oauth::scopes,
    world::{Shared, World, accounts::Login},
};

use super::{
    access::{self, Holder},
    call::Call,
    error::GraphError,
    subscribed,
};

/// All methods of the edge.
pub(crate) async fn edge(shared: &Arc<Shared>, call: &Call, app: &str, version: &str) -> Result<Value, GraphError> {
    shared.read(|world| match access::bearer(world, call, false)?.holder {
        Holder::App(Login::Facebook) if app == world.config.meta_app_id => Ok(()),
        Holder::App(_) => Err(GraphError::no_such_object(app)),
        _ => Err(GraphError::new(400, 15, "(#15) This method must be called with an app access_token.")),
    })?;
    match call.method {
        Method::GET => Ok(shared.read(|world| list(world, version))),
        Method::POST => subscribe(shared, call).await,
        Method::DELETE => shared.with(|world| remove(world, call)),
        _ => Err(GraphError::unsupported_post()),
    }
}

fn object(call: &Call) -> Result<&'static str, GraphError> {
    match call.text("object").as_deref() {
        Some("page") => Ok("page"),
        Some("instagram") => Ok("instagram"),
        Some(_) => Err(GraphError::invalid("(#100) Param object must be one of {page, instagram}")),
        None => Err(GraphError::parameter_required("object")),
    }
}

fn list(world: &World, version: &str) -> Value {
    let entry = |object: &'static str| {
        let url = world.webhook_url(object)?;
        let every: Vec<String> = subscribed::fields_of(object).iter().map(|name| (*name).to_owned()).collect();
        let fields = world.app_fields.get(object).unwrap_or(&every);
        let fields: Vec<Value> = fields.iter().map(|name| json!({"name": name, "version": version})).collect();
        Some(json!({"object": object, "callback_url": url, "active": true, "fields": fields}))
    };
    let data: Vec<Value> = ["page", "instagram"].into_iter().filter_map(entry).collect();
    json!({ "data": data })
}

async fn subscribe(shared: &Arc<Shared>, call: &Call) -> Result<Value, GraphError> {
    let object = object(call)?;
    let url = call.text("callback_url").ok_or_else(|| GraphError::parameter_required("callback_url"))?;
    let token = call.text("verify_token").ok_or_else(|| GraphError::parameter_required("verify_token"))?;
    let fields = scopes::split(&call.text("fields").unwrap_or_default());
    let known = subscribed::fields_of(object);
    if let Some(wrong) = fields.iter().position(|name| !known.contains(&name.as_str())) {
        let text = format!("(#100) Param fields[{wrong}] must be one of {{{}}}", known.join(", "));
        return Err(GraphError::invalid(text));
    }
    verify(shared, &url, &token).await?;
    shared.with(|world| {
        let address = if object == "page" {
            &mut world.config.webhook_url_facebook
        } else {
            &mut world.config.webhook_url_instagram
        };
        *address = Some(url);
        world.app_fields.insert(object, fields);
    });
    Ok(json!({"success": true}))
}

/// Asks the address for the challenge, as the dashboard does too.
async fn verify(shared: &Arc<Shared>, url: &str, token: &str) -> Result<(), GraphError> {
    let Some(mut address) = reqwest::Url::parse(url).ok().filter(|_| is_local(url)) else {
        return Err(GraphError::not_verified("the sandbox calls http addresses of this machine only"));
    };
    let (challenge, budget) = shared.read(|world| {
        let challenge: u32 = world.rng.random_range(1_000_000_000..=2_000_000_000);
        (challenge.to_string(), world.config.answer_budget_ms)
    });
    address
        .query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", &challenge)
        .append_pair("hub.verify_token", token);
    let answer = shared.http.get(address).timeout(Duration::from_millis(budget)).send().await;
    let Ok(answer) = answer else {
        return Err(GraphError::not_verified("The URL couldn't be validated. Response timeout or no connection."));
    };
    let status = answer.status();
    if status.as_u16() != 200 {
        let reason = status.canonical_reason().unwrap_or_default();
        let why = format!("HTTP Status Code = {}; HTTP Message = {reason}", status.as_u16());
        return Err(GraphError::not_verified(&why));
    }
    let said = answer.text().await.unwrap_or_default();
    if said != challenge {
        let said: String = said.chars().take(80).collect();
        let why = format!("Response does not match challenge, expected value=\"{challenge}\", received=\"{said}\"");
        return Err(GraphError::not_verified(&why));
    }
    Ok(())
}

fn remove(world: &mut World, call: &Call) -> Result<Value, GraphError> {
    let chosen = match call.text("object") {
        Some(_) => vec![object(call)?],
        None => vec!["page", "instagram"],
    };
    let fields = scopes::split(&call.text("fields").unwrap_or_default());
    for object in chosen {
        let every = || subscribed::fields_of(object).iter().map(|name| (*name).to_owned()).collect();
        let left = world.app_fields.entry(object).or_insert_with(every);
        left.retain(|name| !fields.is_empty() && !fields.contains(name));
        if left.is_empty() {
            world.app_fields.remove(object);
            if object == "page" {
                world.config.webhook_url_facebook = None;
            } else {
                world.config.webhook_url_instagram = None;
            }
        }
    }
    Ok(json!({"success": true}))
}
