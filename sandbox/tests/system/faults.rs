//! Every fault of a send, as a client sees it.
//! Lost answers are read from a bare socket.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{harness::Harness, raw};

#[tokio::test]
async fn refusals_have_their_codes() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    let cases = [
        ("token_revoked", 400, (190, 460)),
        ("token_expired", 400, (190, 463)),
        ("permission_lost", 403, (10, 0)),
        ("account_restricted", 403, (10, 1_893_063)),
        ("recipient_unavailable", 400, (551, 1_545_041)),
        ("window_closed_false", 403, (10, 2_534_022)),
        ("capability", 400, (3, 0)),
        ("transient", 500, (2, 0)),
        ("code1", 500, (1, 0)),
        ("http_429", 429, (4, 0)),
        ("error_in_200", 200, (2, 0)),
        ("rate_limit", 400, (613, 0)),
    ];
    for (name, status, code) in cases {
        h.fault(json!({"name": name, "count": 1})).await;
        let reply = h.send(&ig, name).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{name}");
        if name == "rate_limit" {
            let usage: serde_json::Value =
                serde_json::from_str(reply.headers["x-business-use-case-usage"].to_str().unwrap()).unwrap();
            assert_eq!(usage[&ig.account][0]["estimated_time_to_regain_access"], 1);
        }
        if name == "transient" {
            assert_eq!(reply.body["error"]["is_transient"], true);
        }
    }
    h.fault(json!({"name": "html_502", "count": 1})).await;
    let reply = h.send(&ig, "html").await;
    assert_eq!(reply.status, 502);
    assert!(reply.body.as_str().unwrap().contains("<html>"));
    assert_eq!(h.send(&ig, "fine").await.status, 200);
    let counters = h.counters().await;
    assert_eq!(counters["sendsReceived"], 14);
    assert_eq!(counters["sendsAccepted"], 1);
    assert_eq!(counters["sendsRefused"]["total"], 13);
    assert_eq!(counters["faultsFired"]["token_revoked"], 1);
}

#[tokio::test]
async fn lost_answers_on_a_bare_socket() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    let send = async || {
        let body = json!({"recipient": {"id": ig.customer}, "message": {"text": "hi"}}).to_string();
        raw::exchange(h.running.addr, "/v25.0/me/messages", &ig.token, &body).await
    };
    h.fault(json!({"name": "answer_lost", "count": 1})).await;
    let seen = send().await;
    assert!(seen.bytes.is_empty());
    assert_eq!(seen.end, Err(std::io::ErrorKind::ConnectionReset));
    h.fault(json!({"name": "answer_lost", "count": 1, "params": {"how": "close"}})).await;
    let seen = send().await;
    assert!(seen.bytes.is_empty(), "{seen:?}");
    assert_eq!(seen.end, Ok(()));
    h.fault(json!({"name": "timeout_after_accept", "count": 1, "params": {"ms": 300}})).await;
    let started = Instant::now();
    let seen = send().await;
    assert!(seen.bytes.is_empty() && started.elapsed() >= Duration::from_millis(300));
    for (how, end) in [("close", Ok(())), ("reset", Err(std::io::ErrorKind::ConnectionReset))] {
        h.fault(json!({"name": "reset_mid_response", "count": 1, "params": {"how": how}})).await;
        let seen = send().await;
        let text = String::from_utf8(seen.bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        assert!(!body.is_empty() && body.len() < length, "{text}");
        assert_eq!(seen.end, end);
    }
    let counters = h.until("five echoes", |counters| counters["echoes"] == 5).await;
    assert_eq!(counters["sendsAccepted"], 5);
    assert_eq!(counters["answersLost"], 5);
    h.fault(json!({"name": "timeout_before_accept", "count": 1, "params": {"ms": 200}})).await;
    assert!(send().await.bytes.is_empty());
    let counters = h.counters().await;
    assert_eq!(counters["sendsAccepted"], 5);
    assert_eq!(counters["sendsRefused"]["byCode"]["timeout"], 1);
    let sent = h.get("sent").await;
    let answers: Vec<_> =
        sent["items"].as_array().unwrap().iter().map(|sent| sent["answer"].as_str().unwrap()).collect();
    assert_eq!(answers, ["lost", "lost", "hung", "truncated", "truncated"]);
}

