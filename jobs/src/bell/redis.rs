//! The bell through Redis: one apalis-redis queue for each queue of the ledger, so that one ring wakes one worker. A ring
//! names its queue and nothing else, so all of Redis may be lost at any time; what apalis-redis leaves behind, `sweep.rs`
//! clears away.

use super::Bell;
use super::outage::{Backoff, Outage};
use super::ringing::{RING_WITHIN, RingError, Rung};
use super::sweep;
use crate::queue::Queue;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, RedisError};
use apalis::prelude::*;
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use apalis_redis::{Config, RedisStorage};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Rings of a queue that wait at most: enough for eight idle processes, and far from the backlog that apalis-redis cannot
/// fetch any more (`tests/bell/jam.rs`).
const WAITING: usize = 8;
/// apalis-redis looks by polling only: its own signal is not fired by a push.
const POLL: Duration = Duration::from_millis(30);
/// A listener that showed no sign of life for three of these is gone, and the ring it had taken wakes another.
const BEAT: Duration = Duration::from_secs(5);
/// After passing a ring on, so that an idle process takes it and not this one again.
const PASSED_ON: Duration = Duration::from_millis(250);
/// Between the end of a listener and the next, at most.
const RETRY_AT_MOST: Duration = Duration::from_secs(5);
/// How long a listener may take to hand back what it holds at the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// What is wrong with an address of Redis, if anything; never repeats it, because it may hold a password.
pub fn address_problem(url: &str) -> Option<&'static str> {
    const FORM: &str =
        "must look like redis://host:6379/0, or rediss:// for TLS, with user:password@ before the host if needed";
    let named = ["redis://", "rediss://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let host = named.map(|rest| rest.rsplit('@').next().unwrap_or(rest));
    let has_host = host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', ':', '?']));
    if has_host && url.into_connection_info().is_ok() { None } else { Some(FORM) }
}

/// Whether Redis answers, with the address and the time limits that the bell has.
pub async fn ping(url: &SecretString) -> Result<(), PingError> {
    let bell = RedisBell::new(url.expose_secret())?;
    let asked = async {
        let mut connection = bell.connect().await?;
        ::redis::cmd("PING").exec_async(&mut connection).await
    };
    Ok(timeout(RING_WITHIN * 2, asked).await.map_err(|_late| PingError::Late)??)
}

/// Why Redis did not answer. Never holds its address: that may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// It refused, or could not be reached.
    #[error("{0}")]
    Redis(#[from] RedisError),
    /// It took too long.
    #[error("no answer within two seconds")]
    Late,
}

/// All that travels: which queue to look into.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ring {
    queue: String,
}

/// Who hears a ring.
#[derive(Clone, Debug)]
struct Ear {
    bell: Bell,
    queue: Queue,
}

/// Redis as the far bell.
pub(crate) struct RedisBell {
    client: Client,
    /// For ringing and sweeping; dropped at the first error and made anew by the next ring.
    kept: Mutex<Option<MultiplexedConnection>>,
    /// Listeners begun by this process: apalis-redis refuses a name it has seen a moment ago.
    begun: AtomicU64,
    outage: Outage,
}

/// Without the address, which may hold a password.
impl std::fmt::Debug for RedisBell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBell").finish_non_exhaustive()
    }
}

