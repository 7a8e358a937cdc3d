//! The bell through Postgres: `NOTIFY` on the ledger's own database, where no Redis is set. A ring wakes every process that
//! works, this one with them; that costs each a look, and nothing needs to be passed on.

use super::Bell;
use super::outage::{Backoff, Outage};
use super::ringing::{RING_WITHIN, RingError, Rung};
use crate::queue::Queue;
use domain::db::{Db, ListenError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Notes on it are names of queues.
const CHANNEL: &str = "retail_assist_bell";
/// The connection that listens, as the server lists it.
const LISTED: &str = "retail-assist bell";
/// Between the end of a listener and the next, at most.
const RETRY_AT_MOST: Duration = Duration::from_secs(5);

/// Postgres as the far bell.
#[derive(Debug)]
pub(crate) struct NotifyBell {
    db: Db,
    outage: Outage,
}

impl NotifyBell {
    /// `None` where the database cannot notify.
    pub(super) fn over(db: &Db) -> Option<Self> {
        let outage = Outage::of("the bell between processes cannot be heard");
        db.can_notify().then(|| Self { db: db.clone(), outage })
    }

    /// Rings for every process that listens. Outside the transaction that enqueued: Postgres lets transactions that notify
    /// commit one after the other.
    pub(super) async fn ring(&self, queue: Queue) -> Result<Rung, RingError> {
        timeout(RING_WITHIN, self.db.notify(CHANNEL, queue.as_str())).await.map_err(|_late| RingError::Late)??;
        Ok(Rung::Out)
    }

    /// Listens until `stopping`.
    pub(super) fn listen(self: &Arc<Self>, bell: Bell, stopping: CancellationToken) {
        let this = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = this.keep_listening(&bell) => {}
                () = stopping.cancelled() => {}
            }
        });
    }

    async fn keep_listening(&self, bell: &Bell) {
        let mut backoff = Backoff::up_to(RETRY_AT_MOST);
        loop {
            let began = Instant::now();
            if let Err(error) = self.listen_once(bell).await {
                self.outage.failed(Queue::ALL[0], &error);
                metrics::counter!("retail_assist_bell_listeners_ended_total", "bell" => "postgres").increment(1);
            }
            tokio::time::sleep(backoff.pause_after(began.elapsed())).await;
        }
    }

    async fn listen_once(&self, bell: &Bell) -> Result<(), ListenError> {
        let Some(mut listener) = self.db.listener(CHANNEL, LISTED).await? else { return Ok(()) };
        self.outage.works(Queue::ALL[0]);
        // What rang while nobody listened has been missed.
        Queue::ALL.iter().for_each(|queue| bell.wake(*queue));
        loop {
            let note = listener.heard().await?;
            let Some(queue) = Queue::parse(&note) else { continue };
            let outcome = if bell.woken_by_others(queue) { "woke" } else { "busy" };
            metrics::counter!("retail_assist_bell_heard_total", "bell" => "postgres", "outcome" => outcome)
                .increment(1);
        }
    }
}
