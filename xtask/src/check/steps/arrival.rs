//! The main job: a direct message is stored, answered once, its echo merged, and coming again changes nothing.

use crate::check::journey::{First, Journey, text};
use crate::check::service::items;
use anyhow::{Context as _, ensure};
use serde_json::json;

const WORDS: &str = "Do you have it in blue?";
/// Somebody who is not in the demo's data.
const REPEATED: &str = "900000000000901";
const TIMES: u64 = 20;

/// A customer writes, and it is in the inbox.
pub async fn stored(journey: &mut Journey) -> anyhow::Result<String> {
    let (account, customer) = first_customer(journey)?;
    let mid = journey.meta.write(&account, &customer, json!({ "text": WORDS })).await?;
    let conversation = journey.service.conversation(&journey.pro, &customer).await?;
    ensure!(conversation["unreadCount"] == 1, "unreadCount is {}", conversation["unreadCount"]);
    ensure!(!conversation["windowClosesAt"].is_null(), "the conversation has no window");
    let message = journey
        .service
        .message(&journey.pro, &customer, "the message", |one| one["externalId"] == mid.as_str())
        .await?;
    for (name, value) in [("direction", "inbound"), ("kind", "text"), ("text", WORDS)] {
        ensure!(message[name] == value, "{name} is {}", message[name]);
    }
    let (conversation, inbound) = (text(&conversation, "id")?, text(&message, "id")?);
    journey.first = Some(First { conversation, inbound, mid, outbound: None });
    Ok("The message is in the inbox as text, unread, with an open window.".to_owned())
}

/// It is answered, once.
pub async fn answered(journey: &mut Journey) -> anyhow::Result<String> {
    let (account, customer) = first_customer(journey)?;
    let first = journey.first()?;
    let reply = journey.answered_once(&journey.pro, &account, &customer, &first.mid).await?;
    ensure!(reply["inReplyTo"] == first.inbound.as_str(), "the reply answers {}", reply["inReplyTo"]);
    let sent = journey.meta.sent(&account, &customer).await?;
    ensure!(sent.len() == 1 && sent[0]["text"] == reply["text"], "Meta took {sent:?}");
    let outbound = Some(text(&reply, "id")?);
    journey.first = Some(First { outbound, ..first });
    Ok("Meta took exactly one reply; the thread shows it as sent and as the answer to the message.".to_owned())
}

/// Meta tells of our own message; it is not stored a second time.
pub async fn echo_merged(journey: &mut Journey) -> anyhow::Result<String> {
    let (_, customer) = first_customer(journey)?;
    let outbound = journey.first()?.outbound.context("there was no reply, so no echo")?;
    journey.echo_merged(&journey.pro, &customer, &outbound).await?;
    Ok("Meta's echo of the reply is merged into it; the thread has one outbound message.".to_owned())
}

/// The same delivery many times at once, and many times again.
pub async fn redelivered(journey: &mut Journey) -> anyhow::Result<String> {
    let account = journey.account_id("instagram")?;
    let before = journey.usage().await?;
    journey.meta.fault("duplicate", &account, json!({ "copies": TIMES - 1 })).await?;
    let mid = journey.meta.write(&account, REPEATED, json!({ "text": "Twenty times the same" })).await?;
    journey.answered_once(&journey.pro, &account, REPEATED, &mid).await?;
    journey.idle().await?;
    let counters = journey.meta.counters().await?;
    ensure!(counters["duplicates"] == TIMES - 1, "Meta made {} copies", counters["duplicates"]);
    let deliveries = journey.meta.get(&format!("deliveries?accountId={account}&bodies=true")).await?;
    let body = items(&deliveries).iter().filter_map(|one| one["body"].as_str()).find(|body| body.contains(&mid));
    let again = json!({
        "object": "instagram", "bodyText": body.context("the local Meta shows no body")?, "times": TIMES, "parallel": TIMES,
    });
    let answer = journey.meta.post("deliver", again).await?;
    ensure!(answer["statuses"]["200"] == TIMES, "the answers were {}", answer["statuses"]);
    journey.idle().await?;

    let messages = journey.service.messages(&journey.pro, REPEATED).await?;
    let sent = journey.meta.sent(&account, REPEATED).await?.len();
    ensure!(messages.len() == 2 && sent == 1, "there are {} messages, and {sent} were sent", messages.len());
    let after = journey.usage().await?;
    let used = (after.0 - before.0, after.1 - before.1);
    ensure!(used == (1, 1), "{} messages and {} replies were counted", used.0, used.1);
    Ok(format!("{TIMES} deliveries at once and {TIMES} more: one message, one reply, one counted use."))
}

fn first_customer(journey: &Journey) -> anyhow::Result<(String, String)> {
    let account = journey.account("pro", "instagram")?;
    Ok((text(&account, "accountId")?, text(&account["customers"][0], "id")?))
}
