//! What operators do, and what is pruned.

use crate::harness::Bench;
use jobs::jobs::ledger_prune;
use jobs::ledger::enqueue::NewJob;
use jobs::ledger::operate;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn retry_run_now_cancel_and_discard_act_once() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let dead = bench.script(json!({ "act": "discard" })).await;
    bench.until(dead, "discarded").await;
    let later =
        bench.enqueue(NewJob::new(&crate::harness::SCRIPTED, json!({})).run_at(bench.ledger.now() + 9_999_999)).await;
    let later = later.unwrap();
    let now = bench.ledger.now();
    let tx = bench.ledger.context().db.begin().await.unwrap();
    assert!(operate::retry(&tx, dead, now).await.unwrap());
    assert!(!operate::retry(&tx, dead, now).await.unwrap(), "it waits already");
    assert!(operate::run_now(&tx, later, now).await.unwrap());
    tx.commit().await.unwrap();
    bench.until(later, "completed").await;
    assert_eq!(bench.until(dead, "discarded").await.attempt, 2);
    let mut tx = bench.ledger.context().db.begin().await.unwrap();
    assert!(!operate::cancel(&bench.ledger, &mut tx, later, now).await.unwrap(), "it is over");
    assert!(!operate::discard(&bench.ledger, &mut tx, later, now).await.unwrap());
    drop(tx);
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_jobs_are_kept_for_their_time_and_no_longer() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let (done, dead) = (bench.script(json!({})).await, bench.script(json!({ "act": "discard" })).await);
    bench.until(done, "completed").await;
    bench.until(dead, "discarded").await;
    bench.clock.advance(24 * 3_600_000 + 1);
    let prune = bench.enqueue(NewJob::new(&ledger_prune::KIND, json!({}))).await.unwrap();
    let result = bench.until(prune, "completed").await.result.unwrap();
    assert!(result.contains(r#""completedJobs":1"#) && result.contains(r#""discardedJobs":0"#), "{result}");
    bench.clock.advance(29 * 24 * 3_600_000);
    let prune = bench.enqueue(NewJob::new(&ledger_prune::KIND, json!({}))).await.unwrap();
    let result = bench.until(prune, "completed").await.result.unwrap();
    assert!(result.contains(r#""discardedJobs":1"#), "{result}");
    assert!(bench.attempts(dead).await.is_empty(), "its attempts went with it");
    workers.stop(Duration::from_secs(5)).await;
}
