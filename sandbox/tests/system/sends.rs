//! The Send API and the reads: windows, limits, hosts, proofs, versions.
//! Each case asserts status, code and subcode as the fact sheet has them.

use serde_json::json;

use crate::harness::{Harness, Pair};

#[tokio::test]
async fn a_reply_is_accepted_and_counted() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    let dm = h.dm(&ig, "hello").await;
    assert_eq!(dm["deliveryId"], "d-1");
    let reply = h.send(&ig, "hi").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body["recipient_id"], ig.customer.as_str());
    assert_eq!(reply.headers["facebook-api-version"], "v25.0");
    assert!(!reply.headers.contains_key("x-app-usage"));
    let sent = h.get(&format!("sent?accountId={}&customerId={}", ig.account, ig.customer)).await;
    assert_eq!(sent["total"], 1);
    assert_eq!(sent["items"][0]["mid"], reply.body["message_id"]);
    assert_eq!(sent["items"][0]["text"], "hi");
    h.dm(&ig, "more").await;
    let counters = h.counters().await;
    assert_eq!(counters["repliesByInbound"]["histogram"], json!({"0": 1, "1": 1}));
    assert_eq!(counters["maxSendsPerCustomer"], 1);
    let thread = h.get(&format!("thread?accountId={}&customerId={}", ig.account, ig.customer)).await;
    let from: Vec<_> = thread["messages"].as_array().unwrap().iter().map(|m| m["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["customer", "app", "customer"]);
    h.running.stop().await;
}

#[tokio::test]
async fn windows_close_by_the_clock() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    // The account can never write first.
    assert_eq!(h.send(&ig, "hi").await.code(), (10, 2_534_022));
    for pair in [&ig, &page] {
        h.dm(pair, "hello").await;
    }
    h.post("clock", json!({"advanceSeconds": 24 * 3600 - 60})).await;
    assert_eq!(h.send(&ig, "hi").await.status, 200);
    assert_eq!(h.send(&page, "hi").await.status, 200);
    h.post("clock", json!({"advanceSeconds": 61})).await;
    let reply = h.send(&ig, "hi").await;
    assert_eq!((reply.status, reply.code()), (403, (10, 2_534_022)));
    assert!(reply.body["error"]["fbtrace_id"].is_string());
    let reply = h.send(&page, "hi").await;
    assert_eq!((reply.status, reply.code()), (400, (10, 2_018_278)));
    let tagged = json!({"recipient": {"id": ig.customer}, "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT", "message": {"text": "human"}});
    assert_eq!(h.raw(h.send_request(&ig, &tagged)).await.code(), (10, 2_534_022));
    h.post("accounts", json!({"id": ig.account, "humanAgent": true})).await;
    assert_eq!(h.raw(h.send_request(&ig, &tagged)).await.status, 200);
    h.post("clock", json!({"advanceSeconds": 6 * 24 * 3600})).await;
    assert_eq!(h.raw(h.send_request(&ig, &tagged)).await.code(), (10, 2_534_022));
    // A reaction opens it again.
    h.post("reactions", json!({"accountId": ig.account, "customerId": ig.customer, "mid": "x"})).await;
    assert_eq!(h.send(&ig, "hi").await.status, 200);
    let counters = h.counters().await;
    assert_eq!(counters["sendsRefused"]["byCode"], json!({"10/2534022": 4, "10/2018278": 1}));
}

#[tokio::test]
async fn lengths_are_bytes_on_instagram_and_characters_on_messenger() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    h.dm(&ig, "hello").await;
    h.dm(&page, "hello").await;
    assert_eq!(h.send(&ig, &"ä".repeat(500)).await.status, 200);
    let reply = h.send(&ig, &format!("{}a", "ä".repeat(500))).await;
    assert_eq!((reply.status, reply.code()), (400, (100, 0)));
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("less than or equal to 1000"));
    assert_eq!(h.send(&page, &"😀".repeat(2000)).await.status, 200);
    assert_eq!(h.send(&page, &"😀".repeat(2001)).await.code(), (100, 0));
}

#[tokio::test]
async fn bad_bodies_have_their_codes() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    h.dm(&ig, "hello").await;
    h.dm(&page, "hello").await;
    let to = |pair: &Pair| json!({"id": pair.customer});
    let image = json!({"type": "image", "payload": {"url": "https://cdn.test/a.png"}});
    let with_url = |pair: &Pair, url: serde_json::Value| {
        let attachment = json!({"type": "image", "payload": {"url": url}});
        json!({"recipient": to(pair), "message": {"attachment": attachment}})
    };
    let cases = [
        (&ig, json!({"recipient": {"id": "404"}, "message": {"text": "a"}}), (100, 2_534_014)),
        (&page, json!({"recipient": {"id": "404"}, "message": {"text": "a"}}), (100, 2_018_001)),
        (&ig, json!({"recipient": to(&ig), "message": {"text": "a", "attachment": image}}), (100, 2_534_015)),
        (&ig, with_url(&ig, json!("file:///etc/passwd")), (100, 2_018_047)),
        (&page, with_url(&page, json!("not an address")), (100, 2_018_047)),
        (&page, with_url(&page, json!(5)), (100, 2_018_047)),
        (&ig, json!({"recipient": to(&ig)}), (100, 2_534_015)),
        (&ig, json!({"message": {"text": "a"}}), (100, 0)),
        (
            &page,
            json!({"recipient": to(&page), "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE", "message": {"text": "a"}}),
            (100, 0),
        ),
        (&page, json!({"recipient": to(&page), "messaging_type": "X", "message": {"text": "a"}}), (100, 0)),
    ];
    for (pair, body, code) in cases {
        let reply = h.raw(h.send_request(pair, &body)).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{body}");
    }
    let good = json!({"recipient": to(&ig), "message": {"attachment": image}});
    assert_eq!(h.raw(h.send_request(&ig, &good)).await.status, 200);
    let action = json!({"recipient": to(&page), "sender_action": "typing_on"});
    let reply = h.raw(h.send_request(&page, &action)).await;
    assert_eq!((reply.status, reply.body), (200, json!({"recipient_id": page.customer})));
    assert_eq!(h.counters().await["senderActions"], 1);
}