#[tokio::test]
async fn answers_late_held_and_without_an_id() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    h.fault(json!({"name": "slow_answer", "count": 1, "params": {"ms": 300}})).await;
    let started = Instant::now();
    assert_eq!(h.send(&ig, "slow").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
    h.fault(json!({"name": "answer_without_message_id", "count": 1})).await;
    assert_eq!(h.send(&ig, "no id").await.body, json!({"recipient_id": ig.customer}));
    for (name, accepted_while_held) in [("hold_answer", 3), ("hold_before_accept", 3)] {
        h.fault(json!({"name": name, "count": 1})).await;
        let body = json!({"recipient": {"id": ig.customer}, "message": {"text": name}});
        let request = tokio::spawn(h.send_request(&ig, &body).send());
        let counters = h.until("held", |counters| counters["held"] == 1).await;
        assert_eq!(counters["sendsAccepted"], accepted_while_held, "{name}");
        assert_eq!(h.post("release", json!({})).await["released"], 1);
        assert_eq!(request.await.unwrap().unwrap().status().as_u16(), 200);
    }
    assert_eq!(h.counters().await["sendsAccepted"], 4);
}

#[tokio::test]
async fn a_caller_that_hangs_up_has_lost_the_answer() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    h.fault(json!({"name": "hold_answer", "count": 1})).await;
    let body = json!({"recipient": {"id": ig.customer}, "message": {"text": "a"}});
    let request = tokio::spawn(h.send_request(&ig, &body).send());
    h.until("held", |counters| counters["held"] == 1).await;
    request.abort();
    let counters = h.until("gone", |counters| counters["held"] == 0).await;
    assert_eq!((&counters["sendsAccepted"], &counters["answersLost"]), (&json!(1), &json!(1)));
    assert_eq!(h.get("sent").await["items"][0]["answerLost"], true);
}

#[tokio::test]
async fn the_echo_before_the_answer() {
    let h = Harness::start().await;
    let page = h.page().await;
    h.dm(&page, "hello").await;
    h.receiver.wait(1).await;
    h.receiver.delay(Duration::from_millis(200));
    h.fault(json!({"name": "echo_before_answer", "count": 1})).await;
    h.fault(json!({"name": "answer_lost", "count": 1})).await;
    let body = json!({"recipient": {"id": page.customer}, "message": {"text": "hi", "metadata": "key-1"}});
    let started = Instant::now();
    let error = h.send_request(&page, &body).send().await.unwrap_err();
    assert!(!error.is_timeout() && started.elapsed() >= Duration::from_millis(200));
    let got = h.receiver.got();
    assert_eq!(got.len(), 2, "the echo has been delivered");
    let echo = &got[1].elements()[0]["message"];
    assert_eq!(echo["metadata"], "key-1");
    assert_eq!(echo["app_id"], 100_000_000_000_001_u64);
    assert_eq!(got[1].path, "/facebook");
    h.quiet().await;
    assert_eq!(h.receiver.count(), 2, "and comes only once");
}

#[tokio::test]
async fn echoes_missing_and_late() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.dm(&ig, "hello").await;
    h.fault(json!({"name": "no_echo", "count": 1})).await;
    h.send(&ig, "silent").await;
    h.fault(json!({"name": "echo_late", "count": 1, "params": {"ms": 400}})).await;
    let started = Instant::now();
    h.send(&ig, "late").await;
    h.send(&ig, "usual").await;
    let got = h.receiver.wait(3).await;
    let texts: Vec<_> = got.iter().map(|got| got.text()).collect();
    assert_eq!(texts, ["hello", "usual", "late"]);
    assert!(got[2].at - started >= Duration::from_millis(400));
    assert!(got[1].is_echo() && got[1].elements()[0]["message"].get("app_id").is_none());
    h.post("settings", json!({"instagramEchoAppId": true})).await;
    h.send(&ig, "with app id").await;
    let got = h.receiver.wait(4).await;
    assert_eq!(got[3].elements()[0]["message"]["app_id"], 200_000_000_000_002_u64);
}
