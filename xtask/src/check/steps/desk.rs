//! A day at the desk of a shop whose plan has everything: the model answers, people send by hand, by template and for later,
//! and make leads.

use crate::check::eventually::eventually;
use crate::check::journey::{Journey, is_sent, text};
use crate::check::service::items;
use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const ASKED: &str = "900000000000104";
const BY_HAND: &str = "900000000000931";
const LATER: &str = "900000000000932";
const PICTURE: &str = "900000000000933";
/// A text is due so long after it was scheduled.
const SOON: Duration = Duration::from_secs(3);

/// The model answers, with the customer's words before it.
pub async fn model(journey: &mut Journey) -> anyhow::Result<String> {
    let account = account(journey)?;
    let asked = journey.meta.counters().await?["aiCalls"].as_u64().unwrap_or(0);
    journey.meta.write(&account, ASKED, json!({ "text": "Do you make green lamps?" })).await?;
    let team = journey.team().await?;
    let reply = |one: &Value| one["origin"] == "auto" && is_sent(one);
    let reply = journey.service.message(&team, ASKED, "the model's reply", reply).await?;
    let words = text(&reply, "text")?;
    ensure!(words.contains("Do you make green lamps?"), "these are not the model's words: {words}");
    let calls = journey.meta.counters().await?["aiCalls"].as_u64().unwrap_or(0) - asked;
    ensure!(calls == 1, "the model was asked {calls} times");
    Ok(format!("It said: {words}"))
}

/// The model fails: the account's own text goes out, with the name that Meta told.
pub async fn model_fails(journey: &mut Journey) -> anyhow::Result<String> {
    let account = account(journey)?;
    let team = journey.team().await?;
    let named = eventually("the customer's name", async || {
        let talk = journey.service.conversation(&team, ASKED).await?;
        Ok((talk["contact"]["name"] == "Gina Green").then_some(()))
    });
    named.await?;
    journey.meta.post("faults", json!({ "name": "ai_error", "count": 1 })).await?;
    let mid = journey.meta.write(&account, ASKED, json!({ "text": "And red ones?" })).await?;
    let thanks =
        |one: &Value| one["text"].as_str().is_some_and(|text| text.starts_with("Thank you, Gina.")) && is_sent(one);
    journey.service.message(&team, ASKED, "the account's own text", thanks).await?;
    journey.idle().await?;
    let replies = journey.meta.replies_to(&mid).await?;
    ensure!(replies == 1, "{replies} replies");
    Ok("The account's own text was sent once, with the customer's name from Meta.".to_owned())
}

/// A text by hand: the same request twice is one message; a long one is sent in parts.
pub async fn by_hand(journey: &mut Journey) -> anyhow::Result<String> {
    let account = account(journey)?;
    journey.meta.write(&account, BY_HAND, json!({ "text": "Hello" })).await?;
    journey.idle().await?;
    let (team, talk) = (journey.team().await?, talk(journey, BY_HAND).await?);
    let before = journey.meta.sent(&account, BY_HAND).await?.len();
    let body = json!({ "text": "Hello, this is a person." });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = journey.service.send_once(&team, &format!("{talk}/messages"), "check-by-hand", &body).await?;
        ids.push(text(&answer.expect(202)?, "id")?);
    }
    ensure!(ids[0] == ids[1], "the same request made {ids:?}");
    let reused = json!({ "text": "Something else." });
    let answer = journey.service.send_once(&team, &format!("{talk}/messages"), "check-by-hand", &reused).await?;
    answer.refused(422, "idempotency_key_reused")?;
    let long = json!({ "text": "äöü ".repeat(300) });
    journey.service.try_send(&team, Method::POST, &format!("{talk}/messages"), &long).await?.expect(202)?;
    journey.idle().await?;
    let sent = journey.meta.sent(&account, BY_HAND).await?;
    let lengths: Vec<_> = sent.iter().skip(before).filter_map(|one| one["text"].as_str()).map(str::len).collect();
    ensure!(
        lengths.len() == 4 && lengths.iter().all(|length| *length <= 1_000),
        "Meta took texts of {lengths:?} bytes"
    );
    Ok(format!("Twice the same request was one message; 2,100 bytes went out as {:?}.", &lengths[1..]))
}

/// A template: looked at, sent by hand, and chosen by a keyword.
pub async fn template(journey: &mut Journey) -> anyhow::Result<String> {
    let (team, talk) = (journey.team().await?, talk(journey, ASKED).await?);
    let wanted = json!({ "name": "Hours", "text": "Dear {{contact.firstName}}, {{account.name}} opens at nine." });
    let made = journey.service.try_send(&team, Method::POST, "/api/templates", &wanted).await?.expect(201)?;
    let id = text(&made, "id")?;
    let look = json!({ "conversationId": talk.rsplit('/').next(), "templateId": id });
    let preview = journey.service.try_send(&team, Method::POST, "/api/templates/preview", &look).await?.expect(200)?;
    let expected = "Dear Gina, Atelier opens at nine.";
    ensure!(preview["text"] == expected, "the preview is {}", preview["text"]);
    let body = json!({ "templateId": id });
    journey.service.try_send(&team, Method::POST, &format!("{talk}/messages"), &body).await?.expect(202)?;
    let sent = |one: &Value| one["text"] == expected && is_sent(one);
    journey.service.message(&team, ASKED, "the template's words", sent).await?;
    let wrong = json!({ "name": "Wrong", "text": "{{contact.nmae}}" });
    journey.service.try_send(&team, Method::POST, "/api/templates", &wrong).await?.refused(422, "invalid_request")?;
    Ok(expected.to_owned())
}

