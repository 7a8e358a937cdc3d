//! What becomes of accounts that were connected by a login: they answer, their tokens are kept alive, and they can go.

use crate::check::eventually::eventually;
use crate::check::journey::{Connected, Journey, text};
use crate::check::service::{Caller, items};
use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};

const REFRESH: &str = "/api/admin/schedules/token.refresh_due/run-now";

/// The main job on accounts that are new: automatic reply on, message in, one reply out, echo merged.
pub async fn answers(journey: &mut Journey) -> anyhow::Result<String> {
    let caller = journey.newcomer()?;
    let page = journey.pages.first().cloned().context("no Page was connected, so there is nothing to look at")?;
    for (platform, Connected { account, connection, .. }) in [("instagram", journey.instagram()?), ("facebook", page)] {
        let words = format!("Hello from {platform}");
        let reply = json!({ "mode": "template", "text": words });
        let path = format!("/api/meta/connections/{connection}/auto-reply");
        let changed = journey.service.try_send(&caller, Method::PUT, &path, &reply).await?.expect(200)?;
        ensure!(changed["autoReply"]["mode"] == "template", "the automatic reply is {}", changed["autoReply"]);

        let customer = customer_of(journey, platform, &account)?;
        let mid = journey.meta.write(&account, &customer, json!({ "text": "Do you have tulips?" })).await?;
        let reply = journey.answered_once(&caller, &account, &customer, &mid).await?;
        journey.echo_merged(&caller, &customer, &text(&reply, "id")?).await?;
        journey.idle().await?;
        let sent = journey.meta.sent(&account, &customer).await?;
        ensure!(sent.len() == 1 && sent[0]["text"] == words.as_str(), "Meta took {sent:?}, expected {words:?} once");
    }
    Ok("On Instagram and on a Page: turned on by the API, a message stored, answered once, the echo merged.".to_owned())
}

/// The daily refresh, run out of turn: the token that is about to end gets a new life, and no other one is touched.
pub async fn refreshed(journey: &mut Journey) -> anyhow::Result<String> {
    let account = journey.account("pro", "instagram")?;
    let (id, connection) = (text(&account, "accountId")?, text(&account, "connectionId")?);
    let (left, before) = (days_left(journey, &connection).await?, journey.meta.logins().await?);
    ensure!((0..=7).contains(&left), "the token ends in {left} days, so it would not be refreshed");
    let ran = journey.service.try_send(&journey.operator, Method::POST, REFRESH, &json!({})).await?.expect(200)?;
    let daily = completed(journey, &text(&ran, "jobId")?).await?;
    ensure!(daily["due"] == 1, "{} tokens were due, expected 1", daily["due"]);
    let job = eventually("a job that refreshes the token", async || {
        let jobs = journey.service.get(&journey.operator, "/api/admin/jobs?kind=token.refresh").await?;
        Ok(items(&jobs).iter().find(|job| job["connectionId"] == connection.as_str()).cloned())
    })
    .await?;
    let result = completed(journey, &text(&job, "id")?).await?;
    ensure!(result["refreshed"] == true, "the job's result is {result}");
    let now_left = days_left(journey, &connection).await?;
    ensure!((58..=60).contains(&now_left), "the token ends in {now_left} days, expected about 60");

    let after = journey.meta.logins().await?;
    let by_account = after.by_account("refreshes", &id) - before.by_account("refreshes", &id);
    after.grew(&before, &[("refreshes", 1), ("refreshesRefused", 0)])?;
    ensure!(by_account == 1, "Meta counted {by_account} refreshes of this account, expected 1");
    let tokens = journey.meta.get(&format!("tokens?accountId={id}")).await?;
    let renewed = |token: &&Value| !token["refreshedFrom"].is_null() && token["valid"] == true;
    let renewed = items(&tokens).iter().filter(renewed).count();
    ensure!(renewed == 1, "Meta has {renewed} refreshed tokens of this account, expected 1");

    // A second run finds nothing to do.
    let ran = journey.service.try_send(&journey.operator, Method::POST, REFRESH, &json!({})).await?.expect(200)?;
    let again = completed(journey, &text(&ran, "jobId")?).await?;
    ensure!(again["due"] == 0, "{} tokens were due the second time, expected none", again["due"]);
    journey.meta.logins().await?.grew(&after, &[("refreshes", 0)])?;
    Ok(format!("The daily job, run now: the token that had {left} days left has {now_left}; Meta counted one refresh."))
}

/// An account is let go.
pub async fn disconnected(journey: &mut Journey) -> anyhow::Result<String> {
    let Connected { account, connection, .. } = journey.instagram()?;
    let (caller, before) = (journey.newcomer()?, journey.meta.logins().await?);
    let path = format!("/api/meta/connections/{connection}");
    ensure!(accounts_used(journey, &caller).await? == 3, "the plan's three places were not taken before");
    let gone = journey.service.try_delete(&caller, &path).await?;
    ensure!(gone.status == 204, "expected 204, got {} {}", gone.status, gone.text);
    journey.meta.subscribed(&account, false).await?;
    let unsubscribes = journey.meta.logins().await?.by_account("unsubscribes", &account);
    let unsubscribes = unsubscribes - before.by_account("unsubscribes", &account);
    ensure!(unsubscribes == 1, "Meta counted {unsubscribes} unsubscriptions, expected 1");
    let row = journey.service.get(&caller, &path).await?;
    ensure!(row["status"] == "disconnected", "the connection is {}, expected disconnected", row["status"]);
    ensure!(accounts_used(journey, &caller).await? == 2, "its place is not free");

    let customer = customer_of(journey, "instagram", &account)?;
    let body = json!({ "accountId": account, "customerId": customer, "text": "Are you still there?" });
    let sent = journey.meta.post("messages", body).await?;
    ensure!(sent["deliveryId"].is_null(), "Meta still sends webhooks of the account");
    let messages = journey.service.messages(&caller, &customer).await?.len();
    ensure!(messages == 2, "its conversation has {messages} messages, expected the 2 of before");
    Ok("204; Meta counted one unsubscription and sends nothing more; the conversation stays, the place is free."
        .to_owned())
}

/// Somebody who writes to an account that was there to be connected.
fn customer_of(journey: &Journey, platform: &str, account: &str) -> anyhow::Result<String> {
    let accounts = journey.to_connect(platform, false)?;
    let account = accounts.iter().find(|one| one["accountId"] == account).context("an account nobody knows")?;
    text(&account["customers"][0], "id")
}

async fn accounts_used(journey: &Journey, caller: &Caller) -> anyhow::Result<u64> {
    let plan = journey.service.get(caller, "/api/plan").await?;
    plan["accountsUsed"].as_u64().context("the plan shows no accountsUsed")
}

/// Whole days until the Pro shop's token ends.
async fn days_left(journey: &Journey, connection: &str) -> anyhow::Result<i64> {
    let row = journey.service.get(&journey.pro, &format!("/api/meta/connections/{connection}")).await?;
    let end = DateTime::parse_from_rfc3339(&text(&row, "tokenExpiresAt")?)?;
    Ok(end.signed_duration_since(Utc::now()).num_days())
}

/// What came of a job, once it has completed.
async fn completed(journey: &Journey, id: &str) -> anyhow::Result<Value> {
    eventually(&format!("the end of {id}"), async || {
        let job = journey.service.get(&journey.operator, &format!("/api/admin/jobs/{id}")).await?;
        ensure!(job["state"] != "discarded", "the job was discarded: {}", job["error"]);
        Ok((job["state"] == "completed").then(|| job["result"].clone()))
    })
    .await
}