impl RedisBell {
    /// Connects to nothing yet: a Redis that is away does not keep the service from starting.
    pub(super) fn new(url: &str) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(url)?,
            kept: Mutex::new(None),
            begun: AtomicU64::new(1),
            outage: Outage::of("the bell between processes cannot be heard"),
        })
    }

    /// Rings for one worker, unless enough rings wait already.
    pub(super) async fn ring(&self, queue: Queue) -> Result<Rung, RingError> {
        let rung = timeout(RING_WITHIN, self.ring_now(queue)).await.unwrap_or(Err(RingError::Late));
        if rung.is_err() {
            self.forget_connection().await;
        }
        rung
    }

    async fn ring_now(&self, queue: Queue) -> Result<Rung, RingError> {
        let mut connection = self.connection().await?;
        let config = config(queue);
        let (scheduled, active): (usize, usize) = ::redis::pipe()
            .zcard(config.scheduled_jobs_set())
            .llen(config.active_jobs_list())
            .query_async(&mut connection)
            .await?;
        if scheduled + active >= WAITING {
            return Ok(Rung::Enough);
        }
        let ring = Ring { queue: queue.as_str().to_owned() };
        let mut storage = RedisStorage::<Ring, _>::new(connection).with_config(config);
        storage.push(ring).await.map_err(|error| RingError::Push(error.to_string()))?;
        Ok(Rung::Out)
    }

    /// The kept connection, or a new one.
    pub(super) async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut kept = self.kept.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let fresh = self.connect().await?;
        *kept = Some(fresh.clone());
        Ok(fresh)
    }

    /// After an error: the next who needs one makes it anew.
    pub(super) async fn forget_connection(&self) {
        *self.kept.lock().await = None;
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RING_WITHIN))
            .set_response_timeout(Some(RING_WITHIN));
        self.client.get_multiplexed_async_connection_with_config(&limits).await
    }

    /// Listens for every queue, and sweeps, until `stopping`.
    pub(super) fn listen(self: &Arc<Self>, bell: &Bell, worker: &str, stopping: &CancellationToken) {
        for queue in Queue::ALL {
            let ear = Ear { bell: bell.clone(), queue };
            tokio::spawn(self.clone().listen_to(ear, worker.to_owned(), stopping.clone()));
        }
        tokio::spawn(sweep::until(self.clone(), stopping.clone()));
    }

    /// An apalis-redis worker ends at the first error of Redis, so it is made anew for as long as this process works.
    async fn listen_to(self: Arc<Self>, ear: Ear, worker: String, stopping: CancellationToken) {
        let mut backoff = Backoff::up_to(RETRY_AT_MOST);
        let queue = ear.queue;
        while !stopping.is_cancelled() {
            let name = format!("{worker}-{}-{}", queue.as_str(), self.begun.fetch_add(1, Relaxed));
            let began = Instant::now();
            // In a task of its own, so that a panic in there ends one listener and not the listening.
            let life = tokio::spawn(self.clone().listen_once(ear.clone(), name, stopping.clone()));
            let ended = life.await.unwrap_or_else(|defect| Err(defect.into()));
            let Err(error) = ended else { continue };
            if stopping.is_cancelled() {
                tracing::debug!(%error, "the last listener did not end in order");
                return;
            }
            self.outage.failed(queue, &error);
            metrics::counter!("retail_assist_bell_listeners_ended_total", "bell" => "redis").increment(1);
            tokio::select! {
                () = tokio::time::sleep(backoff.pause_after(began.elapsed())) => {}
                () = stopping.cancelled() => {}
            }
        }
    }

    async fn listen_once(
        self: Arc<Self>,
        ear: Ear,
        name: String,
        stopping: CancellationToken,
    ) -> Result<(), BoxDynError> {
        let config = config(ear.queue);
        let mut connection = tokio::select! {
            connection = timeout(RING_WITHIN * 2, self.connect()) => connection??,
            () = stopping.cancelled() => return Ok(()),
        };
        sweep::announce(&mut connection, &config, &name).await?;
        let storage = RedisStorage::<Ring, _>::new(connection.clone()).with_config(config.clone());
        let (this, queue, bell) = (self.clone(), ear.queue, ear.bell.clone());
        let taken_in = AtomicBool::new(false);
        let listener = WorkerBuilder::new(name.as_str())
            .backend(storage.poll_with_strategy(Steady::every(POLL)))
            .data(ear)
            .concurrency(1)
            .on_event(move |_, event| {
                // The first sign of life is shown when Redis knows the listener; what rang before has been missed.
                if matches!(event, Event::HeartBeat) && !taken_in.swap(true, Relaxed) {
                    this.outage.works(queue);
                    bell.wake(queue);
                }
            })
            .build(hear);
        let until = stopping.clone();
        let running = listener.run_until(async move {
            until.cancelled().await;
            Ok::<(), WorkerError>(())
        });
        let hung = async {
            stopping.cancelled().await;
            tokio::time::sleep(LEAVE_WITHIN).await;
        };
        let ended = tokio::select! {
            ended = running => ended,
            () = hung => Ok(()),
        };
        if stopping.is_cancelled() {
            // Told to stop before it has begun, apalis calls that an error.
            sweep::leave(&mut connection, &config, &name).await?;
            return Ok(());
        }
        Ok(ended?)
    }
}

/// Wakes the listener at each interval. The strategy that apalis brings leaves its next timer unasked whenever one has run
/// out: after a fetch that took longer than the interval, nothing would wake the listener until its next sign of life.
struct Steady(tokio::time::Interval);

impl Steady {
    fn every(interval: Duration) -> Self {
        let mut timer = tokio::time::interval(interval);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self(timer)
    }
}

impl PollStrategy for Steady {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut driven = Poll::Pending;
        while self.0.poll_tick(cx).is_ready() {
            driven = Poll::Ready(Some(()));
        }
        driven
    }
}

/// Always `Ok`: apalis-redis would repeat a ring that failed.
async fn hear(_ring: Ring, ear: Data<Ear>) -> Result<(), BoxDynError> {
    let woke = ear.bell.woken_by_others(ear.queue);
    let outcome = if woke { "woke" } else { "passed_on" };
    metrics::counter!("retail_assist_bell_heard_total", "bell" => "redis", "outcome" => outcome).increment(1);
    if !woke {
        ear.bell.ring_others(ear.queue);
        // The next ring is not taken before this is over, so a busy process passes on four a second at most.
        tokio::time::sleep(PASSED_ON).await;
    }
    Ok(())
}

/// One at a time: a listener that fetched more than it runs would show no sign of life until they were done.
pub(super) fn config(queue: Queue) -> Config {
    Config::default()
        .queue(format!("retail-assist:bell:{}", queue.as_str()))
        .batch_size(1)
        .heartbeat_interval(BEAT)
        .missed_heartbeats(3)
        // A ring takes no time that a lock or an event would be good for.
        .lock_tasks(false)
        .emit_events(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_redis() {
        for good in [
            "redis://localhost",
            "redis://127.0.0.1:6379/1",
            "redis://user:p%40ss@redis.internal:6380/0",
            "rediss://redis.example.com:6380",
            "redis://[::1]:6379",
        ] {
            assert_eq!(address_problem(good), None, "{good}");
        }
        for bad in
            ["", "redis", "localhost:6379", "redis://", "redis:///0", "redis://:6379", "redis://h/x", "redis://u:p@"]
        {
            assert!(address_problem(bad).is_some(), "{bad}");
        }
        assert!(address_problem("unix:///run/redis.sock").is_some());
        assert!(address_problem("http://localhost:6379").is_some());
    }

    #[tokio::test]
    async fn an_address_is_not_shown() {
        let bell = RedisBell::new("redis://user:geheim@localhost").unwrap();
        assert!(!format!("{bell:?}").contains("geheim"));
        for url in ["redis://user:geheim@127.0.0.1:9", "redis://user:geheim@nowhere.invalid", "redis://u:geheim@"] {
            let error = ping(&SecretString::from(url)).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
        }
    }
}
