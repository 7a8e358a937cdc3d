//! Deciding on a dialog without a browser: what the page's form would do, asked for in JSON.
//! An address whose dialog would be an error page is refused with the sentence of that page.

use serde::Deserialize;
use serde_json::json;

use crate::{
    graph::call::Call,
    oauth::{
        decide::{self, Decision, Impossible},
        request,
    },
    world::World,
};

use super::{Answer, error::ControlError, input::Input};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Said {
    #[default]
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConsentInput {
    auth_url: String,
    #[serde(default)]
    decision: Said,
    person_id: Option<String>,
    account_id: Option<String>,
    accounts: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
}

/// `POST consent`
pub(crate) fn decide(world: &mut World, input: &Input) -> Answer {
    let wanted: ConsentInput = input.json()?;
    let url = reqwest::Url::parse(&wanted.auth_url).map_err(|_| ControlError::invalid("authUrl is no address"))?;
    let call = Call::open(&url);
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let product = request::product_of(call.host, &path)
        .ok_or_else(|| ControlError::invalid("authUrl is the address of no dialog here"))?;
    let asked = request::check(world, &call, product).map_err(|wrong| ControlError::invalid(&wrong.0))?;
    if let Some(scopes) = &wanted.scopes
        && let Some(unasked) = scopes.iter().find(|scope| !asked.scopes.contains(scope))
    {
        return Err(ControlError::invalid(&format!("the dialog does not ask for {unasked}")));
    }
    let decision = Decision {
        allow: wanted.decision == Said::Allow,
        person: wanted.person_id,
        account: wanted.account_id,
        accounts: wanted.accounts,
        scopes: wanted.scopes,
    };
    world.counters.oauth.dialogs += 1;
    let done = decide::decide(world, &asked, &decision).map_err(|why| match why {
        Impossible::UnknownPerson(id) => ControlError::unknown_person(&id),
        Impossible::UnknownAccount(id) => ControlError::unknown_account(&id),
        Impossible::Invalid(why) => ControlError::invalid(why),
    })?;
    Ok((200, json!({"redirectTo": done.redirect_to, "code": done.code})))
}
