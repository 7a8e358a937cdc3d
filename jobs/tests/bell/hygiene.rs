//! Redis does not fill up: what apalis-redis leaves of each ring and of each listener is cleared away.

use crate::server::Redis;
use crate::site::{Site, run_one, through};
use apalis::prelude::TaskSink;
use apalis_redis::{Config, RedisStorage};
use jobs::{Queue, Workers};
use serde_json::{Value, json};
use std::time::Duration;

const STOP: Duration = Duration::from_secs(5);
/// One of each kind and queue would be forty.
const BOUND: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_rings_leave_nothing() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    redis.until_listened(1).await;
    // Past our own cap of eight, straight into the queue.
    let connection = redis.client().get_multiplexed_async_connection().await.unwrap();
    let config = Config::default().queue("retail-assist:bell:send");
    let mut storage = RedisStorage::<Value, _>::new(connection).with_config(config);
    for _ in 0..10 {
        storage.push_bulk(vec![json!({ "queue": "send" }); 500]).await.unwrap();
        while redis.waiting().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let before = redis.ask::<usize>(&["DBSIZE"]).await;
    for _ in 0..300 {
        let kept = redis.ask::<usize>(&["HLEN", "retail-assist:bell:send:data"]).await;
        if kept == 0 && redis.ask::<usize>(&["DBSIZE"]).await < BOUND {
            return workers.stop(STOP).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?} keys are left of {before}", redis.ask::<Vec<String>>(&["KEYS", "*"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_that_come_and_go_leave_nothing() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let process = site.process(through(&redis.url())).await;
    for _ in 0..10 {
        let workers = Workers::start(&process);
        redis.until_listened(1).await;
        workers.stop(STOP).await;
    }
    for _ in 0..50 {
        let keys = redis.ask::<Vec<String>>(&["KEYS", "*"]).await;
        let listeners = keys.iter().filter(|key| key.contains(":workers")).count();
        if listeners == 0 && keys.len() < BOUND {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left = redis.ask::<Vec<String>>(&["KEYS", "*:workers*"]).await;
    assert!(left.is_empty(), "{left:?}");
    // One that is torn away leaves a description, which goes by itself.
    let workers = Workers::start(&process);
    redis.until_listened(1).await;
    for key in redis.ask::<Vec<String>>(&["KEYS", "*:workers:metadata:*"]).await {
        let left = redis.ask::<i64>(&["TTL", &key]).await;
        assert!((1..=60).contains(&left), "{key}: {left}");
    }
    workers.stop(STOP).await;
}

/// A Redis that makes room by itself may drop a part of a ring, which apalis-redis cannot fetch then.
#[tokio::test(flavor = "multi_thread")]
async fn rings_that_lost_a_part_do_not_stay() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let api = site.process(through(&redis.url())).await;
    for _ in 0..4 {
        api.bell().ring(Queue::Send);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    redis.ask::<()>(&["DEL", "retail-assist:bell:send:data"]).await;
    let workers = Workers::start(&site.process(through(&redis.url())).await);
    // Each ends one listener, and the next comes soon.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if redis.waiting().await == 0 && run_one(&api, Duration::from_millis(100)).await.is_some() {
            break;
        }
    }
    assert!(run_one(&api, Duration::from_millis(500)).await.is_some());
    for _ in 0..150 {
        if redis.ask::<Vec<String>>(&["KEYS", "*:inflight:*"]).await.is_empty() {
            return workers.stop(STOP).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still there to end the next listeners: {:?}", redis.ask::<Vec<String>>(&["KEYS", "*:inflight:*"]).await);
}
