//! Messages that are not plain text, and what people do to messages afterwards.

use crate::check::journey::Journey;
use anyhow::ensure;
use serde_json::{Value, json};

/// Each kind has a customer of its own.
const PICTURE: &str = "900000000000911";
const STORY: &str = "900000000000912";
const REACTION: &str = "900000000000913";
const UNSEND: &str = "900000000000914";

/// A picture.
pub async fn picture(journey: &mut Journey) -> anyhow::Result<String> {
    let content = json!({ "attachments": [{ "type": "image" }] });
    let message = arrived(journey, PICTURE, content).await?;
    ensure!(message["kind"] == "image", "its kind is {}", message["kind"]);
    let attachment = &message["attachments"][0];
    let url = attachment["url"].as_str().unwrap_or_default();
    ensure!(attachment["type"] == "image" && url.contains("/media/"), "its attachment is {attachment}");
    Ok("Stored as kind image, with Meta's address of it.".to_owned())
}

/// An answer to a story.
pub async fn story_reply(journey: &mut Journey) -> anyhow::Result<String> {
    let content =
        json!({ "text": "Love this one", "story": { "id": "18000000000000001", "url": "https://cdn.example/s" } });
    let message = arrived(journey, STORY, content).await?;
    ensure!(message["kind"] == "story_reply", "its kind is {}", message["kind"]);
    ensure!(message["text"] == "Love this one", "its text is {}", message["text"]);
    Ok("Stored as kind story_reply, with its text.".to_owned())
}

/// A heart on a message.
pub async fn reaction(journey: &mut Journey) -> anyhow::Result<String> {
    let message = arrived(journey, REACTION, json!({ "text": "Perfect" })).await?;
    let mid = &message["externalId"];
    let account = journey.account_id("instagram")?;
    let body = json!({ "accountId": account, "customerId": REACTION, "mid": mid, "reaction": "love", "emoji": "❤️" });
    journey.meta.post("reactions", body).await?;
    let has_heart = |one: &Value| one["externalId"] == *mid && one["reactions"][0]["reaction"] == "love";
    journey.service.message(&journey.pro, REACTION, "a reaction on the message", has_heart).await?;
    Ok("The reaction love is on the message it was given to.".to_owned())
}

/// A message taken back.
pub async fn unsend(journey: &mut Journey) -> anyhow::Result<String> {
    let message = arrived(journey, UNSEND, json!({ "text": "Sorry, wrong shop" })).await?;
    let mid = &message["externalId"];
    let account = journey.account_id("instagram")?;
    journey.meta.post("unsends", json!({ "accountId": account, "customerId": UNSEND, "mid": mid })).await?;
    let is_gone = |one: &Value| one["externalId"] == *mid && one["kind"] == "deleted" && one["text"].is_null();
    journey.service.message(&journey.pro, UNSEND, "a deleted message", is_gone).await?;
    Ok("The message is kind deleted, and its text is gone.".to_owned())
}

/// Writes, and waits until it is in the inbox.
async fn arrived(journey: &Journey, customer: &str, content: Value) -> anyhow::Result<Value> {
    let account = journey.account_id("instagram")?;
    let mid = journey.meta.write(&account, customer, content).await?;
    journey.service.message(&journey.pro, customer, "the message", |one| one["externalId"] == mid.as_str()).await
}
