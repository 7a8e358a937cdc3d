//! The same bell through Postgres' `NOTIFY`, where no Redis is set.

use crate::server::Postgres;
use crate::site::{Site, a_job, begun, count, enqueue, figures, run_one, settings, with_slots};
use jobs::{Queue, Workers};
use sea_orm::ConnectionTrait as _;
use std::time::Duration;

const AT_ONCE: Duration = Duration::from_millis(300);
const STOP: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn through_postgres_a_job_begins_in_another_process_at_once() {
    let postgres = Postgres::start();
    let site = Site::at(postgres.url()).await;
    let api = site.process(settings()).await;
    let workers = Workers::start(&site.process(settings()).await);
    postgres.until_listened(1).await;
    let mut took = Vec::new();
    for n in 0..40 {
        // Not in step with anything.
        tokio::time::sleep(Duration::from_millis(20 + n * 7 % 40)).await;
        took.push(run_one(&api, Duration::from_secs(2)).await.expect("the job was not begun"));
    }
    took.sort();
    println!("from the commit to the begin, through Postgres: p50 {:?}, worst {:?}", took[20], took[39]);
    assert!(took[39] < AT_ONCE, "{took:?}");
    fail::cfg("bell.ring", "return(cut)").unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(run_one(&api, Duration::from_secs(2)).await.is_none(), "who rang?");
    fail::remove("bell.ring");
    workers.stop(STOP).await;
}

/// The server ends the connection that listens, and later everything.
#[tokio::test(flavor = "multi_thread")]
async fn rings_come_back_with_postgres() {
    let mut postgres = Postgres::start();
    let site = Site::at(postgres.url()).await;
    let api = site.process(settings()).await;
    let workers = Workers::start(&site.process(settings()).await);
    postgres.until_listened(1).await;
    // Nobody rings for what is committed now; the new listener looks for what it may have missed.
    fail::cfg("bell.ring", "return(cut)").unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let (ids, _) = enqueue(&api, vec![a_job(0)]).await;
    assert!(begun(ids[0], AT_ONCE).await.is_none(), "who rang?");
    let end =
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'retail-assist bell'";
    postgres.run(end);
    assert!(begun(ids[0], Duration::from_secs(2)).await.is_some());
    fail::remove("bell.ring");
    postgres.until_listened(1).await;
    assert!(run_one(&api, AT_ONCE).await.is_some());
    postgres.kill();
    postgres.start_again();
    postgres.until_listened(1).await;
    for _ in 0..5 {
        assert!(run_one(&api, Duration::from_secs(2)).await.is_some());
    }
    workers.stop(STOP).await;
}

/// A claim passes over rows that somebody holds for a moment, and then nobody rings again: the next look comes soon.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_while_it_rang_is_looked_for_soon() {
    let postgres = Postgres::start();
    let site = Site::at(postgres.url()).await;
    let api = site.process(settings()).await;
    let workers = Workers::start(&site.process(settings()).await);
    postgres.until_listened(1).await;
    fail::cfg("bell.ring", "return(cut)").unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let (ids, _) = enqueue(&api, vec![a_job(0)]).await;
    let holding = api.context().db.begin().await.unwrap();
    holding.conn().execute_unprepared("SELECT id FROM jobs FOR UPDATE").await.unwrap();
    fail::remove("bell.ring");
    api.bell().ring(Queue::Send);
    assert!(begun(ids[0], AT_ONCE).await.is_none(), "it was not held");
    holding.rollback().await.unwrap();
    assert!(begun(ids[0], Duration::from_secs(2)).await.is_some());
    workers.stop(STOP).await;
}

/// Every process is woken by every ring, so nobody passes one on, and processes without a free slot keep still.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_jobs_spreads_and_busy_processes_keep_still() {
    figures();
    let postgres = Postgres::start();
    let site = Site::at(postgres.url()).await;
    let settings = || with_slots(settings(), 4);
    let api = site.process(settings()).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(Workers::start(&site.process(settings()).await));
    }
    postgres.until_listened(3).await;
    let (ids, committed) = enqueue(&api, (0..13).map(|_| a_job(4_000)).collect()).await;
    for id in &ids[..12] {
        let began = begun(*id, Duration::from_secs(2)).await.expect("a process was not rung");
        assert!(began.saturating_duration_since(committed) < Duration::from_secs(1));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = count("retail_assist_bell_rings_total", "rung");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(count("retail_assist_bell_rings_total", "rung"), before, "nobody rings while all are busy");
    for workers in workers {
        workers.stop(STOP).await;
    }
}
