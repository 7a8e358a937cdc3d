//! Wakes workers when jobs were committed: those of this process by handing them the fresh ids, those of other processes by
//! a ring through Redis or Postgres. A bell only saves waiting for the next tick: nothing is lost when it is not heard.

mod notify;
mod outage;
mod redis;
mod ringing;
mod sweep;

pub(crate) use outage::Backoff;
pub use redis::{PingError, address_problem, ping};
pub(crate) use ringing::Far;

use crate::queue::Queue;
use futures::FutureExt as _;
use ringing::Others;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Ids kept for hand-over per queue; beyond it the worker finds the jobs by looking.
const KEPT: usize = 4_096;

/// One bell a process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    slots: [Slot; Queue::ALL.len()],
    /// How many times workers were started here and have not been stopped.
    working: AtomicUsize,
    /// Nobody, where the ledger's database is one process's own.
    others: Option<Others>,
}

#[derive(Debug, Default)]
struct Slot {
    fresh: Mutex<VecDeque<Uuid>>,
    notify: Notify,
    /// The claimer waits for something other than this bell: what rings now is for the others.
    busy: AtomicBool,
}

impl Bell {
    /// The bell of a process, with the far bell that reaches the others.
    pub(crate) fn new(far: Option<Far>) -> Self {
        let inner = Inner { others: far.map(Others::new), ..Inner::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Fresh jobs were committed: they are handed to the queue's worker of this process, or the others are rung when this
    /// process has none that is free to take them. Never waits.
    pub fn hand_over(&self, queue: Queue, ids: impl IntoIterator<Item = Uuid>) {
        if self.is_working() {
            let mut fresh = self.fresh(queue);
            let room = KEPT.saturating_sub(fresh.len());
            fresh.extend(ids.into_iter().take(room));
        }
        self.ring(queue);
    }

    /// Wakes the queue's worker without naming a job; the others' when this process has none that is free. Never waits.
    pub fn ring(&self, queue: Queue) {
        self.wake(queue);
        // Read after the notification was left: whoever stops or becomes busy meanwhile has seen one or the other.
        if !self.is_working() || self.slot(queue).busy.load(SeqCst) {
            self.ring_others(queue);
        }
    }

    /// Wakes the queue's worker of this process and nobody else.
    pub(crate) fn wake(&self, queue: Queue) {
        self.slot(queue).notify.notify_one();
    }

    /// Wakes a worker of another process, if there is a way to reach one. Never waits.
    pub fn ring_others(&self, queue: Queue) {
        if let Some(others) = &self.inner.others {
            others.call(queue);
        }
    }

    /// Up to `limit` ids that were handed over, oldest first.
    pub(crate) fn take(&self, queue: Queue, limit: usize) -> Vec<Uuid> {
        let mut fresh = self.fresh(queue);
        let count = limit.min(fresh.len());
        fresh.drain(..count).collect()
    }

    /// Resolves when the bell rings, or has rung since it was last heard.
    pub(crate) async fn heard(&self, queue: Queue) {
        self.slot(queue).notify.notified().await;
    }

    /// The claimer is about to look at everything that is due: what rang before is answered by that.
    pub(crate) fn answered(&self, queue: Queue) {
        self.has_rung(queue);
    }

    /// Waits for what a claim needs before it can begin, a free slot above all. A ring that comes meanwhile would be
    /// swallowed here, so it goes to the others; this process looks by itself when the wait is over.
    pub(crate) async fn busy_until<T>(&self, queue: Queue, wait: impl Future<Output = T>) -> T {
        let slot = self.slot(queue);
        let mut wait = std::pin::pin!(wait);
        if let std::task::Poll::Ready(done) = futures::poll!(wait.as_mut()) {
            return done;
        }
        slot.busy.store(true, SeqCst);
        // What rang after the last claim and before the line above.
        if self.has_rung(queue) {
            self.ring_others(queue);
        }
        let done = wait.await;
        slot.busy.store(false, SeqCst);
        done
    }

    /// Another process rang: the queue's worker is woken, or `false` says that it has no slot free or has ended.
    fn woken_by_others(&self, queue: Queue) -> bool {
        if self.slot(queue).busy.load(SeqCst) || !self.is_working() {
            return false;
        }
        self.wake(queue);
        true
    }

    /// This process has workers from now on: it is handed what it commits, and it listens to the others' bell until
    /// `stopping`. `worker` names this start of this process.
    pub(crate) fn begin_work(&self, worker: &str, stopping: &CancellationToken) {
        self.inner.slots.iter().for_each(|slot| slot.busy.store(false, SeqCst));
        self.inner.working.fetch_add(1, SeqCst);
        if let Some(others) = &self.inner.others {
            others.listen(self.clone(), worker, stopping.clone());
        }
    }

    /// This process claims nothing more: what it was handed and has not taken is for the others.
    pub(crate) fn end_work(&self) {
        if self.inner.working.fetch_sub(1, SeqCst) == 1 {
            for queue in Queue::ALL {
                self.fresh(queue).clear();
                self.ring_others(queue);
            }
        }
    }

    /// Since it was last asked or heard.
    fn has_rung(&self, queue: Queue) -> bool {
        self.slot(queue).notify.notified().now_or_never().is_some()
    }

    pub(crate) fn is_working(&self) -> bool {
        self.inner.working.load(SeqCst) > 0
    }

    fn slot(&self, queue: Queue) -> &Slot {
        &self.inner.slots[queue.index()]
    }

    fn fresh(&self, queue: Queue) -> std::sync::MutexGuard<'_, VecDeque<Uuid>> {
        self.slot(queue).fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn is_heard(bell: &Bell, queue: Queue) -> bool {
        tokio::time::timeout(Duration::from_millis(20), bell.heard(queue)).await.is_ok()
    }

    #[tokio::test]
    async fn a_ring_before_listening_is_heard_and_ids_come_once() {
        let bell = Bell::default();
        bell.begin_work("w", &CancellationToken::new());
        let ids: Vec<_> = (0..3).map(Uuid::from_u128).collect();
        bell.hand_over(Queue::Send, ids.clone());
        assert!(is_heard(&bell, Queue::Send).await);
        assert_eq!(bell.take(Queue::Send, 2), ids[..2]);
        assert_eq!(bell.take(Queue::Send, 2), ids[2..]);
        assert!(bell.take(Queue::Webhooks, 9).is_empty());
    }

    #[tokio::test]
    async fn a_process_without_workers_keeps_no_ids_and_rings_the_others() {
        let (bell, calls) = ringing::tests::recorded();
        bell.hand_over(Queue::Send, [Uuid::from_u128(1)]);
        assert_eq!(calls.take(), [Queue::Send]);
        assert!(bell.take(Queue::Send, 9).is_empty());
        bell.begin_work("w", &CancellationToken::new());
        bell.hand_over(Queue::Send, [Uuid::from_u128(2)]);
        assert!(calls.take().is_empty());
        assert!(bell.woken_by_others(Queue::Send));
        bell.end_work();
        assert!(!bell.woken_by_others(Queue::Send));
        assert_eq!(calls.take(), Queue::ALL, "the others are to look for what is left");
        assert!(bell.take(Queue::Send, 9).is_empty());
        bell.hand_over(Queue::Send, [Uuid::from_u128(3)]);
        assert_eq!(calls.take(), [Queue::Send]);
    }

    #[tokio::test]
    async fn what_rings_while_no_slot_is_free_goes_to_the_others() {
        let (bell, calls) = ringing::tests::recorded();
        bell.begin_work("w", &CancellationToken::new());
        bell.ring(Queue::Send);
        let (free, wait) = tokio::sync::oneshot::channel::<()>();
        let waiting = tokio::spawn({
            let bell = bell.clone();
            async move { bell.busy_until(Queue::Send, wait).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(calls.take(), [Queue::Send], "rung just before it became busy");
        assert!(!bell.woken_by_others(Queue::Send));
        assert!(bell.woken_by_others(Queue::Webhooks));
        bell.hand_over(Queue::Send, [Uuid::from_u128(1)]);
        assert_eq!(calls.take(), [Queue::Send]);
        assert_eq!(bell.take(Queue::Send, 9).len(), 1, "and is kept, for whoever is first");
        free.send(()).unwrap();
        waiting.await.unwrap().unwrap();
        assert!(bell.woken_by_others(Queue::Send));
        assert!(calls.take().is_empty());
        bell.busy_until(Queue::Send, std::future::ready(())).await;
        assert!(is_heard(&bell, Queue::Send).await, "a wait that is none swallows nothing");
    }
}