/// For later: one leaves at its time, one that was cancelled does not.
pub async fn later(journey: &mut Journey) -> anyhow::Result<String> {
    let account = account(journey)?;
    journey.meta.write(&account, LATER, json!({ "text": "Tell me later" })).await?;
    journey.idle().await?;
    let (team, talk) = (journey.team().await?, talk(journey, LATER).await?);
    let id = talk.rsplit('/').next().context("a path without an id")?.to_owned();
    let due = SystemTime::now() + SOON;
    let due_at = rfc3339(due)?;
    let mut made = Vec::new();
    for words in ["It is later now.", "This was cancelled."] {
        let body = json!({ "conversationId": id, "text": words, "dueAt": due_at });
        let answer = journey.service.try_send(&team, Method::POST, "/api/scheduled-messages", &body).await?;
        made.push(format!("/api/scheduled-messages/{}", text(&answer.expect(201)?, "id")?));
    }
    journey.service.try_delete(&team, &made[1]).await?.expect(204)?;
    let sent = |one: &Value| one["text"] == "It is later now." && is_sent(one);
    journey.service.message(&team, LATER, "the message for later", sent).await?;
    ensure!(SystemTime::now() >= due, "it was sent before its time");
    let (one, other) = (journey.service.get(&team, &made[0]).await?, journey.service.get(&team, &made[1]).await?);
    ensure!(one["status"] == "released" && other["status"] == "cancelled", "{} and {}", one["status"], other["status"]);
    journey.service.try_delete(&team, &made[0]).await?.refused(409, "already_over")?;
    let taken = journey.meta.sent(&account, LATER).await?;
    ensure!(!taken.iter().any(|one| one["text"] == "This was cancelled."), "what was cancelled was sent");
    Ok(format!("One was sent at {due_at}, the cancelled one never."))
}

/// A picture from Meta's files: seen, and a small one kept, until it is unsent.
pub async fn small_picture(journey: &mut Journey) -> anyhow::Result<String> {
    let account = account(journey)?;
    let mid = journey.meta.write(&account, PICTURE, json!({ "attachments": [{ "type": "image" }] })).await?;
    let team = journey.team().await?;
    let known = |one: &Value| one["attachments"][0]["previewUrl"].is_string();
    let message = journey.service.message(&team, PICTURE, "a small picture", known).await?;
    let preview = text(&message["attachments"][0], "previewUrl")?;
    journey.service.try_get(&team, &preview).await?.expect(200)?;
    journey.service.try_get(&journey.pro, &preview).await?.refused(404, "not_found")?;
    let unsend = json!({ "accountId": account, "customerId": PICTURE, "mid": mid });
    journey.meta.post("unsends", unsend).await?;
    journey.service.message(&team, PICTURE, "the unsent message", |one| one["kind"] == "deleted").await?;
    journey.service.try_get(&team, &preview).await?.refused(404, "not_found")?;
    Ok("Its owner sees it, another shop does not, and nobody does once it is unsent.".to_owned())
}

/// A lead, with where it came from, and as a line of the table.
pub async fn lead(journey: &mut Journey) -> anyhow::Result<String> {
    let account = account(journey)?;
    let referral = json!({ "ref": "spring", "ad_id": "23850000000000001", "source": "ADS", "type": "OPEN_THREAD" });
    journey.meta.write(&account, LATER, json!({ "text": "From your ad", "referral": referral })).await?;
    journey.idle().await?;
    let (team, talk) = (journey.team().await?, talk(journey, LATER).await?);
    let body = json!({ "conversationId": talk.rsplit('/').next(), "name": "=Lea", "stage": "contacted" });
    let made = journey.service.try_send(&team, Method::POST, "/api/leads", &body).await?.expect(201)?;
    ensure!(made["leadSource"]["adId"] == "23850000000000001", "its source is {}", made["leadSource"]);
    journey.service.try_send(&team, Method::POST, "/api/leads", &body).await?.refused(409, "lead_exists")?;
    let table = journey.service.try_get(&team, "/api/leads/export").await?;
    ensure!(table.status == 200 && table.text.contains("'=Lea"), "the table is {}", table.text);
    let leads = journey.service.get(&team, "/api/conversations?lead=true").await?;
    ensure!(items(&leads).len() == 1, "{} conversations are leads", items(&leads).len());
    let usage = journey.service.get(&team, "/api/plan").await?;
    ensure!(usage["usage"]["leads"] == 1, "{} leads are counted", usage["usage"]["leads"]);
    Ok("Made once, with the ad it came from; in the table its name is no formula.".to_owned())
}

fn account(journey: &Journey) -> anyhow::Result<String> {
    text(&journey.account("team", "instagram")?, "accountId")
}

/// The path of the conversation with a customer.
async fn talk(journey: &mut Journey, customer: &str) -> anyhow::Result<String> {
    let team = journey.team().await?;
    let found = journey.service.conversation(&team, customer).await?;
    Ok(format!("/api/conversations/{}", text(&found, "id")?))
}

fn rfc3339(at: SystemTime) -> anyhow::Result<String> {
    let at: chrono::DateTime<chrono::Utc> = at.into();
    Ok(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}
