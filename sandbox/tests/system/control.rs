//! The control interface itself: errors, clock, reset, delivery of given bytes.
//! Misuse must be told at once.

use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn misuse_is_told() {
    let h = Harness::start().await;
    let reply = h.try_post("faults", &json!({"name": "nonsense"})).await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (422, &json!("unknown_fault")));
    assert!(reply.body["error"]["known"].as_array().unwrap().contains(&json!("answer_lost")));
    let catalogue = h.get("faults/catalogue").await;
    assert_eq!(catalogue["total"].as_u64().unwrap() as usize, reply.body["error"]["known"].as_array().unwrap().len());
    let bad = h.raw(h.http.post(format!("{}/sandbox/messages", h.base)).body("{\"a\":")).await;
    assert_eq!((bad.status, &bad.body["error"]["code"]), (400, &json!("bad_json")));
    let cases = [
        ("messages", json!({"accountId": "x", "customerId": "y", "text": "z"}), 404),
        ("messages", json!({"accountId": "x"}), 422),
        ("accounts", json!({"platform": "myspace"}), 422),
        ("accounts", json!({"platform": "facebook", "login": "instagram"}), 422),
        ("accounts", json!({"platform": "facebook", "typo": 1}), 422),
        ("settings", json!({"typo": 1}), 422),
        ("settings", json!({"webhookUrlInstagram": "http://example.test/"}), 422),
        ("settings", json!({"batch": {"maxEvents": 0, "maxMs": 1}}), 422),
        ("settings", json!({"accountsPerPage": 0}), 422),
        ("settings", json!({"emptyAccountPages": 1000}), 422),
        ("settings", json!({"conversationReadsPerSecond": 0}), 422),
        ("settings", json!({"expiresInDriftSeconds": 100_000}), 422),
        ("settings", json!({"accountTypeCasing": "camel"}), 422),
        ("settings", json!({"deauthorizeUrlInstagram": "https://example.test/"}), 422),
        ("permissions", json!({"accountId": "x"}), 422),
        ("unsubscribe", json!({"accountId": "x"}), 404),
        ("data-deletion", json!({"userId": "1", "times": 0}), 422),
        ("clock", json!({"set": "yesterday"}), 422),
        ("clock", json!({"advanceSeconds": 1e300}), 422),
        ("faults", json!({"name": "transient", "rate": 2}), 422),
        ("faults", json!({"name": "slow_answer", "params": {"sec": 1}}), 422),
        ("faults", json!({"name": "delay", "params": {"ms": u64::MAX}}), 422),
        ("faults", json!({"name": "ai_empty", "accountId": "x"}), 422),
        ("faults", json!({"name": "media_unavailable", "accountId": "x"}), 422),
        ("media", json!({"kind": "poem"}), 422),
        ("media", json!({"kind": "image", "livesSeconds": u64::MAX}), 422),
        ("bots", json!({"accountId": "x", "customerId": "y"}), 404),
        ("bots", json!({"accountId": "x", "customerId": "y", "text": ""}), 422),
        ("bots", json!({"accountId": "x", "customerId": "y", "delayMs": -1}), 422),
        ("ai", json!({}), 422),
        ("ai", json!({"answer": 5}), 422),
        ("settings", json!({"echoDelayMs": u64::MAX}), 422),
        ("deliver", json!({}), 422),
        ("deliver", json!({"body": {}, "times": 1_000_000}), 422),
        ("nothing", json!({}), 404),
        ("counters", json!({}), 405),
    ];
    for (path, body, status) in cases {
        let reply = h.try_post(path, &body).await;
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.body);
        assert!(reply.body["error"]["message"].is_string());
    }
    let big = h.raw(h.http.post(format!("{}/sandbox/messages", h.base)).body(vec![b' '; 3 << 20])).await;
    assert_eq!(big.status, 413);
    let get = h.raw(h.http.get(format!("{}/sandbox/deliveries?state=vanished", h.base))).await;
    assert_eq!(get.status, 422);
    let page = h.raw(h.http.get(format!("{}/sandbox", h.base))).await;
    assert!(page.body.as_str().unwrap().contains("<title>Meta sandbox"));
}

#[tokio::test]
async fn bad_input_on_the_graph_hosts() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    for body in ["", "{", "[]", "null", "\u{0}", "{\"recipient\":5,\"message\":[]}", "recipient=%zz&message=%"] {
        let request = h.http.post(format!("{}/v25.0/me/messages", h.base)).bearer_auth(&ig.token);
        let reply = h.raw(request.header("content-type", "application/json").body(body)).await;
        assert_eq!((reply.status, reply.code().0), (400, 100), "{body:?}: {}", reply.body);
    }
    for path in ["/", "/v25.0", "/v25.0/a/b/c", "/facebook-web/v25.0/dialog/oauth", "/%ff/messages"] {
        let reply = h.raw(h.http.get(format!("{}{path}", h.base)).bearer_auth(&ig.token)).await;
        assert_eq!(reply.status, 400, "{path}");
    }
}

