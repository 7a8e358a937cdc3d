//! How the bell lives through an outage of Redis or Postgres: it tells of it once, however many rings fail, and tries again
//! after growing pauses. Nothing else follows from it, because workers find their jobs by the tick.

use crate::queue::Queue;
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What does not work at the moment, by queue.
#[derive(Debug)]
pub(super) struct Outage {
    what: &'static str,
    down: AtomicUsize,
    /// When it was last told of, and whether its end was told, too.
    told: Mutex<Option<(Instant, bool)>>,
}

/// What comes and goes, as a pool that is always nearly empty does, is told of no more often than this.
const TELL_AGAIN: Duration = Duration::from_secs(60);

impl Outage {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, down: AtomicUsize::new(0), told: Mutex::new(None) }
    }

    /// It failed for this queue. True for the first failure of an outage, the only one that is logged.
    pub(super) fn failed(&self, queue: Queue, error: &dyn Display) -> bool {
        let first = self.down.fetch_or(bit(queue), SeqCst) == 0;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if first && told.is_none_or(|(at, _)| at.elapsed() > TELL_AGAIN) {
            *told = Some((Instant::now(), false));
            tracing::warn!(%error, "{}; workers find their jobs by the tick until it is back", self.what);
        }
        first
    }

    /// It works for this queue. True for what ends an outage.
    pub(super) fn works(&self, queue: Queue) -> bool {
        let last = self.down.fetch_and(!bit(queue), SeqCst) == bit(queue);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if last && let Some((_, end_told @ false)) = &mut *told {
            *end_told = true;
            tracing::info!("over: {}", self.what);
        }
        last
    }
}

fn bit(queue: Queue) -> usize {
    1 << queue.index()
}

/// Pauses that double, with jitter so that processes do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    /// What lived this long did work: the next try is a first one.
    const LIVED: Duration = Duration::from_secs(10);

    pub(crate) fn up_to(most: Duration) -> Self {
        Self { next: Self::FIRST, most }
    }

    /// The next pause: between a half and the whole of the step.
    pub(crate) fn pause(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.most);
        step.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }

    /// The next pause, after something that worked for so long has ended.
    pub(crate) fn pause_after(&mut self, lived: Duration) -> Duration {
        if lived > Self::LIVED {
            self.reset();
        }
        self.pause()
    }

    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let outage = Outage::of("rings do not go out");
        assert!(outage.failed(Queue::Send, &"refused"));
        assert!(!outage.failed(Queue::Send, &"refused"));
        assert!(!outage.failed(Queue::Webhooks, &"refused"));
        assert!(!outage.works(Queue::Send));
        assert!(outage.works(Queue::Webhooks));
        assert!(!outage.works(Queue::Webhooks));
        assert!(outage.failed(Queue::Send, &"refused"));
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut backoff = Backoff::up_to(Duration::from_secs(5));
        let pauses: Vec<_> = (0..9).map(|_| backoff.pause()).collect();
        assert!(pauses[0] >= Duration::from_millis(50) && pauses[0] <= Duration::from_millis(100));
        assert!(pauses[8] >= Duration::from_millis(2_500) && pauses[8] <= Duration::from_secs(5));
        assert!(backoff.pause_after(Duration::from_secs(1)) >= Duration::from_millis(2_500));
        assert!(backoff.pause_after(Duration::from_secs(60)) <= Duration::from_millis(100));
    }
}
