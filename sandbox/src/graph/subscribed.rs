//! `subscribed_apps`: turning an account's webhooks on and off.
//! A subscription that Meta ended after an hour of failures comes back only this way.

use poem::http::Method;
use serde_json::{Value, json};

use crate::{
    oauth::scopes,
    world::{World, accounts::Platform},
};

use super::{
    access::{self, Caller},
    call::Call,
    error::GraphError,
};

/// What a Page can be subscribed to; names only Instagram knows are not among them.
const PAGE_FIELDS: [&str; 20] = [
    "feed",
    "mention",
    "name",
    "messages",
    "messaging_postbacks",
    "messaging_optins",
    "message_deliveries",
    "message_reads",
    "message_echoes",
    "message_edits",
    "message_reactions",
    "messaging_referrals",
    "messaging_handovers",
    "messaging_policy_enforcement",
    "messaging_account_linking",
    "response_feedback",
    "ratings",
    "leadgen",
    "picture",
    "standby",
];

const INSTAGRAM_FIELDS: [&str; 17] = [
    "comments",
    "live_comments",
    "mentions",
    "messages",
    "message_echoes",
    "message_reactions",
    "message_edit",
    "message_edits",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_seen",
    "messaging_optins",
    "messaging_handover",
    "messaging_policy_enforcement",
    "response_feedback",
    "story_insights",
    "standby",
];

/// Every field of a webhook object.
pub(crate) fn fields_of(object: &str) -> &'static [&'static str] {
    if object == "page" { &PAGE_FIELDS } else { &INSTAGRAM_FIELDS }
}

/// All three methods of the edge.
pub(crate) fn edge(world: &mut World, call: &Call, who: &str) -> Result<Value, GraphError> {
    let caller = access::caller(world, call, who == "me")?;
    if !access::is_caller(world, caller, who) {
        return Err(GraphError::no_such_object(who));
    }
    match caller.platform {
        Platform::Facebook => caller.bearer.needs(world, "pages_manage_metadata")?,
        Platform::Instagram => caller.bearer.needs(world, scopes::INSTAGRAM_BASIC)?,
    }
    match call.method {
        Method::GET => Ok(list(world, caller)),
        Method::POST => {
            access::needs_task(world, caller.bearer, "MODERATE")?;
            install(world, call, caller)
        }
        Method::DELETE => {
            set(world, caller, false, None);
            Ok(json!({"success": true}))
        }
        _ => Err(GraphError::unsupported_post()),
    }
}

fn list(world: &World, caller: Caller) -> Value {
    let account = world.accounts.get(caller.account);
    if !account.subscribed {
        return json!({"data": []});
    }
    let fields = &account.subscribed_fields;
    match caller.platform {
        Platform::Instagram => {
            json!({"data": [{"id": world.config.instagram_app_id, "subscribed_fields": fields}]})
        }
        Platform::Facebook => json!({"data": [{
            "category": "Business", "link": "https://example.test/", "name": "Sandbox app",
            "id": world.config.meta_app_id, "subscribed_fields": fields,
        }]}),
    }
}

fn install(world: &mut World, call: &Call, caller: Caller) -> Result<Value, GraphError> {
    let fields: Vec<String> = match call.value("subscribed_fields") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => text.split(',').map(|field| field.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    if fields.iter().all(String::is_empty) {
        return Err(GraphError::invalid("(#100) The parameter subscribed_fields is required."));
    }
    if caller.platform == Platform::Facebook {
        let wrong = fields.iter().position(|field| !PAGE_FIELDS.contains(&field.as_str()));
        if let Some(wrong) = wrong {
            let known = PAGE_FIELDS.join(", ");
            let text = format!("(#100) Param subscribed_fields[{wrong}] must be one of {{{known}}}");
            return Err(GraphError::invalid(text));
        }
    }
    set(world, caller, true, Some(fields));
    Ok(json!({"success": true}))
}

/// A Page's subscription carries the linked Instagram account's.
fn set(world: &mut World, caller: Caller, on: bool, fields: Option<Vec<String>>) {
    let linked = world.accounts.get(caller.account).instagram;
    for index in [Some(caller.account), linked].into_iter().flatten() {
        let account = world.accounts.get_mut(index);
        if on {
            account.subscribe(fields.clone());
        } else {
            account.subscribed = false;
        }
    }
}
