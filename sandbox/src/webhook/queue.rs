//! Deliveries that wait: by the sandbox's clock for retries, by real time for what only comes a little later.
//! First attempts of one conversation go one after the other, retries whenever they are due, as with Meta.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Instant,
};

use tokio::sync::oneshot;

use crate::world::{accounts::Login, people::Place};

use super::{
    delivery::{Delivery, Lane, State},
    emit::Field,
};

/// Something that happens later in real time.
#[derive(Debug)]
pub(crate) enum Later {
    /// A delivery held back by `delay`.
    Deliver(usize),
    /// The longest a reordered delivery waits for another to overtake it.
    Overtaken { delivery: usize, account: usize },
    /// The echo of a message we accepted.
    Echo { place: Place, sent: usize },
    /// A batch has waited long enough.
    Flush { object: &'static str, app: Login, number: u64 },
}

/// An update that waits for its batch.
#[derive(Debug)]
pub(crate) struct Batched {
    pub(crate) account: usize,
    pub(crate) field: Field,
    pub(crate) element: String,
}

/// The open batch of one address.
#[derive(Debug, Default)]
pub(crate) struct OpenBatch {
    pub(crate) number: u64,
    pub(crate) updates: Vec<Batched>,
}

/// All deliveries, done and to do.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) deliveries: Vec<Delivery>,
    due: BTreeSet<(i64, usize)>,
    lanes: HashMap<Lane, VecDeque<usize>>,
    later: BTreeMap<(Instant, u64), Later>,
    later_number: u64,
    pub(crate) batches: HashMap<(&'static str, Login), OpenBatch>,
    /// Reordered deliveries that wait to be overtaken, by account.
    pub(crate) held: HashMap<usize, Vec<usize>>,
    unfinished: BTreeSet<usize>,
    watchers: HashMap<usize, Vec<oneshot::Sender<()>>>,
}

impl Queue {
    /// Keeps a delivery; it does not leave before it is enqueued.
    pub(crate) fn keep(&mut self, delivery: Delivery) -> usize {
        let index = self.deliveries.len();
        if delivery.state == State::Waiting {
            self.unfinished.insert(index);
        }
        self.deliveries.push(delivery);
        index
    }

    /// Sends it as soon as its lane is free.
    pub(crate) fn enqueue(&mut self, index: usize) {
        match self.deliveries[index].lane {
            None => self.now(index),
            Some(lane) => match self.lanes.get_mut(&lane) {
                Some(behind) => behind.push_back(index),
                None => {
                    self.lanes.insert(lane, VecDeque::new());
                    self.now(index);
                }
            },
        }
    }

    // Zero sorts before every retry, also when the clock has been set back.
    fn now(&mut self, index: usize) {
        self.due.insert((0, index));
    }

    /// Tries again when the sandbox's clock shows `at`.
    pub(crate) fn retry_at(&mut self, index: usize, at: i64) {
        let delivery = &mut self.deliveries[index];
        delivery.state = State::Retrying;
        delivery.next_attempt_at = Some(at);
        self.due.insert((at, index));
    }

    /// Takes up to `capacity` that are due.
    pub(crate) fn take_due(&mut self, now: i64, capacity: usize) -> Vec<usize> {
        let mut taken = Vec::new();
        while taken.len() < capacity {
            let Some((at, index)) = self.due.first().copied().filter(|(at, _)| *at <= now) else {
                break;
            };
            self.due.remove(&(at, index));
            // It may have been given up while it waited.
            if self.unfinished.contains(&index) {
                self.deliveries[index].state = State::InFlight;
                self.deliveries[index].next_attempt_at = None;
                taken.push(index);
            } else {
                self.leave_lane(index);
            }
        }
        taken
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// After a first attempt the next of the same lane may leave.
    pub(crate) fn leave_lane(&mut self, index: usize) {
        let Some(lane) = self.deliveries[index].lane.take() else {
            return;
        };
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.now(next),
            None => {
                self.lanes.remove(&lane);
            }
        }
    }

    /// It is over with this delivery.
    pub(crate) fn finish(&mut self, index: usize, state: State) {
        let delivery = &mut self.deliveries[index];
        delivery.state = state;
        delivery.next_attempt_at = None;
        self.unfinished.remove(&index);
    }

    pub(crate) fn unfinished(&self) -> impl Iterator<Item = usize> + '_ {
        self.unfinished.iter().copied()
    }

    /// What is still to come, deliveries and updates that are not yet any.
    pub(crate) fn pending(&self) -> usize {
        let echoes = self.later.values().filter(|later| matches!(later, Later::Echo { .. })).count();
        let batched: usize = self.batches.values().map(|batch| batch.updates.len()).sum();
        self.unfinished.len() + echoes + batched
    }

    pub(crate) fn later(&mut self, at: Instant, what: Later) {
        self.later_number += 1;
        self.later.insert((at, self.later_number), what);
    }

    pub(crate) fn take_later(&mut self, now: Instant) -> Option<Later> {
        let entry = self.later.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(crate) fn next_later(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Resolves when the first attempt of that delivery has been answered or has failed.
    pub(crate) fn watch(&mut self, index: usize) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.watchers.entry(index).or_default().push(sender);
        receiver
    }

    pub(crate) fn notify_watchers(&mut self, index: usize) {
        for watcher in self.watchers.remove(&index).unwrap_or_default() {
            // Whoever watched may have gone.
            let _ = watcher.send(());
        }
    }
}
