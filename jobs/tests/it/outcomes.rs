//! What a handler says, and what becomes of the job.

use crate::harness::{Bench, SCRIPTED, runs_of};
use jobs::ledger::enqueue::NewJob;
use jobs::ledger::wait::wait_for;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_exists_exactly_when_its_transaction_was_committed() {
    let bench = Bench::new().await;
    let mut tx = bench.ledger.context().db.begin().await.unwrap();
    let ids = bench.ledger.enqueue(&mut tx, vec![NewJob::new(&SCRIPTED, json!({}))]).await.unwrap();
    tx.rollback().await.unwrap();
    let workers = bench.work();
    let id = bench.script(json!({})).await;
    let job = bench.until(id, "completed").await;
    assert_eq!((job.attempt, job.result.as_deref()), (1, Some(r#"{"done":true}"#)));
    assert!(wait_for(&bench.ledger, ids[0], Duration::from_millis(50)).await.unwrap().is_none());
    assert!(bench.attempts(id).await.is_empty(), "a plain success leaves no attempt row");
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_and_its_tries_are_recorded() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let id = bench.script(json!({ "act": "retry_once" })).await;
    let job = bench.until(id, "retryable").await;
    assert_eq!(job.error_fingerprint.as_deref(), Some("test.scripted transient -"));
    assert!((4_000..=6_000).contains(&(job.run_at - bench.ledger.now())), "{}", job.run_at);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.job(id).await.state, "retryable", "not before its time");
    bench.clock.advance(6_000);
    let job = bench.until(id, "completed").await;
    assert_eq!((job.attempt, job.error_class), (2, None));
    let attempts = bench.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].attempt, attempts[0].outcome.as_str()), (1, "retry"));
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_ends_and_a_window_ends_it_sooner() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let id = bench.script(json!({ "act": "retry" })).await;
    let late = bench.script(json!({ "act": "late" })).await;
    assert_eq!(bench.until(late, "discarded").await.attempt, 1);
    for attempt in 1..8 {
        bench.until_attempt(id, attempt).await;
        bench.until(id, "retryable").await;
        bench.clock.advance(24 * 3_600_000);
    }
    let job = bench.until(id, "discarded").await;
    assert_eq!((job.attempt, bench.attempts(id).await.len()), (8, 8));
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_and_a_time_out_cost_only_their_own_job_a_try() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let (panics, hangs, fine) = (
        bench.script(json!({ "act": "panic" })).await,
        bench.script(json!({ "act": "hang" })).await,
        bench.script(json!({})).await,
    );
    assert_eq!(bench.until(panics, "retryable").await.error_class.as_deref(), Some("panic"));
    assert_eq!(bench.until(hangs, "retryable").await.error_class.as_deref(), Some("timeout"));
    bench.until(fine, "completed").await;
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_costs_no_try_and_a_discard_ends_it() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let id = bench.script(json!({ "act": "snooze_once" })).await;
    let job = bench.until(id, "snoozed").await;
    assert_eq!((job.attempt, job.run_at), (0, bench.ledger.now() + 60_000));
    bench.clock.advance(60_001);
    assert_eq!(bench.until(id, "completed").await.attempt, 1);
    let id = bench.script(json!({ "act": "discard" })).await;
    assert_eq!(bench.until(id, "discarded").await.attempt, 1);
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedupe_key_is_taken_while_its_job_is_unfinished() {
    let bench = Bench::new().await;
    let job = || NewJob::new(&SCRIPTED, json!({ "log": "dedupe", "name": "x" })).dedupe_key("only-one".to_owned());
    let first = bench.enqueue(job()).await.unwrap();
    assert_eq!(bench.enqueue(job()).await, None);
    let workers = bench.work();
    bench.until(first, "completed").await;
    let second = bench.enqueue(job()).await.expect("free again");
    bench.until(second, "completed").await;
    assert_eq!(runs_of("dedupe").len(), 4);
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_result_is_woken_and_not_kept_for_ever() {
    let bench = Bench::new().await;
    let slow = bench.script(json!({ "sleep": 150 })).await;
    assert!(wait_for(&bench.ledger, slow, Duration::from_millis(100)).await.unwrap().is_none());
    let workers = bench.work();
    let done = wait_for(&bench.ledger, slow, Duration::from_secs(8)).await.unwrap().unwrap();
    assert_eq!(done.state, "completed");
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_running_jobs_finish_and_claims_no_more() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let running = bench.script(json!({ "sleep": 250, "log": "stop", "name": "a" })).await;
    bench.until(running, "running").await;
    let stopping = tokio::spawn(workers.stop(Duration::from_secs(5)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = bench.script(json!({ "log": "stop", "name": "b" })).await;
    stopping.await.unwrap();
    assert_eq!(bench.job(running).await.state, "completed");
    assert_eq!(bench.job(later).await.state, "available");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_with_nothing_to_do_takes_no_time() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let id = bench.script(json!({})).await;
    bench.until(id, "completed").await;
    let began = std::time::Instant::now();
    workers.stop(Duration::from_secs(20)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// A newer program made them: they wait for it, and cost their neighbours nothing.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_kinds_not_known_here_wait() {
    use sea_orm::{EntityTrait, sea_query::Expr};
    let bench = Bench::new().await;
    let stranger = bench.script(json!({})).await;
    entities::job::Entity::update_many()
        .col_expr(entities::job::Column::Kind, Expr::value("from.the.future"))
        .exec(bench.ledger.context().db.write())
        .await
        .unwrap();
    let known = bench.script(json!({})).await;
    let workers = bench.work();
    bench.until(known, "completed").await;
    let job = bench.until(stranger, "snoozed").await;
    assert_eq!((job.attempt, job.error_class.as_deref()), (0, Some("unknown_kind")));
    workers.stop(Duration::from_secs(5)).await;
}
