//! Processes that die or stand still: nothing is lost, nothing is done twice, and poison costs only itself.

use crate::process::Process;
use crate::system::System;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

async fn settled(system: &System, kind: &str, count: usize) -> Vec<Value> {
    system
        .until(kind, || async {
            let jobs = system.jobs(kind).await;
            let done = jobs.iter().filter(|job| job["state"] == "completed" || job["state"] == "discarded").count();
            if done == count { Ok(jobs) } else { Err(format!("{done} of {count}: {jobs:?}")) }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_worker_is_killed_runs_again_with_its_try_counted() {
    let mut system = System::without_service(&[]).await;
    system.serve(&[]).await;
    let account = system.account("instagram").await;
    settled(&system, "accounts.subscribe", 1).await;
    system.service().signal(Signal::TERM);
    system.service().wait_for_end(Duration::from_secs(30)).await;
    // The handler stands still for a minute, as one that hangs in a call would.
    system.serve(&[("FAILPOINTS", "job.handler=1*sleep(60000)")]).await;
    system.dm(&account, "900000000000001", "hello").await;
    system
        .until("the job runs", || async {
            let jobs = system.jobs("webhook.process").await;
            if jobs.iter().any(|job| job["state"] == "running") { Ok(()) } else { Err(format!("{jobs:?}")) }
        })
        .await;
    system.service().kill();
    system.serve(&[]).await;
    system.until_sent(1).await;
    system.until_quiet().await;
    // The newest come first; the other one is the echo's.
    let job = settled(&system, "webhook.process", 2).await.remove(1);
    let job = system.job(job["id"].as_str().unwrap()).await;
    assert_eq!((job["state"].as_str(), job["attempt"].as_i64()), (Some("completed"), Some(2)), "{job}");
    assert_eq!(job["attempts"][0]["outcome"], "lapsed", "{job}");
    assert_eq!(system.sign_in().await.thread().await.len(), 2);
}

/// Every point at which a process can die between a DM's arrival and its reply.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_point_loses_nothing_and_sends_nothing_twice() {
    let points = [
        "webhook.before_commit",
        "webhook.committed",
        "job.claimed",
        "job.handler",
        "job.settling",
        "job.settled",
        "send.sending_committed",
        "send.answer_read",
    ];
    for point in points {
        let mut system = System::without_service(&[]).await;
        system.serve(&[]).await;
        let account = system.account("instagram").await;
        settled(&system, "accounts.subscribe", 1).await;
        system.service().signal(Signal::TERM);
        system.service().wait_for_end(Duration::from_secs(30)).await;
        system.serve(&[("FAILPOINTS", &format!("{point}=1*return(abort)"))]).await;
        let mid = system.dm(&account, "900000000000001", "hello").await;
        system.service().wait_for_end(Duration::from_secs(20)).await;
        system.serve(&[]).await;
        // Meta delivers again what was not answered; its clock need not be waited for.
        system.control("/sandbox/clock", json!({ "advanceSeconds": 40 })).await;
        system.until_quiet().await;
        settled(&system, "reply.auto", 1).await;
        settled(&system, "message.send", 1).await;
        let thread = system
            .until(point, || async {
                let thread = system.sign_in().await.thread().await;
                let status = thread.last().map(|m| m["status"].clone()).unwrap_or_default();
                if status == "sent" || status == "unknown" { Ok(thread) } else { Err(format!("{thread:?}")) }
            })
            .await;
        assert_eq!(thread.len(), 2, "{point}: {thread:?}");
        assert_eq!(thread[0]["externalId"], json!(mid), "{point}");
        let (sent, status) = (system.sent().await.len(), thread[1]["status"].as_str().unwrap());
        match point {
            // Committed as `sending`, and no byte left: not sent, and shown as not known.
            "send.sending_committed" => assert_eq!((sent, status), (0, "unknown"), "{point}"),
            _ => assert_eq!((sent, status), (1, "sent"), "{point}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_discarded_after_three_deaths_alone_and_its_batch_mates_are_not() {
    let system = System::without_service(&[]).await;
    let api = system.role("api", &[]);
    system.until("the API answers", || async { system.readiness().await.ok_or("not yet".to_owned()) }).await;
    let account = system.account("instagram").await;
    system.admin(&["set-auto-reply", "--connection", &account.connection, "--mode", "off"], "");
    for (n, text) in ["fine", "fine", "POISON", "fine", "fine"].iter().enumerate() {
        system.dm(&account, &format!("90000000000000{n}"), text).await;
    }
    system.until_quiet().await;
    let mut deaths = 0;
    let mut worker = system.role("worker", &[("FAILPOINTS", "webhook.event=return(abort:POISON)")]);
    let jobs = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if worker.has_ended().is_some() {
            deaths += 1;
            assert!(deaths <= 6, "it goes on for ever: {:?}", system.jobs("webhook.process").await);
            worker = system.role("worker", &[("FAILPOINTS", "webhook.event=return(abort:POISON)")]);
        }
        let jobs = system.jobs("webhook.process").await;
        if jobs.iter().all(|job| job["state"] == "completed" || job["state"] == "discarded") {
            break jobs;
        }
    };
    let (dead, fine): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job["state"] == "discarded");
    assert_eq!((dead.len(), fine.len()), (1, 4), "{jobs:?}");
    assert_eq!(dead[0]["error"]["class"], "poison");
    assert_eq!(deaths, 4, "once in company, which proves nothing, and three times alone");
    drop(api);
}

/// Stops a worker past its lease before it writes; another does the job meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_past_its_lease_changes_nothing_when_it_wakes() {
    let system = System::without_service(&[]).await;
    let _api = system.role("api", &[]);
    system.until("the API answers", || async { system.readiness().await.ok_or("not yet".to_owned()) }).await;
    let account = system.account("instagram").await;
    let mut first = system.role("worker", &[]);
    settled(&system, "accounts.subscribe", 1).await;
    first.signal(Signal::TERM);
    first.wait_for_end(Duration::from_secs(30)).await;
    let sleeper = system.role("worker", &[("FAILPOINTS", "job.handler=1*sleep(1500)")]);
    system.until_ready(true).await;
    system.dm(&account, "900000000000001", "hello").await;
    let job = system
        .until("the job runs", || async {
            let jobs = system.jobs("webhook.process").await;
            jobs.into_iter().find(|job| job["state"] == "running").ok_or("not running".to_owned())
        })
        .await;
    sleeper.signal(Signal::STOP);
    let awake = system.role("worker", &[]);
    system.until_sent(1).await;
    system.until_quiet().await;
    settled(&system, "webhook.process", 2).await;
    let before = system.job(job["id"].as_str().unwrap()).await;
    assert_eq!(before["attempt"], 2, "{before}");
    let thread = system.sign_in().await.thread().await;
    sleeper.signal(Signal::CONT);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(system.job(job["id"].as_str().unwrap()).await, before, "the late worker settled something");
    assert_eq!(system.sign_in().await.thread().await, thread);
    assert_eq!((system.sent().await.len(), thread.len()), (1, 2));
    assert!(sleeper.log().contains("overtaken"), "it woke and was told: {}", sleeper.log());
    let (_, events) = system.operator(Method::GET, "/api/admin/deliveries?limit=100").await;
    assert!(!events.to_string().contains(r#""failed""#), "{events}");
    drop(awake);
}

/// The same while a call to Meta is open: its answer is a fact and is written, but nothing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_stopped_past_its_lease_makes_no_second_message() {
    let system = System::without_service(&[]).await;
    let _api = system.role("api", &[]);
    system.until("the API answers", || async { system.readiness().await.ok_or("not yet".to_owned()) }).await;
    let account = system.account("instagram").await;
    let sender = system.role("worker", &[]);
    system.until_ready(true).await;
    for fault in ["hold_answer", "no_echo"] {
        system.control("/sandbox/faults", json!({ "name": fault, "count": 1 })).await;
    }
    system.dm(&account, "900000000000001", "hello").await;
    system.until_sent(1).await;
    sender.signal(Signal::STOP);
    let other: Process = system.role("worker", &[]);
    let is = |wanted: &'static str| {
        let system = &system;
        move || async move {
            let thread = system.sign_in().await.thread().await;
            let status = thread.last().map(|m| m["status"].clone()).unwrap_or_default();
            if status == wanted { Ok(()) } else { Err(format!("{thread:?}")) }
        }
    };
    system.until("the outcome is unknown", is("unknown")).await;
    system.control("/sandbox/release", json!({})).await;
    sender.signal(Signal::CONT);
    system.until("the late answer is written", is("sent")).await;
    assert_eq!(system.sent().await.len(), 1);
    let send = system.jobs("message.send").await.remove(0);
    assert_eq!(send["result"], json!({ "status": "unknown" }), "the job stays as the lapse left it: {send}");
    drop(other);
}
