//! Workers that die or stand still: the job runs again, its companions pay nothing, and a late worker changes nothing.

use crate::harness::{Bench, DELIVERED, SCRIPTED};
use entities::job::Model as Job;
use jobs::ledger::claim::{self, Claim};
use jobs::ledger::enqueue::NewJob;
use jobs::ledger::lapse::sweep;
use jobs::ledger::settle::{SettleError, settle};
use jobs::outcome::{Outcome, decide};
use serde_json::json;
use std::time::Duration;

const LEASE: i64 = 60_000;

/// What a worker that is about to die has claimed.
async fn claim_as(bench: &Bench, worker: &str, limit: usize) -> Vec<Job> {
    let now = bench.ledger.now();
    let claim = Claim { queue: SCRIPTED.queue, worker, now, lease_until: now + LEASE, limit };
    let db = &bench.ledger.context().db;
    let mut jobs = claim::due(db, claim).await.unwrap();
    if jobs.is_empty() {
        jobs = claim::isolated(db, claim).await.unwrap();
    }
    jobs
}

async fn die(bench: &Bench) {
    bench.clock.advance(LEASE + 1);
    sweep(&bench.ledger, bench.ledger.now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_job_runs_again_with_its_try_counted() {
    let bench = Bench::new().await;
    let id = bench.script(json!({})).await;
    assert_eq!(claim_as(&bench, "dead", 9).await.len(), 1);
    assert_eq!(claim_as(&bench, "other", 9).await.len(), 0, "a lease keeps it");
    assert_eq!(sweep(&bench.ledger, bench.ledger.now()).await.unwrap(), 0, "not before the lease is over");
    die(&bench).await;
    let workers = bench.work();
    let job = bench.until(id, "completed").await;
    assert_eq!((job.attempt, job.lapses, job.isolated), (2, 1, false));
    let attempts = bench.attempts(id).await;
    assert_eq!((attempts[0].outcome.as_str(), attempts[0].worker.as_deref()), ("lapsed", Some("dead")));
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_discarded_after_three_lapses_alone_and_its_mates_are_not() {
    let bench = Bench::new().await;
    let poison = bench.script(json!({ "name": "poison" })).await;
    let mut mates = Vec::new();
    for _ in 0..4 {
        mates.push(bench.script(json!({})).await);
    }
    assert_eq!(claim_as(&bench, "w0", 9).await.len(), 5);
    die(&bench).await;
    for id in mates.iter().chain([&poison]) {
        let job = bench.job(*id).await;
        assert_eq!(
            (job.state.as_str(), job.lapses, job.max_attempts),
            ("available", 0, 9),
            "in company it proves nothing"
        );
    }
    // From now on each is claimed alone; the mates succeed, the poison brings its worker down each time.
    for life in 1..=3 {
        loop {
            let jobs = claim_as(&bench, &format!("w{life}"), 9).await;
            assert_eq!(jobs.len(), 1, "alone");
            if jobs[0].id == poison {
                break;
            }
            let tx = bench.ledger.context().db.begin().await.unwrap();
            let decision = decide(&jobs[0], Outcome::Completed(json!({})), bench.ledger.now(), 0.5);
            settle(&tx, &jobs[0], &decision, bench.ledger.now()).await.unwrap();
            tx.commit().await.unwrap();
        }
        die(&bench).await;
    }
    let job = bench.job(poison).await;
    assert_eq!((job.state.as_str(), job.error_class.as_deref(), job.lapses), ("discarded", Some("poison"), 3));
    for id in mates {
        let job = bench.job(id).await;
        assert_eq!((job.state.as_str(), job.attempt), ("completed", 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_too_late_changes_nothing() {
    let bench = Bench::new().await;
    let id = bench.script(json!({})).await;
    let stale = claim_as(&bench, "asleep", 9).await.remove(0);
    die(&bench).await;
    let fresh = claim_as(&bench, "awake", 9).await.remove(0);
    assert_eq!(fresh.fence, stale.fence + 2, "the lapse and the claim have each moved the fence");
    let now = bench.ledger.now();
    let late = decide(&stale, Outcome::Completed(json!({ "by": "asleep" })), now, 0.5);
    let tx = bench.ledger.context().db.begin().await.unwrap();
    assert!(matches!(settle(&tx, &stale, &late, now).await, Err(SettleError::Overtaken)));
    drop(tx);
    let in_time = decide(&fresh, Outcome::Completed(json!({ "by": "awake" })), now, 0.5);
    let tx = bench.ledger.context().db.begin().await.unwrap();
    settle(&tx, &fresh, &in_time, now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(bench.job(id).await.result.as_deref(), Some(r#"{"by":"awake"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_worker_keeps_its_lease_however_long_the_job_takes() {
    let lease = Duration::from_millis(1_500);
    let bench = Bench::with(jobs::LedgerSettings { lease, ..crate::harness::settings() }).await;
    let workers = bench.work();
    let id = bench.enqueue(NewJob::new(&crate::harness::SLOW, json!({}))).await.unwrap();
    bench.until(id, "running").await;
    // The clock runs on as real time would, for more than two leases.
    let mut shown = std::time::Instant::now();
    while bench.job(id).await.state == "running" {
        tokio::time::sleep(Duration::from_millis(20)).await;
        bench.clock.advance(i64::try_from(shown.elapsed().as_millis()).unwrap());
        shown = std::time::Instant::now();
    }
    let job = bench.job(id).await;
    assert_eq!((job.state.as_str(), job.attempt, job.lapses), ("completed", 1, 0));
    assert!(job.finished_at.unwrap() - job.started_at.unwrap() > 3_000, "longer than two leases");
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_stops_running_and_settles_nothing() {
    let bench =
        Bench::with(jobs::LedgerSettings { lease: Duration::from_millis(600), ..crate::harness::settings() }).await;
    let workers = bench.work();
    let id = bench.enqueue(NewJob::new(&SCRIPTED, json!({ "sleep": 2_500, "log": "cancel" }))).await.unwrap();
    bench.until(id, "running").await;
    let mut tx = bench.ledger.context().db.begin().await.unwrap();
    assert!(jobs::ledger::operate::cancel(&bench.ledger, &mut tx, id, bench.ledger.now()).await.unwrap());
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let job = bench.job(id).await;
    assert_eq!((job.state.as_str(), job.result), ("cancelled", None));
    assert_eq!(crate::harness::runs_of("cancel").len(), 1, "it was stopped before its end");
    workers.stop(Duration::from_secs(5)).await;
}

/// A clock that jumps past every lease says nothing of a process that lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_forward_takes_no_job_from_a_living_worker() {
    let bench = Bench::new().await;
    let workers = bench.work();
    let id = bench.enqueue(NewJob::new(&crate::harness::SLOW, json!({}))).await.unwrap();
    bench.until(id, "running").await;
    bench.clock.advance(600_000);
    let job = bench.until(id, "completed").await;
    assert_eq!((job.attempt, job.lapses), (1, 0));
    workers.stop(Duration::from_secs(5)).await;
}

/// Leases of one dead worker end at different moments; the last of them was not alone for that.
#[tokio::test(flavor = "multi_thread")]
async fn companions_are_companions_whenever_their_leases_end() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for _ in 0..120 {
        ids.push(bench.script(json!({})).await);
    }
    assert_eq!(claim_as(&bench, "dead", 60).await.len(), 60);
    bench.clock.advance(1_000);
    assert_eq!(claim_as(&bench, "dead", 60).await.len(), 60);
    bench.clock.advance(LEASE - 500);
    while sweep(&bench.ledger, bench.ledger.now()).await.unwrap() > 0 {}
    bench.clock.advance(1_000);
    while sweep(&bench.ledger, bench.ledger.now()).await.unwrap() > 0 {}
    for id in ids {
        let job = bench.job(id).await;
        assert_eq!((job.state.as_str(), job.lapses, job.max_attempts), ("available", 0, 9));
    }
}

/// It was a suspect, ran alone, and lived: from then on it is a job like others.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_that_survives_is_none() {
    let bench = Bench::new().await;
    let id = bench.script(json!({ "act": "retry" })).await;
    claim_as(&bench, "dead", 9).await;
    die(&bench).await;
    assert!(bench.job(id).await.isolated);
    let workers = bench.work();
    let job = bench.until(id, "retryable").await;
    assert!(!job.isolated && job.claimed_alone, "{job:?}");
    workers.stop(Duration::from_secs(5)).await;
}

/// A crash leaves many suspects behind. Each runs alone, but the next does not wait for a tick.
#[tokio::test(flavor = "multi_thread")]
async fn suspects_follow_one_another_without_waiting() {
    let tick = Duration::from_secs(2);
    for kind in [&SCRIPTED, &DELIVERED] {
        let bench = Bench::with(jobs::LedgerSettings { tick, ..crate::harness::settings() }).await;
        let mut ids = Vec::new();
        for _ in 0..30 {
            ids.push(bench.enqueue(NewJob::new(kind, json!({}))).await.unwrap());
        }
        let now = bench.ledger.now();
        let claim = Claim { queue: kind.queue, worker: "dead", now, lease_until: now + LEASE, limit: 60 };
        assert_eq!(claim::due(&bench.ledger.context().db, claim).await.unwrap().len(), ids.len());
        die(&bench).await;
        let began = std::time::Instant::now();
        let workers = bench.work();
        for id in ids {
            let job = bench.until(id, "completed").await;
            assert!(job.claimed_alone && !job.isolated, "{job:?}");
        }
        assert!(began.elapsed() < 4 * tick, "those of {} took {:?}", kind.name, began.elapsed());
        workers.stop(Duration::from_secs(5)).await;
    }
}
