//! Deliveries as a receiver sees them: bytes, signatures, order, retries, batches, duplicates.
//! Hours pass by moving the sandbox's clock.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;

use crate::harness::Harness;

fn hex_sha256(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn bytes_and_signatures() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    h.dm(&ig, "äöå 😀 https://example.test/").await;
    h.dm(&page, "hello").await;
    let got = h.receiver.wait(2).await;
    let (ig_got, page_got) = if got[0].path == "/instagram" { (&got[0], &got[1]) } else { (&got[1], &got[0]) };
    assert!(ig_got.body.is_ascii());
    let text = String::from_utf8(ig_got.body.clone()).unwrap();
    assert!(text.contains(r"\u00e4\u00f6\u00e5 \ud83d\ude00 https:\/\/example.test\/"), "{text}");
    assert!(text.starts_with(r#"{"object":"instagram","entry":[{"id":""#));
    assert_eq!(ig_got.sha256.as_deref(), Some(hex_sha256("sandbox-instagram-app-secret", &ig_got.body).as_str()));
    assert_eq!(page_got.sha256.as_deref(), Some(hex_sha256("sandbox-meta-app-secret", &page_got.body).as_str()));
    assert!(ig_got.sha1.as_deref().unwrap().starts_with("sha1="));
    assert_eq!(ig_got.agent, "facebookexternalua");
    assert_eq!(page_got.json()["object"], "page");
    h.post("settings", json!({"signWith": "meta"})).await;
    h.dm(&ig, "again").await;
    let got = h.receiver.wait(3).await;
    assert_eq!(got[2].sha256.as_deref(), Some(hex_sha256("sandbox-meta-app-secret", &got[2].body).as_str()));
    for fault in ["bad_signature", "sha1_only"] {
        h.fault(json!({"name": fault, "count": 1})).await;
        h.dm(&ig, fault).await;
    }
    let got = h.receiver.wait(5).await;
    assert_ne!(got[3].sha256.as_deref(), Some(hex_sha256("sandbox-meta-app-secret", &got[3].body).as_str()));
    assert!(got[4].sha256.is_none() && got[4].sha1.is_some());
}

#[tokio::test]
async fn retries_and_the_end_of_a_subscription() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.receiver.answer(503);
    h.post("clock", json!({"freeze": true})).await;
    h.dm(&ig, "hello").await;
    // At once, and at once again; then by the clock.
    h.receiver.wait(2).await;
    for (seconds, attempts) in [(5, 3), (30, 4), (120, 5), (600, 6)] {
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(h.receiver.count(), attempts - 1, "before {seconds} s");
        h.post("clock", json!({"advanceSeconds": seconds})).await;
        h.receiver.wait(attempts).await;
    }
    let state = h.get("accounts").await["items"][0].clone();
    assert!(state["failingSince"].is_string() && state["alertedAt"].is_null() && state["disabledAt"].is_null());
    h.post("clock", json!({"advanceSeconds": 1800})).await;
    h.receiver.wait(7).await;
    h.until("noted", |counters| counters["webhooksFailed"] == 7).await;
    let state = h.get("accounts").await["items"][0].clone();
    assert!(state["alertedAt"].is_string() && state["subscribed"] == true);
    h.post("clock", json!({"advanceSeconds": 1100})).await;
    h.receiver.wait(8).await;
    let counters = h.until("dropped", |counters| counters["webhooksDropped"] == 1).await;
    assert_eq!(counters["webhooksPending"], 0);
    let state = h.get("accounts").await["items"][0].clone();
    assert!(state["disabledAt"].is_string() && state["subscribed"] == false);
    assert_eq!(h.get("deliveries?state=dropped").await["items"][0]["attempts"].as_array().unwrap().len(), 8);
    // Nothing comes any more, until the app subscribes again.
    h.receiver.answer(200);
    assert!(h.dm(&ig, "unheard").await["deliveryId"].is_null());
    let url = format!("{}/instagram-graph/v25.0/me/subscribed_apps?subscribed_fields=messages", h.base);
    let reply = h.raw(h.http.post(url).bearer_auth(&ig.token)).await;
    assert_eq!(reply.body, json!({"success": true}));
    h.dm(&ig, "heard").await;
    assert_eq!(h.receiver.wait(9).await[8].text(), "heard");
}

#[tokio::test]
async fn a_slow_or_missing_receiver_is_a_failure_and_heals() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.post("settings", json!({"answerBudgetMs": 100})).await;
    h.receiver.delay(Duration::from_millis(300));
    h.dm(&ig, "hello").await;
    h.receiver.wait(2).await;
    h.until("failed twice", |counters| counters["webhooksFailed"] == 2).await;
    h.receiver.delay(Duration::ZERO);
    h.post("clock", json!({"advanceSeconds": 5})).await;
    h.quiet().await;
    let delivery = h.get("deliveries").await["items"][0].clone();
    assert_eq!(delivery["state"], "delivered");
    assert!(delivery["attempts"][0]["error"].as_str().unwrap().contains("100 ms"));
    assert!(h.get("accounts").await["items"][0]["failingSince"].is_null());
}

