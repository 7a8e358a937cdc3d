//! The other platform, and the other shop: what holds for Instagram holds for Pages, and nobody sees another's inbox.

use crate::check::journey::{Journey, text};
use crate::check::service::{Answer, Caller};
use anyhow::ensure;
use serde_json::json;

/// The main job on a Facebook Page.
pub async fn facebook_page(journey: &mut Journey) -> anyhow::Result<String> {
    let account = journey.account("pro", "facebook")?;
    let (id, customer) = (text(&account, "accountId")?, text(&account["customers"][0], "id")?);
    let mid = journey.meta.write(&id, &customer, json!({ "text": "Are you open on Sunday?" })).await?;
    let reply = journey.answered_once(&journey.pro, &id, &customer, &mid).await?;
    let sent = journey.meta.sent(&id, &customer).await?;
    let route = sent[0]["route"].as_str().unwrap_or_default();
    ensure!(route.starts_with("facebook-graph"), "it was sent through {route}");
    ensure!(sent[0]["metadata"] == reply["id"], "its metadata is {}", sent[0]["metadata"]);
    journey.idle().await?;
    let messages = journey.service.messages(&journey.pro, &customer).await?;
    ensure!(messages.len() == 2, "the thread has {} messages", messages.len());
    Ok("A message to the Page is stored and answered once, its echo merged by the id it carries.".to_owned())
}

/// The Starter shop has an inbox of its own.
pub async fn another_shop(journey: &mut Journey) -> anyhow::Result<String> {
    let shop = journey.shop("starter")?;
    let (other, _) = journey.service.sign_in(&text(shop, "email")?, &text(shop, "password")?).await?;
    let account = journey.account("starter", "facebook")?;
    let (id, customer) = (text(&account, "accountId")?, text(&account["customers"][0], "id")?);
    journey.meta.write(&id, &customer, json!({ "text": "Do you sell milk?" })).await?;
    let theirs = text(&journey.service.conversation(&other, &customer).await?, "id")?;
    let ours = journey.first()?.conversation;
    let nobodys = format!("cnv_{}", "0".repeat(32));
    for (caller, foreign) in [(&other, &ours), (&journey.pro, &theirs)] {
        for path in ["", "/messages"] {
            let found = get(journey, caller, foreign, path).await?;
            let missing = get(journey, caller, &nobodys, path).await?;
            ensure!(found.status == 404 && found.body == missing.body, "a foreign conversation answers {}", found.text);
        }
        let read = journey.service.try_post(caller, &format!("/api/conversations/{foreign}/read")).await?;
        ensure!(read.status == 404, "marking a foreign conversation as read answers {}", read.status);
    }
    journey.idle().await?;
    let sent = journey.meta.sent(&id, &customer).await?.len();
    ensure!(sent == 0, "a shop without automatic reply sent {sent}");
    Ok("Each shop gets 404 for the other's conversation, as for one that is not there; no reply where none is on."
        .to_owned())
}

async fn get(journey: &Journey, caller: &Caller, conversation: &str, path: &str) -> anyhow::Result<Answer> {
    journey.service.try_get(caller, &format!("/api/conversations/{conversation}{path}")).await
}
