//! What changes, for those who look at it right now: a transaction notes what it changes and tells it after its commit, to
//! subscribers of this process and, through an outbox, to other processes. Ids only, and nobody ever waits for it.

mod noted;

pub use noted::{MOST, Noted, Outgoing, What};

use crate::id::OrganizationId;
use noted::Outbox;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::timeout;
use uuid::Uuid;

/// Commits that a subscriber may be behind before it is told to read again.
const BEHIND: usize = 64;
/// How long a new subscriber waits until other processes can be heard.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// What a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These have changed.
    Changed(Arc<BTreeSet<What>>),
    /// Something may have been missed, and why: what is shown is to be read again.
    Resync(&'static str),
}

/// Whether changes of other processes are heard here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// There is no way to hear of any.
    Alone,
    /// There is one, and it does not work at the moment.
    Deaf,
    /// They are.
    Hears,
}

/// There are as many subscribers of an organization as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// One a process, with its database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    process: Uuid,
    subscribers: Mutex<HashMap<Uuid, broadcast::Sender<News>>>,
    /// Somebody has subscribed, so other processes are worth listening to.
    wanted: watch::Sender<bool>,
    hearing: watch::Sender<Hearing>,
    outbox: Mutex<Outbox>,
    outgoing: Notify,
}

impl Default for Feed {
    fn default() -> Self {
        let inner = Inner {
            process: Uuid::now_v7(),
            subscribers: Mutex::default(),
            wanted: watch::Sender::new(false),
            hearing: watch::Sender::new(Hearing::Alone),
            outbox: Mutex::default(),
            outgoing: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Feed {
    /// Names this process among those that tell each other.
    pub fn process(&self) -> Uuid {
        self.inner.process
    }

    /// Tells what was committed, here and to other processes. Never waits and never fails.
    pub fn publish(&self, noted: Noted) {
        if noted.is_empty() {
            return;
        }
        if self.outbox().keep(&noted) {
            self.inner.outgoing.notify_one();
        }
        self.tell(noted);
    }

    /// Tells the subscribers of this process alone.
    pub fn tell(&self, noted: Noted) {
        let subscribers = self.subscribers();
        if subscribers.is_empty() {
            return;
        }
        for (organization, all) in noted.by_organization() {
            if let Some(subscribers) = subscribers.get(&organization) {
                let _nobody_is_left = subscribers.send(News::Changed(Arc::new(all)));
            }
        }
    }

    /// Tells every subscriber of this process to read again.
    pub fn resync(&self, reason: &'static str) {
        for subscribers in self.subscribers().values() {
            let _nobody_is_left = subscribers.send(News::Resync(reason));
        }
    }

    /// A subscriber to what changes in an organization from now on. The first waits a moment until other processes are heard,
    /// so that nothing falls between.
    pub async fn subscribe(&self, organization: OrganizationId, most: usize) -> Result<Subscription, Full> {
        // Before the wait: whoever comes too many is not to wait, and a burst of callers is counted.
        let mut receiver = {
            let mut subscribers = self.subscribers();
            subscribers.retain(|_, subscriber| subscriber.receiver_count() > 0);
            let all = subscribers.entry(organization.0).or_insert_with(|| broadcast::Sender::new(BEHIND));
            if all.receiver_count() >= most {
                return Err(Full);
            }
            all.subscribe()
        };
        self.inner.wanted.send_replace(true);
        let mut hearing = self.inner.hearing.subscribe();
        let is_sure = |hearing: &Hearing| *hearing != Hearing::Deaf;
        let _late_is_told_later = timeout(HEARD_WITHIN, hearing.wait_for(is_sure)).await;
        // What was told meanwhile is known to whoever reads from now on.
        while !matches!(receiver.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        Ok(Subscription { receiver, _feed: self.clone() })
    }

    /// How many subscribers an organization has here.
    pub fn subscribers_of(&self, organization: OrganizationId) -> usize {
        self.subscribers().get(&organization.0).map_or(0, broadcast::Sender::receiver_count)
    }

    /// Is there any subscriber?
    pub fn is_watched(&self) -> bool {
        self.subscribers().values().any(|subscribers| subscribers.receiver_count() > 0)
    }

    /// Returns when somebody has subscribed, now or before.
    pub async fn wanted(&self) {
        let _never_gone = self.inner.wanted.subscribe().wait_for(|wanted| *wanted).await.map(drop);
    }

    /// Whether changes of other processes are heard here.
    pub fn hearing(&self) -> Hearing {
        *self.inner.hearing.borrow()
    }

    /// Changes of other processes are heard again, or not any more. Who subscribed before is told that something may have been
    /// missed.
    pub fn set_hearing(&self, hearing: Hearing) {
        if self.hearing() == Hearing::Deaf && hearing == Hearing::Hears {
            self.resync("reconnected");
        }
        // Last, so that who waits for it to subscribe is not told.
        self.inner.hearing.send_replace(hearing);
    }

    /// From now on somebody carries changes to other processes, and means to hear of theirs.
    pub fn carried(&self) {
        self.outbox().is_carried = true;
        self.inner.hearing.send_replace(Hearing::Deaf);
    }

    /// Returns when other processes are to be told something, now or soon.
    pub async fn outgoing(&self) {
        self.inner.outgoing.notified().await;
    }

    /// What they are to be told; to be followed by [`Feed::left`].
    pub fn take(&self) -> Outgoing {
        self.outbox().take()
    }

    /// It is on its way, or what is not is put back.
    pub fn left(&self, back: Option<Outgoing>) {
        let is_back = back.is_some();
        self.outbox().left(back);
        if is_back {
            self.inner.outgoing.notify_one();
        }
    }

    /// Waits until other processes were told everything, at most so long: before this process ends.
    pub async fn flushed(&self, within: Duration) {
        let waited = async {
            while !self.outbox().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _given_up = timeout(within, waited).await;
    }

    fn subscribers(&self) -> MutexGuard<'_, HashMap<Uuid, broadcast::Sender<News>>> {
        self.inner.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.inner.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what changes in one organization, for as long as it is kept.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<News>,
    _feed: Feed,
}

impl Subscription {
    /// The next news. Whoever asks too seldom is told to read again.
    pub async fn next(&mut self) -> News {
        match self.receiver.recv().await {
            Ok(news) => news,
            Err(RecvError::Lagged(_)) => News::Resync("lagging"),
            // The feed is kept, and it keeps the sender while somebody receives.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const A: OrganizationId = OrganizationId(Uuid::from_u128(1));
    const B: OrganizationId = OrganizationId(Uuid::from_u128(2));

    fn noted(organization: OrganizationId, ids: std::ops::Range<u128>) -> Noted {
        let mut noted = Noted::default();
        ids.for_each(|id| noted.add(organization.0, What::Conversation(Uuid::from_u128(id))));
        noted
    }

    #[tokio::test]
    async fn each_organization_hears_its_own() {
        let feed = Feed::default();
        feed.publish(noted(A, 0..1));
        let (mut a, mut b) = (feed.subscribe(A, 9).await.unwrap(), feed.subscribe(B, 9).await.unwrap());
        feed.publish(noted(A, 1..3));
        let News::Changed(heard) = a.next().await else { panic!("a resync") };
        assert_eq!(heard.len(), 2);
        assert!(b.next().now_or_never().is_none());
        feed.resync("why");
        assert_eq!((a.next().await, b.next().await), (News::Resync("why"), News::Resync("why")));
    }

    #[tokio::test]
    async fn too_many_changes_become_one() {
        let feed = Feed::default();
        let mut a = feed.subscribe(A, 9).await.unwrap();
        feed.publish(noted(A, 0..MOST as u128 + 1));
        assert_eq!(a.next().await, News::Changed(Arc::new(BTreeSet::from([What::Everything]))));
        for n in 0..=BEHIND as u128 {
            feed.publish(noted(A, n..n + 1));
        }
        assert_eq!(a.next().await, News::Resync("lagging"));
    }

    #[tokio::test]
    async fn places_are_counted_and_given_back() {
        let feed = Feed::default();
        let first = feed.subscribe(A, 2).await.unwrap();
        let second = feed.subscribe(A, 2).await.unwrap();
        assert_eq!(feed.subscribe(A, 2).await.map(drop), Err(Full));
        assert!(feed.subscribe(B, 2).await.is_ok());
        assert_eq!(feed.subscribers_of(A), 2);
        drop(first);
        assert_eq!(feed.subscribers_of(A), 1);
        drop((feed.subscribe(A, 2).await.unwrap(), second));
        assert!(!feed.is_watched());
    }

    #[tokio::test(start_paused = true)]
    async fn who_subscribed_before_others_could_be_heard_is_told() {
        let feed = Feed::default();
        feed.carried();
        let mut early = feed.subscribe(A, 9).await.unwrap();
        let (later, ()) = tokio::join!(feed.subscribe(A, 9), async { feed.set_hearing(Hearing::Hears) });
        assert_eq!(early.next().await, News::Resync("reconnected"));
        assert!(later.unwrap().next().now_or_never().is_none());
    }
}
