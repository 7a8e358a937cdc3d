//! What Meta may deliver, over HTTP: published payloads, redelivery, bad signatures, bad neighbours, bodies that are too big.

use crate::system::System;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_fifty_times_in_parallel() {
    let system = System::start().await;
    let account = system.account("instagram").await;
    // The customer's window opens in the sandbox without a webhook of its own.
    system.control("/sandbox/settings", json!({ "webhookUrlInstagram": null })).await;
    let mid = system.dm(&account, "900000000000001", "hello").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let body = json!({ "object": "instagram", "entry": [{ "id": account.id, "time": now, "messaging": [{
        "sender": { "id": "900000000000001" }, "recipient": { "id": account.id }, "timestamp": now,
        "message": { "mid": mid, "text": "hello" },
    }] }] });
    let hook = json!({ "webhookUrlInstagram": format!("{}/api/webhooks/instagram", system.api) });
    system.control("/sandbox/settings", hook).await;
    let answers = system.control("/sandbox/deliver", json!({ "body": body, "times": 50, "parallel": 50 })).await;
    assert_eq!(answers["statuses"], json!({ "200": 50 }));
    system.until_sent(1).await;
    system.until_quiet().await;
    let owner = system.sign_in().await;
    assert_eq!(owner.thread().await.len(), 2, "one message, one reply");
    let usage = owner.get("/api/usage").await.to_string();
    assert!(usage.contains(r#""messagesReceived":1"#) && usage.contains(r#""autoReplies":1"#), "{usage}");
    let outcomes = outcomes(&system).await;
    assert_eq!(outcomes, BTreeMap::from([("duplicate".into(), 49), ("merged_echo".into(), 1), ("stored".into(), 1)]));
    assert_eq!(system.sent().await.len(), 1);
}

/// How many events of all deliveries ended in what.
async fn outcomes(system: &System) -> BTreeMap<String, usize> {
    let (status, deliveries) = system.operator(Method::GET, "/api/admin/deliveries?limit=100").await;
    assert_eq!(status, 200, "{deliveries}");
    let mut outcomes = BTreeMap::new();
    for delivery in deliveries["items"].as_array().unwrap() {
        for event in delivery["events"].as_array().unwrap() {
            *outcomes.entry(event["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_payload_is_answered_200_and_none_is_an_error() {
    let system = System::start().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../meta/fixtures/webhooks");
    let mut delivered = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let answers = system.control("/sandbox/deliver", json!({ "bodyText": text })).await;
        assert_eq!(answers["statuses"], json!({ "200": 1 }), "{text}");
        delivered += 1;
    }
    system
        .until("all processed", || async {
            let (_, all) = system.operator(Method::GET, "/api/admin/deliveries?limit=100").await;
            let items = all["items"].as_array().unwrap().clone();
            let done = items.iter().filter(|d| d["state"] == "processed").count();
            if done == delivered { Ok(items) } else { Err(format!("{done} of {delivered}")) }
        })
        .await;
    // Nobody has connected these accounts: recorded as such, kept for whoever does.
    let outcomes = outcomes(&system).await;
    assert_eq!(outcomes, BTreeMap::from([("unrouted".to_owned(), delivered)]));
    assert!(system.jobs("webhook.process").await.iter().all(|job| job["state"] == "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_of_a_thousand_costs_only_itself() {
    let system = System::start().await;
    let account = system.account("instagram").await;
    system.admin(&["set-auto-reply", "--connection", &account.connection, "--mode", "off"], "");
    let mut elements: Vec<Value> = (0..1_000)
        .map(|n| {
            let message = json!({ "mid": format!("m{n}"), "text": format!("number {n}") });
            json!({ "sender": { "id": format!("8{n:05}") }, "recipient": { "id": account.id }, "timestamp": 1_790_000_000_000_i64 + n, "message": message })
        })
        .collect();
    elements[777] = json!({ "sender": "nobody", "message": ["not", "an", "object"] });
    let body = json!({ "object": "instagram", "entry": [{ "id": account.id, "messaging": elements }] });
    let answers = system.control("/sandbox/deliver", json!({ "body": body })).await;
    assert_eq!(answers["statuses"], json!({ "200": 1 }));
    let expected = BTreeMap::from([("failed".to_owned(), 1), ("stored".to_owned(), 999)]);
    system
        .until("all stored", || async {
            let outcomes = outcomes(&system).await;
            if outcomes == expected { Ok(()) } else { Err(format!("{outcomes:?}")) }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_meta_signed_is_taken() {
    let system = System::start().await;
    let body = json!({ "object": "instagram", "entry": [] });
    for (sign_with, status) in [("wrong", "401"), ("none", "401"), ("instagram", "200"), ("meta", "200")] {
        let answers = system.control("/sandbox/deliver", json!({ "body": body, "signWith": sign_with })).await;
        assert_eq!(answers["statuses"], json!({ status: 1 }), "{sign_with}");
    }
    let page = json!({ "object": "page", "entry": [] });
    let answers = system.control("/sandbox/deliver", json!({ "body": page, "signWith": "instagram" })).await;
    assert_eq!(answers["statuses"], json!({ "401": 1 }), "the Instagram secret signs nothing for Pages");
    for broken in ["{", "", "nonsense"] {
        let answers = system.control("/sandbox/deliver", json!({ "object": "instagram", "bodyText": broken })).await;
        assert_eq!(answers["statuses"], json!({ "200": 1 }), "{broken:?}: signed, so recorded");
    }
    let big = "x".repeat(1_048_577);
    let answers = system.control("/sandbox/deliver", json!({ "object": "instagram", "bodyText": big })).await;
    assert_eq!(answers["statuses"], json!({ "413": 1 }));
    let hook = format!("{}/api/webhooks/instagram?hub.mode=subscribe&hub.verify_token=", system.api);
    let good = system.http.get(format!("{hook}a-verify-token&hub.challenge=1158201444")).send().await.unwrap();
    assert_eq!((good.status().as_u16(), good.text().await.unwrap().as_str()), (200, "1158201444"));
    let bad = system.http.get(format!("{hook}wrong&hub.challenge=1158201444")).send().await.unwrap();
    assert_eq!(bad.status(), 403);
}
