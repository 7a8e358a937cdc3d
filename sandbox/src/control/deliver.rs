//! Signing and delivering given bytes, many times and in parallel: what a flood of duplicates looks like.
//! Bypasses queue, retries and faults, and answers with each status.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::task::JoinSet;

use crate::{
    config::SignWith,
    webhook::{
        body::escape,
        deliverer::post,
        outcome::{self, Outcome},
    },
    world::{Shared, accounts::Login},
};

use super::{Answer, error::ControlError, input::Input};

/// The most at once and in all.
const MOST: usize = 1000;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Signed {
    Product,
    Instagram,
    Meta,
    Wrong,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeliverInput {
    object: Option<String>,
    body: Option<Box<RawValue>>,
    body_text: Option<String>,
    times: Option<usize>,
    parallel: Option<usize>,
    sign_with: Option<Signed>,
}

/// `POST deliver`
pub(crate) async fn deliver(shared: &Arc<Shared>, input: &Input) -> Answer {
    let wanted: DeliverInput = input.json()?;
    let text = match (&wanted.body, &wanted.body_text) {
        (Some(body), None) => escape(body.get()),
        (None, Some(text)) => text.clone(),
        _ => return Err(ControlError::invalid("give either body or bodyText")),
    };
    let times = wanted.times.unwrap_or(1);
    let parallel = wanted.parallel.unwrap_or(times);
    if !(1..=MOST).contains(&times) || !(1..=MOST).contains(&parallel) {
        return Err(ControlError::invalid("times and parallel are 1 to 1000"));
    }
    let said = serde_json::from_str::<Value>(&text).ok().and_then(|body| body["object"].as_str().map(str::to_owned));
    let object = wanted.object.clone().or(said).unwrap_or_else(|| "instagram".to_owned());
    let (url, budget, headers) = shared.read(|world| {
        let app = if object == "page" { Login::Facebook } else { Login::Instagram };
        let with = match wanted.sign_with {
            Some(Signed::Product) => SignWith::Product,
            Some(Signed::Instagram) => SignWith::Instagram,
            Some(Signed::Meta) => SignWith::Meta,
            Some(Signed::Wrong) => SignWith::Wrong,
            Some(Signed::None) | None => world.config.sign_with,
        };
        let (secret, _) = world.signing_secret(app, with);
        let headers = match wanted.sign_with {
            Some(Signed::None) => Vec::new(),
            _ => outcome::headers(secret, text.as_bytes(), true),
        };
        (world.webhook_url(&object).map(str::to_owned), world.config.answer_budget_ms, headers)
    });
    let url = url.ok_or_else(|| ControlError::invalid("no webhook address is set for this object"))?;
    let outcomes = all(shared, &url, &headers, text.as_bytes(), (times, parallel, budget)).await;
    let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
    for outcome in &outcomes {
        let status = outcome.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        *statuses.entry(status).or_default() += 1;
    }
    let results: Vec<Value> = outcomes
        .iter()
        .map(|outcome| json!({"status": outcome.status, "ms": outcome.ms, "error": outcome.error}))
        .collect();
    Ok((200, json!({"results": results, "statuses": statuses})))
}

async fn all(
    shared: &Arc<Shared>,
    url: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
    (times, parallel, budget): (usize, usize, u64),
) -> Vec<Outcome> {
    let mut under_way = JoinSet::new();
    let mut outcomes = Vec::with_capacity(times);
    for _ in 0..times {
        if under_way.len() >= parallel
            && let Some(Ok(outcome)) = under_way.join_next().await
        {
            outcomes.push(outcome);
        }
        let (http, url, headers, body) = (shared.http.clone(), url.to_owned(), headers.to_vec(), body.to_vec());
        under_way.spawn(async move { post(&http, &url, &headers, body, budget).await });
    }
    while let Some(outcome) = under_way.join_next().await {
        outcomes.extend(outcome.ok());
    }
    outcomes
}
