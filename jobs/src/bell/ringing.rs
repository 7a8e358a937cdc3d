//! The far bell: which one this process has is decided here and nowhere else, and one task a process rings it. Rings are
//! asked for by a flag and go out by themselves, so a commit neither waits for one nor learns what became of it.

use super::Bell;
use super::notify::NotifyBell;
use super::outage::{Backoff, Outage};
use super::redis::RedisBell;
use crate::failpoint;
use crate::queue::Queue;
use crate::settings::LedgerSettings;
use domain::db::Db;
use futures::future::join_all;
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// One ring, from its connection to the answer.
pub(super) const RING_WITHIN: Duration = Duration::from_secs(1);
/// Between two rings of a queue; what is asked for meanwhile becomes one. The first goes out at once.
const SPACING: Duration = Duration::from_millis(10);
/// Between tries while rings fail. No longer, so that rings are back soon after Redis is.
const RETRY_AT_MOST: Duration = Duration::from_secs(1);

/// What came of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    /// It is on its way.
    Out,
    /// So many wait already that one more would wake nobody.
    Enough,
}

/// Why a ring did not go out. Never holds an address: that may hold a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum RingError {
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Redis: {0}")]
    Push(String),
    #[error("the database: {0}")]
    Db(#[from] sea_orm::DbErr),
    #[error("no answer within a second")]
    Late,
}

/// A way to reach workers of other processes.
#[derive(Clone, Debug)]
pub(crate) enum Far {
    /// A ring wakes one process.
    Redis(Arc<RedisBell>),
    /// A ring wakes every process.
    Notify(Arc<NotifyBell>),
    #[cfg(test)]
    Recorded,
}

impl Far {
    /// Redis where an address is set, else Postgres where that is the database. Processes that share a SQLite file without
    /// Redis have only the tick.
    pub(crate) fn choose(settings: &LedgerSettings, db: &Db) -> Option<Self> {
        if let Some(url) = &settings.redis_url {
            match RedisBell::new(url.expose_secret()) {
                Ok(bell) => return Some(Self::Redis(Arc::new(bell))),
                // The settings were checked, so this is a defect; it costs latency, and no job.
                Err(error) => tracing::error!(%error, "the address of Redis cannot be used; nothing rings through it"),
            }
        }
        NotifyBell::over(db).map(|bell| Self::Notify(Arc::new(bell)))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Redis(_) => "redis",
            Self::Notify(_) => "postgres",
            #[cfg(test)]
            Self::Recorded => "recorded",
        }
    }

    async fn ring(&self, queue: Queue) -> Result<Rung, RingError> {
        match self {
            Self::Redis(bell) => bell.ring(queue).await,
            Self::Notify(bell) => bell.ring(queue).await,
            #[cfg(test)]
            Self::Recorded => Ok(Rung::Out),
        }
    }
}

/// The workers of other processes, as this one reaches them.
#[derive(Debug)]
pub(super) struct Others {
    calls: Arc<Calls>,
    far: Far,
    _rings_until_dropped: DropGuard,
}

/// Set where a ring is wanted; more than one before it goes out are one.
type Calls = [Notify; Queue::ALL.len()];

impl Others {
    pub(super) fn new(far: Far) -> Self {
        let calls = Arc::<Calls>::default();
        let end = CancellationToken::new();
        #[cfg(test)]
        let rings = !matches!(far, Far::Recorded);
        #[cfg(not(test))]
        let rings = true;
        if rings {
            tokio::spawn(keep_ringing(calls.clone(), far.clone(), end.clone()));
        }
        Self { calls, far, _rings_until_dropped: end.drop_guard() }
    }

    pub(super) fn call(&self, queue: Queue) {
        self.calls[queue.index()].notify_one();
    }

    pub(super) fn listen(&self, bell: Bell, worker: &str, stopping: CancellationToken) {
        match &self.far {
            Far::Redis(redis) => redis.listen(&bell, worker, &stopping),
            Far::Notify(notify) => notify.listen(bell, stopping),
            #[cfg(test)]
            Far::Recorded => {}
        }
    }
}

/// A queue whose ring hangs does not keep the others' from going out.
async fn keep_ringing(calls: Arc<Calls>, far: Far, end: CancellationToken) {
    let outage = Outage::of("the bell between processes cannot be rung");
    let all = join_all(Queue::ALL.map(|queue| ring_when_called(queue, &calls, &far, &outage)));
    tokio::select! {
        _never = all => {}
        () = end.cancelled() => {}
    }
}

async fn ring_when_called(queue: Queue, calls: &Calls, far: &Far, outage: &Outage) {
    let mut backoff = Backoff::up_to(RETRY_AT_MOST);
    loop {
        calls[queue.index()].notified().await;
        let (outcome, rest) = match ring(queue, far).await {
            None => ("cut", SPACING),
            Some(Ok(rung)) => {
                outage.works(queue);
                backoff.reset();
                (if rung == Rung::Out { "rung" } else { "enough" }, SPACING)
            }
            Some(Err(error)) => {
                outage.failed(queue, &error);
                ("failed", backoff.pause())
            }
        };
        metrics::counter!("retail_assist_bell_rings_total", "bell" => far.name(), "outcome" => outcome).increment(1);
        tokio::time::sleep(rest).await;
    }
}

/// `None` where a test has cut the bell.
async fn ring(queue: Queue, far: &Far) -> Option<Result<Rung, RingError>> {
    if failpoint::is_cut("bell.ring", queue.as_str()) {
        return None;
    }
    Some(far.ring(queue).await)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use futures::FutureExt as _;

    /// The rings that were asked for and did not go anywhere.
    pub(in crate::bell) struct Recorded(Bell);

    impl Recorded {
        pub(in crate::bell) fn take(&self) -> Vec<Queue> {
            let others = self.0.inner.others.as_ref().unwrap();
            Queue::ALL
                .into_iter()
                .filter(|queue| others.calls[queue.index()].notified().now_or_never().is_some())
                .collect()
        }
    }

    /// A bell whose rings to others are kept for the test.
    pub(in crate::bell) fn recorded() -> (Bell, Recorded) {
        let bell = Bell::new(Some(Far::Recorded));
        (bell.clone(), Recorded(bell))
    }
}
