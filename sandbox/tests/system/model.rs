//! The stand-in for a model: what it says, what it refuses, and every fault of it.
//! A client must survive each of them, so each is asserted as it is on the wire.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Harness, Reply};

async fn ask(h: &Harness, body: &Value) -> Reply {
    let request = h.http.post(format!("{}/ai/v1/chat/completions", h.base)).bearer_auth("any-key");
    h.raw(request.header("content-type", "application/json").body(body.to_string())).await
}

fn question(text: &str) -> Value {
    json!({"model": "small", "temperature": 0.2, "messages": [
        {"role": "system", "content": "You answer for a shop."}, {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": text},
    ]})
}

async fn words(h: &Harness) -> String {
    let reply = ask(h, &question("Is it blue?")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_answers_from_what_it_was_asked() {
    let h = Harness::start().await;
    h.post("clock", json!({"set": 1_790_000_000_000_u64, "freeze": true})).await;
    let reply = ask(&h, &question("Is it blue?")).await;
    assert_eq!(reply.status, 200);
    let choice = &reply.body["choices"][0];
    assert_eq!((&reply.body["object"], &reply.body["model"]), (&json!("chat.completion"), &json!("small")));
    assert_eq!(reply.body["created"], 1_790_000_000);
    assert_eq!((&choice["index"], &choice["finish_reason"]), (&json!(0), &json!("stop")));
    assert_eq!((&choice["message"]["role"], &choice["message"]["refusal"]), (&json!("assistant"), &Value::Null));
    let first = choice["message"]["content"].as_str().unwrap();
    assert!(first.contains("“Is it blue?”"), "{first}");
    let usage = &reply.body["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert!(count("prompt_tokens") > 10 && count("completion_tokens") > 10);
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
    assert_eq!(words(&h).await, first, "the same question has the same answer");
    let told = h.post("ai", json!({"answer": "We are open until six."})).await;
    assert_eq!((&told["calls"], &told["answer"]), (&json!(2), &json!("We are open until six.")));
    assert_eq!(words(&h).await, "We are open until six.");
    h.post("ai", json!({"answer": null})).await;
    assert_eq!(words(&h).await, first);
    let seen = h.get("ai").await;
    assert_eq!((&seen["calls"], &seen["answer"], &seen["last"]), (&json!(4), &Value::Null, &question("Is it blue?")));
    assert!(!seen.to_string().contains("any-key"), "a key is not kept");
    assert_eq!(h.counters().await["aiCalls"], 4);
    h.post("ai", json!({"answer": "Fixed"})).await;
    h.post("reset", json!({"keepAccounts": true})).await;
    assert_eq!(h.get("ai").await, json!({"calls": 0, "answer": null, "last": null}));
}

#[tokio::test]
async fn it_refuses_what_a_real_one_refuses() {
    let h = Harness::start().await;
    let user = json!({"role": "user", "content": "Hi"});
    let cases = [
        (json!({"messages": [user]}), Value::Null),
        (json!({"model": 5, "messages": [user]}), json!("invalid_type")),
        (json!({"model": "m"}), json!("missing_required_parameter")),
        (json!({"model": "m", "messages": []}), json!("empty_array")),
        (json!({"model": "m", "messages": "Hi"}), json!("invalid_type")),
        (json!({"model": "m", "messages": ["Hi"]}), json!("invalid_type")),
        (json!({"model": "m", "messages": [user, {"role": "robot", "content": "Hi"}]}), json!("invalid_value")),
        (json!({"model": "m", "messages": [{"content": "Hi"}]}), json!("invalid_type")),
        (json!({"model": "m", "messages": [{"role": "user", "content": null}]}), json!("invalid_type")),
        (json!({"model": "m", "messages": [user], "stream": true}), json!("unsupported_value")),
        (json!("not an object"), Value::Null),
    ];
    let asked = cases.len();
    for (body, code) in cases {
        let reply = ask(&h, &body).await;
        let error = &reply.body["error"];
        assert_eq!((reply.status, &error["type"]), (400, &json!("invalid_request_error")), "{body}");
        assert_eq!(error["code"], code, "{body}");
        assert!(error["message"].is_string());
    }
    let url = format!("{}/ai/v1/chat/completions", h.base);
    for authorization in [None, Some("Bearer "), Some("Basic abc")] {
        let request = h.http.post(&url).body(question("Hi").to_string());
        let request = authorization.into_iter().fold(request, |request, text| request.header("authorization", text));
        let reply = h.raw(request).await;
        assert_eq!((reply.status, &reply.body["error"]["type"]), (401, &json!("invalid_request_error")));
    }
    assert_eq!(h.raw(h.http.get(&url)).await.status, 405);
    let nowhere = h.raw(h.http.get(format!("{}/ai/v1/models", h.base))).await;
    assert_eq!((nowhere.status, &nowhere.body["error"]["type"]), (404, &json!("invalid_request_error")));
    let seen = h.get("ai").await;
    assert_eq!((&seen["calls"], &seen["last"]), (&json!(asked + 3), &Value::Null));
}

#[tokio::test]
async fn every_fault_of_it() {
    let h = Harness::start().await;
    let fault = async |fault: Value| {
        h.fault(fault).await;
        ask(&h, &question("Is it blue?")).await
    };
    for (params, status, kind) in [
        (json!({}), 503, "server_error"),
        (json!({"status": 429}), 429, "requests"),
        (json!({"status": 500}), 500, "server_error"),
        (json!({"status": 401}), 401, "invalid_request_error"),
        (json!({"status": 200}), 503, "server_error"),
    ] {
        let reply = fault(json!({"name": "ai_error", "count": 1, "params": params})).await;
        assert_eq!((reply.status, &reply.body["error"]["type"]), (status, &json!(kind)));
    }
    let refusal = fault(json!({"name": "ai_refusal", "count": 1})).await;
    let message = &refusal.body["choices"][0]["message"];
    assert_eq!((refusal.status, &message["content"]), (200, &Value::Null));
    assert!(message["refusal"].is_string());
    let filtered = fault(json!({"name": "ai_filtered", "count": 1})).await;
    assert_eq!((filtered.status, &filtered.body["error"]["code"]), (400, &json!("content_filter")));
    let garbage = fault(json!({"name": "ai_garbage", "count": 1})).await;
    assert!(garbage.status == 200 && !garbage.body["choices"].is_array(), "{}", garbage.body);
    let page = fault(json!({"name": "ai_garbage", "count": 1, "params": {"how": "html"}})).await;
    assert!(page.status == 200 && page.body.as_str().unwrap().contains("<html>"));
    h.fault(json!({"name": "ai_long", "count": 1})).await;
    let long = words(&h).await;
    assert_eq!(long.chars().count(), 5_000);
    assert!(long.contains('ß') && long.contains('😀') && long.len() > 6_000);
    h.fault(json!({"name": "ai_link", "count": 1})).await;
    assert!(words(&h).await.contains("https://evil.example/"));
    h.fault(json!({"name": "ai_empty", "count": 1})).await;
    assert_eq!(words(&h).await, "");
    let started = Instant::now();
    h.fault(json!({"name": "ai_timeout", "count": 1, "params": {"ms": 200}})).await;
    let request = h.http.post(format!("{}/ai/v1/chat/completions", h.base)).bearer_auth("any");
    assert!(request.body(question("Hi").to_string()).send().await.is_err(), "there is no answer");
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(words(&h).await.contains("“Is it blue?”"));
    assert_eq!(h.counters().await["faultsFired"]["ai_error"], 5);
}