#[tokio::test]
async fn changes_are_retried_for_36_hours() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.receiver.answer(500);
    let event = json!({"field": "comments", "value": {"id": "1", "text": "nice"}});
    h.post("events", json!({"accountId": ig.account, "field": "changes", "event": event})).await;
    h.receiver.wait(2).await;
    h.post("clock", json!({"advanceSeconds": 7200})).await;
    h.receiver.wait(3).await;
    assert_eq!(h.get("accounts").await["items"][0]["subscribed"], true);
    assert_eq!(h.counters().await["webhooksPending"], 1);
    h.until("noted", |counters| counters["webhooksFailed"] == 3).await;
    h.post("clock", json!({"advanceSeconds": 36 * 3600})).await;
    let counters = h.until("dropped", |counters| counters["webhooksDropped"] == 1).await;
    assert_eq!(counters["webhooksPending"], 0);
    // Seconds, where messaging has milliseconds.
    assert!(h.receiver.got()[0].json()["entry"][0]["time"].as_u64().unwrap() < 100_000_000_000);
}

#[tokio::test]
async fn batches_of_several_accounts() {
    let h = Harness::start().await;
    let (one, two) = (h.instagram().await, h.instagram().await);
    h.post("settings", json!({"batch": {"maxEvents": 5, "maxMs": 300}})).await;
    for pair in [&one, &one, &two, &one, &two] {
        h.dm(pair, "in one").await;
    }
    let got = h.receiver.wait(1).await;
    assert_eq!(got[0].elements().len(), 5);
    let ids: Vec<_> = got[0].json()["entry"].as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, [&one, &two, &one, &two].map(|pair| json!(pair.account)));
    h.dm(&one, "left over").await;
    assert_eq!(h.counters().await["webhooksPending"], 1);
    assert_eq!(h.receiver.wait(2).await[1].elements().len(), 1);
    h.quiet().await;
    assert_eq!(h.get("deliveries").await["items"][0]["updates"], 5);
}

#[tokio::test]
async fn duplicates_reorder_delay_and_spurious_edits() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.fault(json!({"name": "duplicate", "count": 1, "params": {"copies": 2}})).await;
    h.dm(&ig, "thrice").await;
    let got = h.receiver.wait(3).await;
    assert!(got.iter().all(|copy| copy.body == got[0].body));
    assert_eq!(h.counters().await["duplicates"], 2);
    h.fault(json!({"name": "reorder", "count": 1, "params": {"ms": 5000}})).await;
    h.dm(&ig, "first").await;
    h.dm(&ig, "second").await;
    let got = h.receiver.wait(5).await;
    assert_eq!((got[3].text().as_str(), got[4].text().as_str()), ("second", "first"));
    h.fault(json!({"name": "delay", "count": 1, "params": {"ms": 200}})).await;
    h.dm(&ig, "late").await;
    h.dm(&ig, "on time").await;
    let got = h.receiver.wait(7).await;
    assert_eq!((got[5].text().as_str(), got[6].text().as_str()), ("on time", "late"));
    h.fault(json!({"name": "spurious_edit", "count": 1})).await;
    h.dm(&ig, "edited?").await;
    let got = h.receiver.wait(9).await;
    let edit = &got[8].elements()[0];
    assert_eq!(edit["message_edit"]["num_edit"], 0);
    assert!(edit.get("sender").is_none() && edit.get("recipient").is_none());
    // Alone, a reordered event comes after its time.
    h.fault(json!({"name": "reorder", "count": 1, "params": {"ms": 50}})).await;
    h.dm(&ig, "alone").await;
    h.receiver.wait(10).await;
}

