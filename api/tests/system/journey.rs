//! The way of one DM: in, stored, answered, its echo merged; read by the shop.

use crate::system::{REPLY, System};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_dm_comes_in_is_stored_and_is_answered_on_both_platforms() {
    let system = System::start().await;
    for platform in ["instagram", "facebook"] {
        let account = system.account(platform).await;
        let before = system.sent().await.len();
        let mid = system.dm(&account, "900000000000042", "Do you have it in blue? \u{1F499}").await;
        system.until_sent(before + 1).await;
        let counters = system.until_quiet().await;
        assert_eq!(counters["repliesByInbound"]["max"], 1, "{counters}");
        let owner = system.sign_in().await;
        let conversations = owner.get("/api/conversations").await;
        let conversation =
            conversations["items"].as_array().unwrap().iter().find(|c| c["platform"] == platform).unwrap();
        assert_eq!(conversation["contact"]["externalId"], "900000000000042");
        assert_eq!(conversation["unreadCount"], 1);
        assert_eq!(conversation["connectionId"], json!(account.connection));
        assert!(conversation["windowClosesAt"].is_string());
        let path = format!("/api/conversations/{}/messages", conversation["id"].as_str().unwrap());
        let messages = owner.get(&path).await["items"].clone();
        let messages = messages.as_array().unwrap();
        assert_eq!(messages.len(), 2, "its echo made no second row: {messages:?}");
        let (reply, question) = (&messages[0], &messages[1]);
        assert_eq!(
            (question["externalId"].as_str(), question["direction"].as_str()),
            (Some(mid.as_str()), Some("inbound"))
        );
        assert_eq!(question["text"], "Do you have it in blue? \u{1F499}");
        assert_eq!((reply["text"].as_str(), reply["status"].as_str()), (Some(REPLY), Some("sent")));
        assert_eq!(reply["inReplyTo"], question["id"]);
        let read = format!("/api/conversations/{}/read", conversation["id"].as_str().unwrap());
        let (status, _) = owner.send(Method::POST, &read, json!({})).await;
        assert!(status.is_success(), "{status}");
        assert_eq!(owner.get("/api/conversations").await["items"][0]["unreadCount"], 0);
    }
    let usage = system.sign_in().await.get("/api/usage").await;
    assert!(usage.to_string().contains(r#""messagesReceived":2"#), "{usage}");
    let merged = system.operator(Method::GET, "/api/admin/deliveries?limit=100").await.1.to_string();
    assert_eq!(merged.matches(r#""merged_echo""#).count(), 2, "{merged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_before_the_answer_and_a_lost_answer_never_make_a_second_message() {
    let system = System::start().await;
    let account = system.account("instagram").await;
    let faults = ["echo_before_answer", "answer_lost", "reset_mid_response", "answer_without_message_id"];
    for (n, fault) in faults.into_iter().enumerate() {
        system.control("/sandbox/faults", json!({ "name": fault, "count": 1 })).await;
        let customer = format!("90000000000000{n}");
        let before = system.sent().await.len();
        system.dm(&account, &customer, fault).await;
        system.until_sent(before + 1).await;
        system.until_quiet().await;
        let owner = system.sign_in().await;
        let shown = system
            .until(fault, || async {
                let all = owner.get("/api/conversations").await;
                let all = all["items"].as_array().unwrap();
                let found =
                    all.iter().find(|c| c["contact"]["externalId"] == json!(customer)).ok_or("no conversation")?;
                let path = format!("/api/conversations/{}/messages", found["id"].as_str().unwrap());
                let messages = owner.get(&path).await["items"].as_array().unwrap().clone();
                if messages[0]["status"] == "sent" { Ok(messages) } else { Err(format!("{messages:?}")) }
            })
            .await;
        assert_eq!(shown.len(), 2, "{fault}: {shown:?}");
    }
    let counters = system.sandbox_says("/sandbox/counters").await;
    assert_eq!(
        (counters["maxSendsPerCustomer"].as_i64(), counters["sendsAccepted"].as_i64()),
        (Some(1), Some(4)),
        "{counters}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_cuts_nobody_off_and_ends_in_time() {
    let mut system = System::start().await;
    let account = system.account("instagram").await;
    system.control("/sandbox/faults", json!({ "name": "slow_answer", "count": 1, "params": { "ms": 1500 } })).await;
    system.dm(&account, "900000000000001", "hello").await;
    system.until_sent(1).await;
    let url = format!("{}/healthz", system.api);
    let http = system.http.clone();
    let load = tokio::spawn(async move {
        let (mut answered, mut cut) = (0_u32, Vec::new());
        loop {
            match http.get(&url).send().await {
                Ok(answer) if answer.status() == 200 || answer.status() == 503 => answered += 1,
                Ok(answer) => cut.push(answer.status().to_string()),
                Err(error) if error.is_connect() => return (answered, cut),
                Err(error) => cut.push(format!("{error:?}")),
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    system.service().signal(rustix::process::Signal::TERM);
    let status = system.service().wait_for_end(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}");
    let (answered, cut) = load.await.unwrap();
    // One connection may have stood in the kernel's queue when the port was closed: it was never accepted.
    assert!(answered > 0 && cut.len() <= 1, "{answered} answered, cut off: {cut:?}");
    system.serve(&[]).await;
    let send = system.jobs("message.send").await.remove(0);
    assert_eq!(send["state"], "completed", "the running send was let finish: {send}");
    assert_eq!(system.sent().await.len(), 1);
}
