//! One open stream: gathers what changes in a moment, reads it, and ends with its caller's right to it or with the server.
//! It is written no faster than its caller reads; who is too slow is told to read again.

use super::{StreamEvent, StreamReady, look};
use crate::app::App;
use crate::auth::Shop;
use crate::server::{Held, Line};
use domain::api_keys::{self, Scope};
use domain::clock::rfc3339;
use domain::feed::{MOST, News, Subscription, What};
use domain::{OrganizationId, sessions};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use sea_orm::DbErr;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What changes meanwhile is told together, and the same thing once.
const GATHER: Duration = Duration::from_millis(100);

/// By what right the stream is open.
enum Right {
    Session(Uuid),
    Key(Uuid),
}

struct Stream {
    app: Arc<App>,
    organization: OrganizationId,
    right: Right,
    sees_connections: bool,
    subscription: Subscription,
    /// Read and not yet sent.
    waiting: VecDeque<StreamEvent>,
    check: Interval,
    stopping: CancellationToken,
    _held: Held,
    _counted: Counted,
}

/// The events of a subscription, as its caller may see them.
pub(super) fn open(
    app: &Arc<App>,
    line: &Line,
    shop: &Shop,
    subscription: Subscription,
) -> BoxStream<'static, StreamEvent> {
    let right = match shop {
        Shop::Person(session) => Right::Session(session.signed_in.session.id),
        Shop::Program(_, key) => Right::Key(key.id),
    };
    let mut check = interval_at(Instant::now() + app.streams.check, app.streams.check);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ready = StreamEvent::Ready(StreamReady { at: rfc3339(app.ctx.now()) });
    let stream = Stream {
        app: app.clone(),
        organization: shop.organization(),
        right,
        sees_connections: shop.require(Scope::ConnectionsRead).is_ok(),
        subscription,
        waiting: VecDeque::from([ready]),
        check,
        stopping: line.stopping().clone(),
        _held: line.hold(),
        _counted: Counted::new(),
    };
    stream::unfold(stream, |mut stream| async move { Some((stream.next().await?, stream)) }).boxed()
}

impl Stream {
    async fn next(&mut self) -> Option<StreamEvent> {
        let stopping = self.stopping.clone();
        stopping.run_until_cancelled(self.step()).await.flatten()
    }

    async fn step(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            tokio::select! {
                biased;
                _ = self.check.tick() => if !self.may_go_on().await {
                    return None;
                },
                news = self.subscription.next() => self.waiting = self.told(news).await,
            }
        }
    }

    /// A database that is away answers nobody, and ends nobody's stream: neither a session nor a key can end meanwhile.
    async fn may_go_on(&self) -> bool {
        let held = match self.right {
            Right::Session(id) => sessions::holds(&self.app.ctx, id).await,
            Right::Key(id) => api_keys::holds(&self.app.ctx, id).await,
        };
        held.unwrap_or(true)
    }

    async fn told(&mut self, news: News) -> VecDeque<StreamEvent> {
        let resync = |reason| VecDeque::from([StreamEvent::resync(reason)]);
        match self.gather(news).await {
            Err(reason) => resync(reason),
            Ok(what) => self.read(&what).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "what changed could not be read for a stream");
                resync("unavailable")
            }),
        }
    }

    /// What changes within a moment, or why all must be read again: then what else comes in that moment is covered by that.
    async fn gather(&mut self, first: News) -> Result<BTreeSet<What>, &'static str> {
        let until = Instant::now() + GATHER;
        let (mut all, mut resync, mut next) = (BTreeSet::new(), None, Ok(first));
        while let Ok(news) = next {
            match news {
                News::Changed(what) => all.extend(what.iter().copied()),
                News::Resync(reason) => resync = Some(reason),
            }
            next = timeout_at(until, self.subscription.next()).await;
        }
        if all.len() > MOST || all.contains(&What::Everything) {
            resync = resync.or(Some("many"));
        }
        resync.map_or(Ok(all), Err)
    }

    async fn read(&self, what: &BTreeSet<What>) -> Result<VecDeque<StreamEvent>, DbErr> {
        let ctx = &self.app.ctx;
        look::at(ctx.db.read(), self.organization, what, self.sees_connections, ctx.now()).await
    }
}

/// Open streams are counted.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("retail_assist_event_streams").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("retail_assist_event_streams").decrement(1.0);
    }
}
