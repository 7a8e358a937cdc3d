//! A disk that refuses writes: nothing acknowledged is lost, Meta is told to come again, and all goes on by itself after.

use crate::process::{PROGRAM, Process};
use crate::system::System;
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use testbed::Setup;

/// With the signal ignored, a write over the limit fails with an error, as on a disk that is full.
fn service(system: &System) -> Process {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"trap "" XFSZ; exec "$0" serve"#, PROGRAM]);
    Process::start(command, &system.environment)
}

/// Takes from the service what it writes to: the size of its files where it writes them itself, the database's leave to write
/// where a server does.
fn writes(system: &mut System, allowed: bool) {
    match (system.database.setup(), allowed) {
        (Setup::Sqlite, _) => {
            let limit = Rlimit { current: (!allowed).then_some(0), maximum: None };
            prlimit(Some(system.service().pid()), Resource::Fsize, limit).unwrap();
        }
        (Setup::Postgres | Setup::PostgresRedis, false) => system.database.refuse_writes().unwrap(),
        (Setup::Postgres | Setup::PostgresRedis, true) => system.database.allow_writes().unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_writes_is_answered_503_and_healed_from_without_a_restart() {
    let mut system = System::without_service(&[]).await;
    system.service = Some(service(&system));
    system.until_ready(true).await;
    let account = system.account("instagram").await;
    system.dm(&account, "900000000000001", "before").await;
    system.until_sent(1).await;
    system.until_quiet().await;

    writes(&mut system, false);
    let said = system.until_ready(false).await;
    assert_eq!(said["checks"]["database"]["ok"], false, "{said}");
    let body = json!({ "object": "instagram", "entry": [] });
    for _ in 0..20 {
        let answers = system.control("/sandbox/deliver", json!({ "body": body })).await;
        assert_eq!(answers["statuses"], json!({ "503": 1 }));
    }
    let mids = [
        system.dm(&account, "900000000000002", "while it is full").await,
        system.dm(&account, "900000000000003", "while it is full").await,
    ];
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(system.service().has_ended().is_none(), "the service lives through it");
    let counters = system.sandbox_says("/sandbox/counters").await;
    assert!(counters["webhooksFailed"].as_i64().unwrap() >= 2, "{counters}");

    writes(&mut system, true);
    system.until_ready(true).await;
    system.control("/sandbox/clock", json!({ "advanceSeconds": 600 })).await;
    let sent = system.until_sent(3).await;
    system.until_quiet().await;
    assert_eq!(sent.len(), 3);
    let owner = system.sign_in().await;
    let shown = owner.get("/api/conversations").await;
    assert_eq!(shown["items"].as_array().unwrap().len(), 3, "{shown}");
    for mid in mids {
        let found = shown["items"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap());
        let mut seen = 0;
        for id in found {
            let messages = owner.get(&format!("/api/conversations/{id}/messages")).await.to_string();
            seen += messages.matches(&mid).count();
        }
        assert_eq!(seen, 1, "{mid}");
    }
    let counters = system.sandbox_says("/sandbox/counters").await;
    assert_eq!(counters["maxSendsPerCustomer"], 1, "{counters}");
}

/// The answer to a send that arrives while the disk is full is written when it is not: no second message, no unknown.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_written_down_is_kept_until_it_can() {
    let mut system = System::without_service(&[("JOB_LEASE", "30s")]).await;
    system.service = Some(service(&system));
    system.until_ready(true).await;
    let account = system.account("instagram").await;
    for fault in ["hold_answer", "no_echo"] {
        system.control("/sandbox/faults", json!({ "name": fault, "count": 1 })).await;
    }
    system.dm(&account, "900000000000001", "hello").await;
    system.until_sent(1).await;
    writes(&mut system, false);
    system.control("/sandbox/release", json!({})).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    writes(&mut system, true);
    system.until_ready(true).await;
    system
        .until("the answer is written", || async {
            let thread = system.sign_in().await.thread().await;
            let status = thread.last().map(|m| m["status"].clone()).unwrap_or_default();
            if status == "sent" { Ok(()) } else { Err(format!("{thread:?}")) }
        })
        .await;
    assert_eq!(system.sent().await.len(), 1);
}
