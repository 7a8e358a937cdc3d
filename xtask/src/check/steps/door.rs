//! What the service lets in and what it does not, and what it says of its own health.

use crate::check::journey::{Journey, text};
use crate::check::service::{Caller, items};
use anyhow::ensure;
use serde_json::json;

/// It is ready to work.
pub async fn ready(journey: &mut Journey) -> anyhow::Result<String> {
    let alive = journey.service.get(&Caller::Nobody, "/healthz").await?;
    let ready = journey.service.get(&Caller::Nobody, "/readyz").await?;
    ensure!(alive["ok"] == true && ready["ready"] == true, "/readyz says {ready}");
    let workers = &ready["checks"]["workers"]["live"];
    Ok(format!("The database takes writes, the schema is up to date, {workers} live worker process."))
}

/// The Pro shop's user signs in.
pub async fn sign_in(journey: &mut Journey) -> anyhow::Result<String> {
    let shop = journey.shop("pro")?;
    let (email, password) = (text(shop, "email")?, text(shop, "password")?);
    let (caller, body) = journey.service.sign_in(&email, &password).await?;
    ensure!(body["organization"]["plan"] == "pro", "the organization is {}", body["organization"]);
    let me = journey.service.get(&caller, "/api/auth/me").await?;
    ensure!(me["user"]["email"] == email.as_str(), "/api/auth/me says {me}");
    let nobody = journey.service.try_get(&Caller::Nobody, "/api/auth/me").await?.status;
    ensure!(nobody == 401, "without the cookie the answer is {nobody}");
    journey.pro = caller;
    Ok(format!("{email} is signed in on plan pro; without the cookie it is 401."))
}

/// Its accounts are listed.
pub async fn connections(journey: &mut Journey) -> anyhow::Result<String> {
    let list = journey.service.get(&journey.pro, "/api/meta/connections").await?;
    let rows = items(&list);
    ensure!(rows.len() == 2, "there are {} connections", rows.len());
    for row in rows {
        ensure!(row["status"] == "active" && row["autoReply"]["mode"] == "template", "a connection is {row}");
        ensure!(row.get("token").is_none() && row.get("accessToken").is_none(), "a token is shown");
    }
    Ok("Instagram and Facebook are active, each with a template reply; no token is shown.".to_owned())
}

/// Meta's subscription handshake.
pub async fn handshake(journey: &mut Journey) -> anyhow::Result<String> {
    let right = text(&journey.facts, "verifyToken")?;
    for endpoint in ["instagram", "facebook"] {
        let path = |token: &str| {
            format!("/api/webhooks/{endpoint}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444")
        };
        let answer = journey.service.try_get(&Caller::Nobody, &path(&right)).await?;
        ensure!(answer.status == 200 && answer.text == "1158201444", "the right token got {}", answer.status);
        let refused = journey.service.try_get(&Caller::Nobody, &path("wrong")).await?;
        ensure!(refused.status == 403, "a wrong token got {}", refused.status);
    }
    Ok("Both endpoints give the challenge back for the right token, and 403 for a wrong one.".to_owned())
}

/// Only what Meta signed is taken.
pub async fn signatures(journey: &mut Journey) -> anyhow::Result<String> {
    for object in ["instagram", "page"] {
        for key in ["wrong", "none"] {
            let delivery = json!({ "object": object, "body": { "object": object, "entry": [] }, "signWith": key });
            let answer = journey.meta.post("deliver", delivery).await?;
            ensure!(answer["statuses"]["401"] == 1, "signed with {key}, {object} got {}", answer["statuses"]);
        }
    }
    let deliveries = journey.service.get(&journey.operator, "/api/admin/deliveries").await?;
    ensure!(items(&deliveries).is_empty(), "something of it was stored");
    Ok("A wrong and a missing signature are 401 at both endpoints, and nothing is stored.".to_owned())
}

/// At the end everything is as it should be.
pub async fn healthy(journey: &mut Journey) -> anyhow::Result<String> {
    journey.idle().await?;
    let ready = journey.service.get(&Caller::Nobody, "/readyz").await?;
    ensure!(ready["ready"] == true, "/readyz says {ready}");
    let figures = journey.service.try_get(&Caller::Nobody, "/metrics").await?.text;
    for name in ["retail_assist_webhooks_total", "retail_assist_jobs_total", "retail_assist_workers_live 1"] {
        ensure!(figures.contains(name), "/metrics has no {name}");
    }
    let discarded = journey.service.get(&journey.operator, "/api/admin/jobs?state=discarded").await?;
    ensure!(items(&discarded).is_empty(), "jobs were discarded: {discarded}");
    let counters = journey.meta.counters().await?;
    let failed = &counters["webhooksFailed"];
    ensure!(*failed == 0, "{failed} webhooks were not answered 200");
    // People wrote by hand there, too; how often the model answered was seen at that desk.
    let desk = journey.account("team", "instagram")?;
    let more = journey.meta.answered_twice_but_at(&text(&desk, "accountId")?).await?;
    ensure!(more == 0, "{more} messages were answered more than once");
    Ok(format!(
        "Ready, figures kept, no job discarded; Meta counted {} messages in, {} sent, none answered twice.",
        counters["messagesIn"], counters["sendsAccepted"]
    ))
}
