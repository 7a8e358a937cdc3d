//! Two of the things Meta is known for: an answer that is lost on its way, and a rate limit.

use crate::check::eventually::eventually;
use crate::check::journey::{Journey, is_sent, text};
use crate::check::service::items;
use anyhow::ensure;
use serde_json::json;

const UNLUCKY: &str = "900000000000921";
const LIMITED: &str = "7000000000000921";

/// Meta took the reply, but we never heard so: it is shown as unknown, never sent again, and settled by its echo.
pub async fn lost_answer(journey: &mut Journey) -> anyhow::Result<String> {
    let account = journey.account_id("instagram")?;
    let before = journey.meta.counters().await?["answersLost"].as_u64().unwrap_or(0);
    journey.meta.fault("answer_lost", &account, json!({ "how": "reset" })).await?;
    // Time to see that it is unknown before the echo says what became of it.
    journey.meta.fault("echo_late", &account, json!({ "ms": 3_000 })).await?;
    journey.meta.write(&account, UNLUCKY, json!({ "text": "Can you hear me?" })).await?;
    let unknown =
        journey.service.message(&journey.pro, UNLUCKY, "an unknown outcome", |one| one["status"] == "unknown").await?;
    ensure!(unknown["error"]["class"] == "unknown_outcome", "its error is {}", unknown["error"]);
    let settled = |one: &serde_json::Value| one["id"] == unknown["id"] && is_sent(one);
    let settled = journey.service.message(&journey.pro, UNLUCKY, "a settled outcome", settled).await?;
    journey.idle().await?;
    let sent = journey.meta.sent(&account, UNLUCKY).await?;
    ensure!(sent.len() == 1, "Meta took {} messages", sent.len());
    ensure!(sent[0]["mid"] == settled["externalId"], "the settled message is not the one Meta took");
    let lost = journey.meta.counters().await?["answersLost"].as_u64().unwrap_or(0) - before;
    ensure!(lost == 1, "{lost} answers were lost");
    Ok("The reply was shown as unknown, then as sent when its echo came; Meta took it once.".to_owned())
}

/// Meta refuses for a minute: the reply waits for it.
pub async fn rate_limit(journey: &mut Journey) -> anyhow::Result<String> {
    let account = journey.account("pro", "facebook")?;
    let (id, connection) = (text(&account, "accountId")?, text(&account, "connectionId")?);
    journey.meta.fault("rate_limit", &id, json!({ "code": 613, "minutes": 1 })).await?;
    journey.meta.write(&id, LIMITED, json!({ "text": "One of many" })).await?;
    let job = eventually("a snoozed job", async || {
        let jobs = journey.service.get(&journey.operator, "/api/admin/jobs?kind=message.send&state=snoozed").await?;
        Ok(items(&jobs).iter().find(|job| job["connectionId"] == connection.as_str()).cloned())
    })
    .await?;
    ensure!(job["error"]["class"] == "rate_limited", "its error is {}", job["error"]);
    ensure!(job["attempt"] == 0, "waiting cost {} tries", job["attempt"]);
    let queued = |one: &serde_json::Value| one["direction"] == "outbound" && one["status"] == "queued";
    journey.service.message(&journey.pro, LIMITED, "a queued reply", queued).await?;
    let sent = journey.meta.sent(&id, LIMITED).await?.len();
    ensure!(sent == 0, "Meta took {sent} messages");
    Ok(format!("The reply waits, queued, until {}; the wait costs no try.", text(&job, "runAt")?))
}
