//! Accounts that are away for a while: one that waits for its owner takes messages in and sends later, and one that its owner
//! had disconnected is read from the day it came back.

use super::Talks;
use super::reconcile::{hasten, look, operator};
use domain::clock::{MINUTE, SECOND};
use serde_json::{Value, json};

const PERSON: &str = "900000000000001";

/// Ingest goes on while a token is bad; sending waits and resumes.
#[tokio::test]
async fn while_an_account_waits_for_its_owner_messages_come_in_and_go_out_later() {
    let talks = Talks::new().await;
    let account = &talks.instagram;
    let other = "900000000000002";
    let paths = [talks.talk(account, PERSON).await, talks.talk(account, other).await];
    talks.logins.control("/sandbox/password-change", json!({ "accountId": account.external_id })).await;
    talks.logins.advance(SECOND).await;
    // The first finds it out, the second need not try.
    for path in paths {
        let queued = talks.done("POST", &format!("{path}/messages"), json!({ "text": "here" })).await;
        assert_eq!(queued["status"], "queued");
        talks.settled().await;
        assert_eq!(talks.get(&format!("/api/meta/connections/{}", account.id)).await["status"], "needs_reconnect");
    }
    talks.logins.advance(SECOND).await;
    talks.dm(account, PERSON, json!({ "text": "are you there?" })).await;
    let shown = talks.messages(account, PERSON).await;
    assert_eq!((&shown[0]["text"], &shown[0]["direction"]), (&json!("are you there?"), &json!("inbound")));
    assert_eq!(shown[1]["status"], "queued");
    talks.logins.fault("webhook_lost", Some(1)).await;
    talks.dm(account, PERSON, json!({ "text": "of this nobody told" })).await;
    talks.logins.no_faults().await;
    assert_eq!(talks.logins.says("/sandbox/sent").await["total"], 0);

    let mut owner = talks.logins.owner.clone();
    let again = talks.logins.connect(&mut owner, "instagram", &[&account.external_id]).await;
    assert_eq!((&again[0]["id"], &again[0]["status"]), (&json!(account.id), &json!("active")));
    talks.settled().await;
    for person in [PERSON, other] {
        let sent: Vec<_> = talks.sent(account, person).await.iter().map(|one| one["text"].clone()).collect();
        assert_eq!(sent, ["here"], "once");
    }
    hasten(&talks, "conversations.reconcile").await;
    let shown = talks.messages(account, PERSON).await;
    assert_eq!(shown.len(), 4, "{shown:?}");
    let told = shown.iter().find(|one| one["text"] == "of this nobody told").unwrap();
    assert_eq!(told["reconciled"], true, "the account was looked through when it came back");
    assert!(shown.iter().filter(|one| one["direction"] == "outbound").all(|one| one["status"] == "sent"), "{shown:?}");
    talks.stop().await;
}

/// What customers wrote while the owner had the account disconnected was not meant for us.
#[tokio::test]
async fn what_was_written_while_an_account_was_disconnected_is_not_read_back() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    let account = &talks.instagram;
    talks.talk(account, PERSON).await;
    look(&talks, &operator).await;
    let path = format!("/api/meta/connections/{}", account.id);
    assert_eq!(talks.send("DELETE", &path, Value::Null).await.status, 204);
    talks.settled().await;
    talks.dm(account, PERSON, json!({ "text": "between us" })).await;
    talks.logins.advance(10 * MINUTE).await;
    let mut owner = talks.logins.owner.clone();
    let back = talks.logins.connect(&mut owner, "instagram", &[&account.external_id]).await;
    assert_eq!(back[0]["id"], json!(account.id));
    talks.settled().await;
    talks.logins.fault("webhook_lost", Some(1)).await;
    talks.dm(account, PERSON, json!({ "text": "welcome back" })).await;
    talks.logins.no_faults().await;
    look(&talks, &operator).await;
    let shown = talks.messages(account, PERSON).await;
    let texts: Vec<_> = shown.iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["welcome back", "Hello?"]);
    talks.stop().await;
}
