//! Tells other processes what has changed here, and hears what has changed there, for those who look at it: ids through Redis
//! or Postgres, once a moment for all that was committed in it. What may have been missed is read again; nothing else follows.

mod way;
mod wire;

use crate::bell::{Backoff, Bell};
use crate::settings::LedgerSettings;
use domain::Context;
use domain::clock::{MINUTE, Millis};
use domain::feed::{Feed, Hearing, Outgoing};
use entities::worker;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use way::{Way, WayError};
use wire::Packet;

/// What is committed meanwhile goes out together.
const TOGETHER: Duration = Duration::from_millis(50);
/// While there is no way to hear of changes, those who look at something are told to read it again.
const BLIND_EVERY: Duration = Duration::from_secs(5);
/// Between tries while nothing goes out, and so the longest that news wait once it works again.
const SEND_AGAIN_AT_MOST: Duration = Duration::from_secs(1);
/// Between the end of a listener and the next, at most.
const LISTEN_AGAIN_AT_MOST: Duration = Duration::from_secs(5);
/// A worker that gave no sign of life for so long is gone.
const ALIVE: Millis = MINUTE;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    _until_dropped: DropGuard,
}

impl Relay {
    /// For the database of a process. Nothing is heard before somebody subscribes.
    pub(crate) fn start(settings: &LedgerSettings, ctx: &Context, bell: &Bell, worker: &str) -> Self {
        let end = CancellationToken::new();
        let feed = ctx.db.feed().clone();
        let way = Way::choose(settings, &ctx.db);
        if let Some(way) = &way {
            feed.carried();
            spawn(&end, keep_sending(feed.clone(), way.clone()));
            spawn(&end, keep_listening(feed.clone(), way.clone()));
        }
        let others = Others { ctx: ctx.clone(), bell: bell.clone(), worker: worker.to_owned() };
        spawn(&end, tell_the_blind(feed, others));
        Self { _until_dropped: end.drop_guard() }
    }
}

fn spawn(end: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    let end = end.clone();
    tokio::spawn(async move { end.run_until_cancelled(task).await });
}

/// What could not be sent is kept, and goes with what comes after it.
async fn keep_sending(feed: Feed, way: Way) {
    let mut backoff = Backoff::up_to(SEND_AGAIN_AT_MOST);
    let mut is_told = false;
    loop {
        feed.outgoing().await;
        tokio::time::sleep(TOGETHER).await;
        let outgoing = feed.take();
        let sent = send(&feed, &way, &outgoing).await;
        let outcome = if sent.is_ok() { "sent" } else { "failed" };
        metrics::counter!("retail_assist_feed_sends_total", "way" => way.name(), "outcome" => outcome).increment(1);
        match sent {
            Ok(()) => {
                feed.left(None);
                backoff.reset();
                is_told = false;
            }
            Err(error) => {
                feed.left(Some(outgoing));
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "other processes cannot be told what changes; they are when it works again");
                }
                tokio::time::sleep(backoff.pause()).await;
            }
        }
    }
}

async fn send(feed: &Feed, way: &Way, outgoing: &Outgoing) -> Result<(), WayError> {
    for packet in Packet::of(feed.process(), outgoing) {
        way.send(&packet.text()).await?;
    }
    Ok(())
}

/// From the first subscriber on.
async fn keep_listening(feed: Feed, way: Way) {
    feed.wanted().await;
    let mut backoff = Backoff::up_to(LISTEN_AGAIN_AT_MOST);
    let mut is_told = false;
    loop {
        let began = Instant::now();
        let heard = |text: &str| hear(&feed, text);
        let beacon = Packet::beacon(feed.process()).text();
        let error = way.listen(&beacon, || feed.set_hearing(Hearing::Hears), heard).await;
        let worked = feed.hearing() == Hearing::Hears;
        feed.set_hearing(Hearing::Deaf);
        metrics::counter!("retail_assist_feed_listeners_ended_total", "way" => way.name()).increment(1);
        if worked || !std::mem::replace(&mut is_told, true) {
            tracing::warn!(%error, "changes of other processes cannot be heard; pages read again until it works");
        }
        tokio::time::sleep(backoff.pause_after(began.elapsed())).await;
    }
}

fn hear(feed: &Feed, text: &str) {
    let outcome = match Packet::parse(text) {
        // A newer program may say what this one does not understand.
        None => {
            feed.resync("unreadable");
            "unreadable"
        }
        Some(packet) if packet.is_from(feed.process()) => "own",
        Some(packet) => {
            match packet.content() {
                Outgoing::Changes(noted) => feed.tell(noted),
                Outgoing::Spilled => feed.resync("many"),
            }
            "told"
        }
    };
    metrics::counter!("retail_assist_feed_heard_total", "outcome" => outcome).increment(1);
}

/// Who else may change what is shown here.
struct Others {
    ctx: Context,
    bell: Bell,
    worker: String,
}

impl Others {
    /// On a database without a way between processes, as far as can be seen: whoever runs no workers has others that do, and
    /// whoever does sees whether others do, too.
    async fn are_there(&self) -> Result<bool, DbErr> {
        if !self.bell.is_working() {
            return Ok(true);
        }
        let alive = worker::Entity::find()
            .filter(worker::Column::Id.ne(self.worker.as_str()))
            .filter(worker::Column::State.ne("stopped"))
            .filter(worker::Column::BeatAt.gt(self.ctx.now() - ALIVE));
        Ok(alive.count(self.ctx.db.read()).await? > 0)
    }
}

/// Who cannot be told what changes elsewhere reads again every few seconds.
async fn tell_the_blind(feed: Feed, others: Others) {
    feed.wanted().await;
    loop {
        tokio::time::sleep(BLIND_EVERY).await;
        let reason = match feed.hearing() {
            _ if !feed.is_watched() => continue,
            Hearing::Hears => continue,
            Hearing::Deaf => "interrupted",
            Hearing::Alone => "shared",
        };
        // Asked of a database that does not answer, the careful answer is that there may be others.
        if reason == "interrupted" || others.are_there().await.unwrap_or(true) {
            feed.resync(reason);
        }
    }
}
