//! Meta's two calls about a person: they removed the app, or want their data gone.
//! What is sent is chosen freely, for a program must also withstand what Meta would never send.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    config::SignWith,
    oauth::{callbacks, codes::Subject},
    world::{Shared, World, accounts::Login, tokens::Death},
};

use super::{Answer, error::ControlError, input::Input, tokens};

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Deauthorize,
    DataDeletion,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CallbackInput {
    account_id: Option<String>,
    person_id: Option<String>,
    user_id: Option<String>,
    product: Option<Login>,
    issued_at: Option<i64>,
    sign_with: Option<SignWith>,
    payload: Option<Box<RawValue>>,
    times: Option<usize>,
}

/// The most copies at once.
const MOST: usize = 100;
/// A data deletion request is good for an hour, as in Meta's sample.
const EXPIRES_S: i64 = 3_600;

/// A call, ready to be made outside the lock.
struct Ready {
    url: String,
    signed_request: String,
    budget_ms: u64,
    times: usize,
}

/// `POST deauthorize` and `POST data-deletion`
pub(crate) async fn send(shared: &Arc<Shared>, input: &Input, kind: Kind) -> Answer {
    let ready = shared.with(|world| prepare(world, input, kind))?;
    let mut results = Vec::with_capacity(ready.times);
    for _ in 0..ready.times {
        results.push(one(shared, &ready).await);
    }
    Ok((200, json!({"results": results, "signedRequest": ready.signed_request})))
}

async fn one(shared: &Arc<Shared>, ready: &Ready) -> Value {
    // The alphabet of a signed request needs no escaping in a form.
    let form = format!("signed_request={}", ready.signed_request);
    let request = shared
        .http
        .post(&ready.url)
        .header("content-type", "application/x-www-form-urlencoded")
        .timeout(Duration::from_millis(ready.budget_ms))
        .body(form);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(_) => return json!({"status": null, "body": null, "error": "no answer"}),
    };
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    json!({"status": status, "body": body})
}

fn prepare(world: &mut World, input: &Input, kind: Kind) -> Result<Ready, ControlError> {
    let wanted: CallbackInput = input.json()?;
    let times = wanted.times.unwrap_or(1);
    if !(1..=MOST).contains(&times) {
        return Err(ControlError::invalid("times is 1 to 100"));
    }
    let named = wanted.account_id.is_some() || wanted.person_id.is_some();
    let subject = match named {
        true => Some(tokens::subject(world, wanted.account_id.as_deref(), wanted.person_id.as_deref())?),
        false if wanted.user_id.is_none() && wanted.payload.is_none() => {
            return Err(ControlError::invalid("give accountId, personId, userId or payload"));
        }
        false => None,
    };
    let subject = subject.map(|subject| person_behind(world, subject));
    let product = wanted.product.unwrap_or_else(|| product(world, subject, kind));
    let Some(url) = address(world, product, kind) else {
        return Err(ControlError::invalid("no address is set for this product; see settings"));
    };
    let now = wanted.issued_at.unwrap_or_else(|| world.clock.now() / 1000);
    let expires = (kind == Kind::DataDeletion).then_some(now + EXPIRES_S);
    let payload = match &wanted.payload {
        // A text is taken as the payload itself, so that it can be no JSON at all.
        Some(raw) => serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned()),
        None => {
            let own = subject.and_then(|subject| app_scoped(world, subject));
            callbacks::payload(&wanted.user_id.clone().or(own).unwrap_or_default(), now, expires)
        }
    };
    let with = wanted.sign_with.unwrap_or(SignWith::Product);
    let (secret, _) = world.signing_secret(product, with);
    let signed_request = callbacks::sign(secret, &payload);
    // Only what Meta itself would send means that the person has gone.
    let genuine = with != SignWith::Wrong && wanted.payload.is_none() && wanted.user_id.is_none();
    if let (Some(subject), Kind::Deauthorize, true) = (subject, kind, genuine) {
        world.kill_tokens(subject, Death::AppRemoved);
    }
    Ok(Ready { url, signed_request, budget_ms: world.config.answer_budget_ms, times })
}

/// A Page has no login: whoever has granted it is meant.
fn person_behind(world: &World, subject: Subject) -> Subject {
    let Subject::Account(account) = subject else { return subject };
    let of = world.accounts.get(account);
    if of.logins.contains(&Login::Instagram) {
        return subject;
    }
    let page = of.page.unwrap_or(account);
    let granted = |person: &usize| world.granted(*person).iter().any(|managed| managed.page == page);
    (0..world.managers.len()).find(granted).map_or(subject, Subject::Person)
}

fn product(world: &World, subject: Option<Subject>, kind: Kind) -> Login {
    match subject {
        Some(Subject::Person(_)) => Login::Facebook,
        Some(Subject::Account(account)) => {
            let instagram = world.accounts.get(account).logins.contains(&Login::Instagram);
            if instagram { Login::Instagram } else { Login::Facebook }
        }
        None if address(world, Login::Instagram, kind).is_some() => Login::Instagram,
        None => Login::Facebook,
    }
}

fn app_scoped(world: &World, subject: Subject) -> Option<String> {
    match subject {
        Subject::Person(person) => Some(world.managers[person].app_scoped_id.clone()),
        // A Page that nobody has granted: somebody must have, so it is whoever comes first.
        Subject::Account(account) => {
            let scoped = world.accounts.get(account).app_scoped_id.clone();
            scoped.or_else(|| world.managers.first().map(|person| person.app_scoped_id.clone()))
        }
    }
}

fn address(world: &World, product: Login, kind: Kind) -> Option<String> {
    let config = &world.config;
    match (kind, product) {
        (Kind::Deauthorize, Login::Instagram) => config.deauthorize_url_instagram.clone(),
        (Kind::Deauthorize, Login::Facebook) => config.deauthorize_url_facebook.clone(),
        (Kind::DataDeletion, Login::Instagram) => config.data_deletion_url_instagram.clone(),
        (Kind::DataDeletion, Login::Facebook) => config.data_deletion_url_facebook.clone(),
    }
}
