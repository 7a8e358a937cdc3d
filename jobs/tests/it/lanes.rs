//! Lanes, holds, pauses and priorities: what a claim passes over.

use crate::harness::{Bench, SCRIPTED, runs_of};
use jobs::ledger::enqueue::NewJob;
use jobs::ledger::hold::{Pause, Subject, hold};
use jobs::ledger::operate::set_paused;
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn in_lane(log: &str, name: &str, act: &str) -> NewJob {
    let script = json!({ "log": log, "name": name, "act": act, "sleep": 30 });
    NewJob::new(&SCRIPTED, script).lane(format!("lane:{log}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_runs_one_at_a_time_and_in_order() {
    let bench = Bench::new().await;
    let mut last = None;
    for name in ["a", "b", "c", "d"] {
        last = bench.enqueue(in_lane("order", name, "ok")).await;
    }
    let workers = bench.work();
    bench.until(last.unwrap(), "completed").await;
    let expected: Vec<String> =
        ["a", "b", "c", "d"].iter().flat_map(|n| [format!("begin {n}"), format!("end {n}")]).collect();
    assert_eq!(runs_of("order"), expected);
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_blocks_its_lane_and_no_other() {
    let bench = Bench::new().await;
    let first = bench.enqueue(in_lane("retry", "a", "retry_once")).await.unwrap();
    let second = bench.enqueue(in_lane("retry", "b", "ok")).await.unwrap();
    let other = bench.enqueue(in_lane("retry-other", "x", "ok")).await.unwrap();
    let workers = bench.work();
    bench.until(first, "retryable").await;
    bench.until(other, "completed").await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(bench.job(second).await.state, "available");
    bench.clock.advance(10_000);
    bench.until(second, "completed").await;
    assert_eq!(runs_of("retry").last().map(String::as_str), Some("end b"));
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_for_later_and_a_discarded_one_do_not_block_their_lane() {
    let bench = Bench::new().await;
    let far = bench.enqueue(in_lane("later", "far", "ok").run_at(bench.ledger.now() + 86_400_000)).await.unwrap();
    let dead = bench.enqueue(in_lane("later", "dead", "discard")).await.unwrap();
    let now = bench.enqueue(in_lane("later", "now", "ok")).await.unwrap();
    let workers = bench.work();
    bench.until(now, "completed").await;
    assert_eq!(bench.job(dead).await.state, "discarded");
    assert_eq!(bench.job(far).await.state, "scheduled");
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_account_waits_and_the_others_do_not() {
    let bench = Bench::new().await;
    let (held, free) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let now = bench.ledger.now();
    let tx = bench.ledger.context().db.begin().await.unwrap();
    hold(&tx, Subject::Connection(held), Pause::Named(60_000), "613", now, 0.5).await.unwrap();
    let stands = hold(&tx, Subject::Connection(held), Pause::Named(30_000), "613", now, 0.5).await.unwrap();
    assert_eq!(stands.until, now + 60_000, "an earlier end does not shorten a hold");
    tx.commit().await.unwrap();
    let job = |connection| NewJob::new(&SCRIPTED, json!({})).serves(Uuid::from_u128(1), connection);
    let (waits, goes) = (bench.enqueue(job(held)).await.unwrap(), bench.enqueue(job(free)).await.unwrap());
    let workers = bench.work();
    bench.until(goes, "completed").await;
    bench.clock.advance(30_001);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(bench.job(waits).await.state, "available", "an earlier end does not shorten a hold");
    bench.clock.advance(30_000);
    bench.until(waits, "completed").await;
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_the_app_and_a_paused_queue_stop_all_sending() {
    let bench = Bench::new().await;
    let now = bench.ledger.now();
    let tx = bench.ledger.context().db.begin().await.unwrap();
    hold(&tx, Subject::App, Pause::Named(5_000), "4", now, 0.5).await.unwrap();
    assert!(set_paused(&tx, "send", true, now).await.unwrap());
    assert!(!set_paused(&tx, "nonsense", true, now).await.unwrap());
    tx.commit().await.unwrap();
    let workers = bench.work();
    let id = bench.script(json!({})).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(bench.job(id).await.state, "available");
    bench.clock.advance(5_001);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(bench.job(id).await.state, "available", "still paused");
    let tx = bench.ledger.context().db.begin().await.unwrap();
    set_paused(&tx, "send", false, now).await.unwrap();
    tx.commit().await.unwrap();
    bench.until(id, "completed").await;
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_lane_of_waiting_jobs_does_not_hide_the_others() {
    let bench = Bench::new().await;
    let head = bench.enqueue(in_lane("full", "head", "retry")).await.unwrap();
    for n in 0..200 {
        bench.enqueue(in_lane("full", &n.to_string(), "ok")).await.unwrap();
    }
    let free = bench.script(json!({ "log": "full-free" })).await;
    let workers = bench.work();
    bench.until(free, "completed").await;
    assert_eq!(bench.until(head, "retryable").await.attempt, 1);
    assert_eq!(runs_of("full"), ["begin head", "end head"]);
    workers.stop(Duration::from_secs(5)).await;
}

/// What was for later is in its lane from when it is due.
#[tokio::test(flavor = "multi_thread")]
async fn scheduled_jobs_of_a_lane_run_one_at_a_time_when_they_fall_due() {
    let bench = Bench::new().await;
    let due = bench.ledger.now() + 60_000;
    let mut last = None;
    for name in ["a", "b", "c"] {
        last = bench.enqueue(in_lane("due", name, "ok").run_at(due)).await;
    }
    let workers = bench.work();
    bench.clock.advance(60_001);
    bench.until(last.unwrap(), "completed").await;
    assert_eq!(runs_of("due"), ["begin a", "end a", "begin b", "end b", "begin c", "end c"]);
    workers.stop(Duration::from_secs(5)).await;
}

/// A stream of fresh jobs that are handed over does not keep an older one waiting for ever.
#[tokio::test(flavor = "multi_thread")]
async fn fresh_jobs_do_not_starve_older_ones() {
    let settings = crate::harness::settings();
    let slots = jobs::settings::Slots { send: 1, ..settings.slots };
    let bench = Bench::with(jobs::LedgerSettings { slots, ..settings }).await;
    let old = bench.enqueue(NewJob::new(&SCRIPTED, json!({})).run_at(bench.ledger.now() + 1_000)).await.unwrap();
    for _ in 0..50 {
        bench.script(json!({ "sleep": 10 })).await;
    }
    bench.clock.advance(1_001);
    let workers = bench.work();
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        bench.script(json!({ "sleep": 10 })).await;
        if bench.job(old).await.state == "completed" {
            return workers.stop(Duration::from_secs(5)).await;
        }
    }
    panic!("the older job never ran");
}
