//! A job that one process commits is begun by another within a moment, because the bell rang.

use crate::server::Redis;
use crate::site::{Site, count, figures, run_one, settings, through};
use jobs::{Queue, Workers};
use std::time::Duration;

const AT_ONCE: Duration = Duration::from_millis(300);
const STOP: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn through_redis_a_job_begins_in_another_process_at_once() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    let mut took = Vec::new();
    for n in 0..40 {
        // Not in step with anything.
        tokio::time::sleep(Duration::from_millis(20 + n * 7 % 40)).await;
        took.push(run_one(&api, Duration::from_secs(2)).await.expect("the job was not begun"));
    }
    took.sort();
    println!("from the commit to the begin, through Redis: p50 {:?}, worst {:?}", took[20], took[39]);
    assert!(took[39] < AT_ONCE, "{took:?}");
    workers.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_bell_cut_nothing_begins_before_the_tick() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    assert!(run_one(&api, AT_ONCE).await.is_some());
    redis.until_quiet().await;
    fail::cfg("bell.ring", "return(cut)").unwrap();
    assert!(run_one(&api, Duration::from_secs(2)).await.is_none());
    fail::remove("bell.ring");
    assert!(run_one(&api, AT_ONCE).await.is_some());
    workers.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bell_between_them_processes_wait_for_the_tick() {
    let site = Site::on_sqlite().await;
    let api = site.process(settings()).await;
    let short = jobs::LedgerSettings { tick: Duration::from_millis(500), ..settings() };
    let workers = Workers::start(&site.process(short).await);
    assert!(run_one(&api, Duration::from_secs(2)).await.is_some());
    workers.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ring_wakes_one_of_two_idle_processes() {
    figures();
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let one = Workers::start(&site.process(through(&redis.url())).await);
    let other = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(2).await;
    redis.until_quiet().await;
    for rings in 1..=5 {
        api.bell().ring(Queue::Send);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(count("retail_assist_bell_heard_total", "woke"), rings);
    }
    assert_eq!(redis.waiting().await, 0);
    one.stop(STOP).await;
    other.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_eight_rings_wait() {
    figures();
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    for _ in 0..30 {
        api.bell().ring(Queue::Send);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(count("retail_assist_bell_rings_total", "enough") > 5);
    assert_eq!(redis.waiting().await, 8);
    // They are heard when somebody comes, and then there is room again.
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    assert!(run_one(&api, AT_ONCE).await.is_some());
    tokio::time::sleep(AT_ONCE).await;
    assert_eq!(redis.waiting().await, 0);
    workers.stop(STOP).await;
}