#[tokio::test]
async fn reset_keeps_what_it_is_told() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    let before = h.dm(&ig, "hello").await["mid"].clone();
    h.send(&ig, "hi").await;
    h.fault(json!({"name": "transient"})).await;
    h.post("clock", json!({"advanceSeconds": 86_400})).await;
    h.post("reset", json!({"keepAccounts": true})).await;
    let counters = h.counters().await;
    assert_eq!((&counters["sendsAccepted"], &counters["messagesIn"]), (&json!(0), &json!(0)));
    assert_eq!(h.get("faults").await["items"], json!([]));
    assert!(h.get("clock").await["offsetSeconds"].as_f64().unwrap().abs() < 2.0);
    assert_eq!(h.send(&ig, "hi").await.code(), (10, 2_534_022));
    assert_ne!(h.dm(&ig, "hello").await["mid"], before);
    assert_eq!(h.send(&ig, "hi").await.status, 200);
    h.post("reset", json!({})).await;
    assert_eq!(h.get("accounts").await["total"], 0);
    assert_eq!(h.send(&ig, "hi").await.code().0, 190);
    assert!(h.get("settings").await["webhookUrlInstagram"].is_string());
}

#[tokio::test]
async fn given_bytes_in_parallel() {
    let h = Harness::start().await;
    let body = json!({"object": "page", "entry": [{"id": "1", "note": "ä/"}]});
    let reply = h.post("deliver", json!({"body": body, "times": 20})).await;
    assert_eq!(reply["statuses"], json!({"200": 20}));
    assert_eq!(reply["results"].as_array().unwrap().len(), 20);
    let got = h.receiver.got();
    assert!(got.iter().all(|copy| copy.path == "/facebook" && copy.body == got[0].body));
    assert!(String::from_utf8_lossy(&got[0].body).contains(r"\u00e4\/"));
    let reply = h.post("deliver", json!({"object": "instagram", "bodyText": "not json", "signWith": "none"})).await;
    assert_eq!(reply["results"][0]["status"], 200);
    let last = h.receiver.got().pop().unwrap();
    assert_eq!((last.path.as_str(), last.body.as_slice(), last.sha256), ("/instagram", b"not json".as_slice(), None));
}

#[tokio::test]
async fn one_account_with_both_logins() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    let both = h.post("accounts", json!({"id": ig.account, "login": "facebook"})).await;
    assert_eq!(both["logins"], json!(["instagram", "facebook"]));
    let dm = h.dm(&ig, "hello").await;
    assert_eq!(dm["deliveryIds"].as_array().unwrap().len(), 2);
    let got = h.receiver.wait(2).await;
    assert_ne!(got[0].sha256, got[1].sha256);
    let page_token = both["pageAccessToken"].as_str().unwrap();
    let body = json!({"recipient": {"id": ig.customer}, "message": {"text": "via page"}}).to_string();
    let request = h.http.post(format!("{}/facebook-graph/v25.0/me/messages", h.base)).bearer_auth(page_token);
    assert_eq!(h.raw(request.header("content-type", "application/json").body(body)).await.status, 200);
    let counters = h.counters().await;
    assert_eq!(counters["repliesByInbound"]["histogram"], json!({"1": 1}));
}

#[tokio::test]
async fn chosen_ids_do_not_collide_with_made_ones() {
    let h = Harness::start().await;
    let made = h.instagram().await;
    let next = |id: &str, by: u64| (id.parse::<u64>().unwrap() + by).to_string();
    for by in 1..6 {
        h.post("accounts", json!({"platform": "instagram", "id": next(&made.account, by)})).await;
        let body = json!({"accountId": made.account, "id": next(&made.customer, by), "name": "Chosen"});
        h.post("customers", body).await;
    }
    let again = h.instagram().await;
    assert_eq!(h.get("accounts").await["total"], 7);
    let customer = h.post("customers", json!({"accountId": made.account})).await;
    assert!(customer["name"].is_null());
    h.dm(&again, "hello").await;
    assert_eq!(h.send(&again, "hi").await.status, 200);
}

#[tokio::test]
async fn stopping_does_not_wait_for_held_answers() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    h.fault(json!({"name": "hold_answer"})).await;
    let body = json!({"recipient": {"id": ig.customer}, "message": {"text": "a"}});
    let request = tokio::spawn(h.send_request(&ig, &body).send());
    h.until("held", |counters| counters["held"] == 1).await;
    let started = std::time::Instant::now();
    h.running.stop().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(3));
    assert!(request.await.unwrap().is_err());
}
