//! Clears away what apalis-redis leaves behind: it never deletes a finished task, and it keeps an entry of every worker that
//! ever was. Its own `Vacuum` reads everything in one script and deletes what others still wait for, so it is not used.

use super::redis::{RedisBell, config};
use crate::queue::Queue;
use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, Script};
use apalis_redis::Config;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two sweeps of a process.
const EVERY: Duration = Duration::from_secs(10);
/// Finished rings of one script call; Redis does nothing else meanwhile.
const CHUNK: usize = 200;
/// Calls of one sweep; the next sweep goes on where it ended.
const CHUNKS: usize = 50;
/// What describes a listener goes by itself when nobody took it away. Nobody reads it.
const DESCRIBED: Duration = Duration::from_secs(60);

/// A listener's entry goes, and a ring it still holds is for another: apalis-redis forgets what it was just fetching when it
/// is told to stop, and would take it for running until signs of life are missed.
static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do redis.call('RPUSH', KEYS[4], id) end
         redis.call('ZREM', KEYS[1], ARGV[1])
         return redis.call('DEL', KEYS[2], KEYS[3])",
    )
});

static SWEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("sweep.lua")));

/// Sweeps every queue now and then, until `stopping`.
pub(super) async fn until(bell: Arc<RedisBell>, stopping: CancellationToken) {
    loop {
        let pause = EVERY.mul_f64(0.75 + rand::random::<f64>() / 2.0);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopping.cancelled() => return,
        }
        if let Err(error) = once(&bell).await {
            // The listeners tell of the same outage.
            tracing::debug!(%error, "finished rings could not be swept; trying again");
            bell.forget_connection().await;
        }
    }
}

/// One sweep of every queue; returns how many finished rings went.
pub(super) async fn once(bell: &RedisBell) -> Result<usize, RedisError> {
    let mut connection = bell.connection().await?;
    let mut total = 0;
    for queue in Queue::ALL {
        let config = config(queue);
        for _ in 0..CHUNKS {
            let swept = sweep(&mut connection, &config).await?;
            total += swept;
            if swept < CHUNK {
                break;
            }
        }
    }
    Ok(total)
}

async fn sweep(connection: &mut MultiplexedConnection, config: &Config) -> Result<usize, RedisError> {
    SWEEP
        .key(config.done_jobs_set())
        .key(config.dead_jobs_set())
        .key(config.job_data_hash())
        .key(config.active_jobs_list())
        .key(config.scheduled_jobs_set())
        .key(config.workers_set())
        .arg(CHUNK)
        .arg(config.job_meta_hash())
        .arg(config.inflight_jobs_set())
        .invoke_async(connection)
        .await
}

/// Before a listener registers: apalis-redis writes its description into this key and never takes it away, and writing
/// fields does not take away the time to live.
pub(super) async fn announce(
    connection: &mut MultiplexedConnection,
    config: &Config,
    name: &str,
) -> Result<(), RedisError> {
    let key = description(config, name);
    let seconds = i64::try_from(DESCRIBED.as_secs()).unwrap_or(60);
    ::redis::pipe().hset(&key, "service", "bell").ignore().expire(&key, seconds).ignore().query_async(connection).await
}

/// After a listener has ended in order.
pub(super) async fn leave(
    connection: &mut MultiplexedConnection,
    config: &Config,
    name: &str,
) -> Result<(), RedisError> {
    LEAVE
        .key(config.workers_set())
        .key(format!("{}:{name}", config.inflight_jobs_set()))
        .key(description(config, name))
        .key(config.active_jobs_list())
        .arg(name)
        .invoke_async(connection)
        .await
}

fn description(config: &Config, name: &str) -> String {
    format!("{}:workers:metadata:{name}", config.queue.as_ref())
}