#[tokio::test]
async fn order_within_a_conversation() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.receiver.delay(Duration::from_millis(3));
    for number in 0..40 {
        h.dm(&ig, &number.to_string()).await;
    }
    let texts: Vec<_> = h.receiver.wait(40).await.iter().map(|got| got.text()).collect();
    assert_eq!(texts, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_kind_of_event() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let mid = h.dm(&ig, "hello").await["mid"].clone();
    h.receiver.wait(1).await;
    let base = json!({"accountId": ig.account, "customerId": ig.customer, "mid": mid});
    let with = |more: serde_json::Value| {
        let mut all = base.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    h.post("reactions", with(json!({"reaction": "wow", "emoji": "😮"}))).await;
    h.post("reactions", with(json!({"action": "unreact"}))).await;
    h.post("reads", base.clone()).await;
    h.post("edits", with(json!({"text": "hello!"}))).await;
    h.post("unsends", base.clone()).await;
    let owner = json!({"accountId": ig.account, "customerId": ig.customer, "text": "me"});
    h.post("owner-messages", owner).await;
    let message = |more: serde_json::Value| {
        let mut all = json!({"accountId": ig.account, "customerId": ig.customer});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    h.post("messages", message(json!({"attachments": [{"type": "image", "url": "https://cdn.test/a.png"}]}))).await;
    h.post("messages", message(json!({"text": "re", "story": {"id": "9", "url": "https://cdn.test/s"}}))).await;
    h.post("messages", message(json!({"postback": {"title": "Price?", "payload": "PRICE"}}))).await;
    h.post("messages", message(json!({"referral": {"ref": "spring", "source": "ADS", "type": "OPEN_THREAD"}}))).await;
    let got = h.receiver.wait(11).await;
    let elements: Vec<_> = got.iter().map(|got| got.elements()[0].clone()).collect();
    assert_eq!(elements[1]["reaction"], json!({"mid": mid, "action": "react", "reaction": "wow", "emoji": "😮"}));
    assert_eq!(elements[2]["reaction"], json!({"mid": mid, "action": "unreact"}));
    assert_eq!(elements[3]["read"], json!({"mid": mid}));
    assert_eq!(elements[4]["message_edit"], json!({"mid": mid, "text": "hello!", "num_edit": 1}));
    assert_eq!(elements[5]["message"], json!({"mid": mid, "is_deleted": true}));
    assert!(elements[6]["message"]["is_echo"] == true && elements[6]["sender"]["id"] == ig.account.as_str());
    assert_eq!(elements[7]["message"]["attachments"][0]["payload"]["url"], "https://cdn.test/a.png");
    assert_eq!(elements[8]["message"]["reply_to"]["story"]["id"], "9");
    assert_eq!(elements[9]["postback"]["payload"], "PRICE");
    assert_eq!(elements[10]["referral"]["ref"], "spring");
    assert_eq!(h.counters().await["messagesIn"], 4);
    h.dm(&page, "hello").await;
    h.post("reads", json!({"accountId": page.account, "customerId": page.customer, "watermark": 5})).await;
    h.post("receipts", json!({"accountId": page.account, "customerId": page.customer, "mids": ["m"]})).await;
    let got = h.receiver.wait(14).await;
    assert_eq!(got[12].elements()[0]["read"], json!({"watermark": 5}));
    assert!(got[13].elements()[0].get("timestamp").is_none());
    let raw = json!({"accountId": ig.account, "field": "standby", "event": {"z": 1, "a": "ä"}});
    h.post("events", raw).await;
    let got = h.receiver.wait(15).await;
    assert_eq!(got[14].json()["entry"][0]["standby"][0]["a"], "ä");
}
