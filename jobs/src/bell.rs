//! Wakes the workers of this process when jobs were committed, and hands them the fresh ids. A bell only saves waiting for
//! the next tick: nothing is lost when it is not heard. Bells between machines come with Postgres and Redis.

use crate::queue::Queue;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

/// Ids kept for hand-over per queue; beyond it the worker finds the jobs by looking.
const KEPT: usize = 4_096;

/// One bell a process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    queues: Arc<[Slot; Queue::ALL.len()]>,
}

#[derive(Debug, Default)]
struct Slot {
    fresh: Mutex<VecDeque<Uuid>>,
    notify: Notify,
}

impl Bell {
    /// Hands fresh jobs to this process's worker of the queue and wakes it.
    pub fn hand_over(&self, queue: Queue, ids: impl IntoIterator<Item = Uuid>) {
        let slot = &self.queues[queue.index()];
        {
            let mut fresh = slot.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            let room = KEPT.saturating_sub(fresh.len());
            fresh.extend(ids.into_iter().take(room));
        }
        slot.notify.notify_one();
    }

    /// Wakes the queue's worker without naming a job.
    pub fn ring(&self, queue: Queue) {
        self.queues[queue.index()].notify.notify_one();
    }

    /// Up to `limit` ids that were handed over, oldest first.
    pub fn take(&self, queue: Queue, limit: usize) -> Vec<Uuid> {
        let mut fresh = self.queues[queue.index()].fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let count = limit.min(fresh.len());
        fresh.drain(..count).collect()
    }

    /// Resolves when the bell rings, or has rung since it was last heard.
    pub async fn heard(&self, queue: Queue) {
        self.queues[queue.index()].notify.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_ring_before_listening_is_heard_and_ids_come_once() {
        let bell = Bell::default();
        let ids: Vec<_> = (0..3).map(Uuid::from_u128).collect();
        bell.hand_over(Queue::Send, ids.clone());
        tokio::time::timeout(Duration::from_secs(1), bell.heard(Queue::Send)).await.unwrap();
        assert_eq!(bell.take(Queue::Send, 2), ids[..2]);
        assert_eq!(bell.take(Queue::Send, 2), ids[2..]);
        assert!(bell.take(Queue::Webhooks, 9).is_empty());
    }
}
