//! Redis goes, comes back, forgets everything or hangs: rings come back by themselves, and until then the tick does.

use crate::server::Redis;
use crate::site::{Site, a_job, count, enqueue, figures, run_one, through};
use jobs::{LedgerSettings, Workers};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const AT_ONCE: Duration = Duration::from_millis(300);
const STOP: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn rings_come_back_with_redis() {
    let (mut redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    for _ in 0..2 {
        assert!(run_one(&api, AT_ONCE).await.is_some());
        redis.until_quiet().await;
        redis.kill();
        assert!(run_one(&api, Duration::from_secs(2)).await.is_none(), "who rang?");
        redis.start_again();
        redis.until_listened(1).await;
        // What the process that commits waits at most before it tries again.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..5 {
            assert!(run_one(&api, AT_ONCE).await.is_some());
        }
    }
    workers.stop(STOP).await;
}

/// What was committed while the bell was silent is looked for as soon as it can be heard again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_looked_for_when_redis_is_back() {
    let (mut redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    redis.until_quiet().await;
    redis.kill();
    // Away for long enough that the listener has noticed.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (ids, _) = enqueue(&api, vec![a_job(0)]).await;
    assert!(crate::site::begun(ids[0], Duration::from_secs(1)).await.is_none(), "who rang?");
    redis.start_again();
    assert!(crate::site::begun(ids[0], Duration::from_secs(7)).await.is_some());
    workers.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rings_come_back_after_redis_forgot_everything() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    for _ in 0..3 {
        redis.ask::<()>(&["FLUSHALL"]).await;
        redis.until_listened(1).await;
        for _ in 0..3 {
            assert!(run_one(&api, AT_ONCE).await.is_some());
        }
    }
    workers.stop(STOP).await;
}

/// After an answer that took longer than the listener's interval, it goes on listening.
#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_do_not_make_a_listener_deaf() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    for _ in 0..4 {
        redis.ask::<()>(&["CLIENT", "PAUSE", "100", "ALL"]).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(run_one(&api, AT_ONCE).await.is_some());
    }
    workers.stop(STOP).await;
}

/// Not there from the start, and there but silent: neither keeps the service from starting, slows a commit or stops a job.
#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_tick_works_and_a_commit_does_not_wait() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [gone, silent.local_addr().unwrap()] {
        figures();
        let site = Site::on_sqlite().await;
        let began = Instant::now();
        let short = || LedgerSettings { tick: Duration::from_millis(100), ..through(&format!("redis://{address}")) };
        let api = site.process(short()).await;
        let workers = Workers::start(&site.process(short()).await);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        for _ in 0..20 {
            let began = Instant::now();
            enqueue(&api, vec![a_job(0)]).await;
            assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(run_one(&api, Duration::from_secs(1)).await.is_some(), "not found by the tick");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert!(count("retail_assist_bell_rings_total", "failed") > 0);
        let stop = Instant::now();
        workers.stop(STOP).await;
        assert!(stop.elapsed() < Duration::from_secs(3), "{:?}", stop.elapsed());
    }
}