#[tokio::test]
async fn hosts_tokens_and_forms() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    h.dm(&ig, "hello").await;
    h.dm(&page, "hello").await;
    let post = |path: &str, pair: &Pair| {
        let form = format!(
            "recipient=%7B'id':'{}'%7D&message=%7B%22text%22:%22hi+there%22%7D&access_token={}",
            pair.customer, pair.token
        );
        h.http.post(format!("{}{path}", h.base)).header("content-type", "application/x-www-form-urlencoded").body(form)
    };
    let ok = [
        (format!("/instagram-graph/v25.0/{}/messages", ig.account), &ig),
        ("/instagram-graph/me/messages".to_owned(), &ig),
        (format!("/facebook-graph/v25.0/{}/messages", page.account), &page),
    ];
    for (path, pair) in ok {
        let reply = h.raw(post(&path, pair)).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
    let sent = h.get("sent").await;
    assert_eq!(sent["items"][0]["text"], "hi there");
    assert_eq!(sent["items"][1]["route"], "instagram-graph me/messages");
    // A token of the other product is none; neither is one nobody gave out.
    assert_eq!(h.raw(post("/facebook-graph/v25.0/me/messages", &ig)).await.code().0, 190);
    let unknown = Pair { token: "EAAnobody".to_owned(), ..page.clone() };
    assert_eq!(h.raw(post("/v25.0/me/messages", &unknown)).await.code(), (190, 0));
    let none = Pair { token: String::new(), ..page.clone() };
    assert_eq!(h.raw(post("/v25.0/me/messages", &none)).await.code().0, 2500);
}

#[tokio::test]
async fn instagram_through_a_page() {
    let h = Harness::start().await;
    let ig = h.pair(json!({"platform": "instagram", "login": "facebook"})).await;
    h.dm(&ig, "hello").await;
    assert!(ig.token.starts_with("EAA"));
    assert_eq!(h.send(&ig, "hi").await.status, 200);
    let url = format!("{}/facebook-graph/v25.0/{}/messages", h.base, ig.account);
    let body = json!({"recipient": {"id": ig.customer}, "message": {"text": "a"}}).to_string();
    let reply =
        h.raw(h.http.post(url).bearer_auth(&ig.token).header("content-type", "application/json").body(body)).await;
    assert_eq!((reply.status, reply.code()), (400, (3, 0)));
    let list = format!("{}/v25.0/me/conversations?platform=instagram&fields=messages{{id}}", h.base);
    let reply = h.raw(h.http.get(list).bearer_auth(&ig.token)).await;
    assert_eq!(reply.body["data"][0]["messages"]["data"].as_array().unwrap().len(), 2);
    // Signed with the Meta secret: the app is reached through Facebook Login.
    h.quiet().await;
    let deliveries = h.get("deliveries").await;
    assert_eq!(deliveries["items"][0]["attempts"][0]["signature"], "meta");
    assert_eq!(deliveries["items"][0]["object"], "instagram");
}

#[tokio::test]
async fn proofs_and_versions() {
    let h = Harness::start().await;
    let page = h.page().await;
    h.dm(&page, "hello").await;
    let body = json!({"recipient": {"id": page.customer}, "message": {"text": "a"}, "appsecret_proof": "00"});
    let reply = h.raw(h.send_request(&page, &body)).await;
    assert_eq!((reply.status, reply.code().0), (400, 100));
    assert_eq!(reply.body["error"]["type"], "GraphMethodException");
    h.post("settings", json!({"requireAppsecretProof": true})).await;
    assert_eq!(h.send(&page, "a").await.code().0, 100);
    h.post("settings", json!({"requireAppsecretProof": false})).await;
    let at = |version: &str| h.http.get(format!("{}/{version}me?fields=name", h.base)).bearer_auth(&page.token);
    h.post("clock", json!({"set": "2026-11-21T10:00:00Z"})).await;
    for (asked, served) in [("v26.0/", "v26.0"), ("v18.0/", "v21.0"), ("", "v25.0")] {
        let reply = h.raw(at(asked)).await;
        assert_eq!((reply.status, reply.headers["facebook-api-version"].to_str().unwrap()), (200, served));
    }
    assert_eq!(h.raw(at("v99.0/")).await.code().0, 2500);
}

#[tokio::test]
async fn usage_headers_come_after_enough_calls() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    h.post("settings", json!({"usageHeadersAfter": 2})).await;
    assert!(!h.send(&ig, "1").await.headers.contains_key("x-app-usage"));
    assert!(!h.send(&ig, "2").await.headers.contains_key("x-app-usage"));
    let reply = h.send(&ig, "3").await;
    let usage: serde_json::Value =
        serde_json::from_str(reply.headers["x-business-use-case-usage"].to_str().unwrap()).unwrap();
    assert_eq!(usage[&ig.account][0]["type"], "instagram");
}
