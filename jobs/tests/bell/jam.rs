//! Why the ledger is our own and apalis-redis only rings: a backlog of some eight thousand tasks that are due stops a queue of
//! apalis-redis 1.0.0 for good. Every push goes to its set of scheduled tasks, and one fetch unpacks all that are due onto
//! Lua's stack; beyond its limit each fetch is an error, each worker ends with it, and no restart helps.

use crate::server::Redis;
use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const QUEUE: &str = "jam";

async fn storage(redis: &Redis) -> RedisStorage<usize> {
    let connection = apalis_redis::connect(redis.url()).await.unwrap();
    RedisStorage::new(connection).with_config(Config::default().queue(QUEUE).batch_size(100))
}

async fn push(redis: &Redis, tasks: usize) {
    let mut storage = storage(redis).await;
    for first in (0..tasks).step_by(500) {
        storage.push_bulk((first..(first + 500).min(tasks)).collect()).await.unwrap();
    }
}

async fn count(_task: usize, done: Data<Arc<AtomicUsize>>) -> Result<(), BoxDynError> {
    done.fetch_add(1, SeqCst);
    Ok(())
}

/// Workers under a monitor that starts them again, for so long or until all is done.
async fn work(redis: &Redis, tasks: usize, limit: Duration) -> usize {
    let done = Arc::new(AtomicUsize::new(0));
    let (storage, data) = (storage(redis).await, done.clone());
    let monitor = Monitor::new()
        .register(move |restart| {
            WorkerBuilder::new(format!("worker-{restart}").as_str())
                .backend(storage.clone().poll_with_interval(Duration::from_millis(50)))
                .data(data.clone())
                .concurrency(100)
                .build(count)
        })
        .should_restart(|_, _| true);
    let all_done = async {
        while done.load(SeqCst) < tasks {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ended = monitor.run() => {}
        () = all_done => {}
        () = tokio::time::sleep(limit) => {}
    }
    done.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_8500_tasks_stops_apalis_redis_for_good() {
    let redis = Redis::start();
    push(&redis, 8_500).await;
    let done = Arc::new(AtomicUsize::new(0));
    let worker = WorkerBuilder::new("plain").backend(storage(&redis).await).data(done).build(count);
    let error = worker.run().await.unwrap_err().to_string();
    assert!(error.contains("too many results to unpack"), "{error}");
    assert_eq!(work(&redis, 8_500, Duration::from_secs(3)).await, 0, "restarts do not help");
    assert_eq!(redis.ask::<usize>(&["ZCARD", &format!("{QUEUE}:scheduled")]).await, 8_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_5000_tasks_drains() {
    let redis = Redis::start();
    push(&redis, 5_000).await;
    assert_eq!(work(&redis, 5_000, Duration::from_secs(60)).await, 5_000);
}
