//! Delivers as Meta does: at a given rate, whatever the answers; again later what was not acknowledged, and some of the
//! acknowledged ones again all the same. Every step is in the log before the next one is taken.

use crate::log::{Entry, Log, Outcome, Written};
use crate::meta::body;
use crate::meta::client::Target;
use crate::meta::plan::{Maker, Webhook};
use crate::output;
use crate::sandbox::Sandbox;
use crate::world::{Balance, World};
use anyhow::{Context as _, bail, ensure};
use hyper::body::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Webhooks under way at once; whoever answers slowly gets fewer of them.
const AT_ONCE: usize = 400;
/// Before one that was not acknowledged comes again, in seconds. Meta waits longer, which would only make the run longer.
const AGAIN_AFTER: std::ops::Range<f64> = 0.3..2.0;
/// Before one that was acknowledged comes again, in seconds: together with others that are newer.
const REDELIVERED_AFTER: std::ops::Range<f64> = 0.0..15.0;
/// After the last one is made, for everything to be acknowledged.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(180);
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// How often a balancing client asks for health.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is going on, for the line of progress.
#[derive(Debug, Default)]
struct Counts {
    attempts: AtomicU64,
    made: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    open: AtomicU64,
}

struct Sender {
    world: World,
    log: Log,
    targets: Vec<Target>,
    counts: Counts,
    room: Arc<Semaphore>,
    /// Nothing more is made.
    stop: AtomicBool,
}

/// Delivers everything the world asks for; `stop` ends it early, after what has been made by then. `ready` is called when all
/// is prepared and the first one leaves.
pub async fn run(
    world: World,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(),
) -> anyhow::Result<()> {
    let mut maker = Maker::new(&world)?;
    let webhooks: Vec<Webhook> = (0..world.webhooks).map(|_| maker.make()).collect();
    open_windows(&world, &webhooks).await?;
    let sender = Arc::new(Sender {
        log: Log::open(&world.checker_log())?,
        targets: world.apis.iter().copied().map(Target::new).collect(),
        counts: Counts::default(),
        room: Arc::new(Semaphore::new(AT_ONCE)),
        stop: AtomicBool::new(false),
        world,
    });
    let helpers = helpers(&sender, stop);
    ready();
    let done = sender.clone().deliver(webhooks).await;
    drop(helpers);
    done?;
    sender.log.write(&Entry::Done { at: output::now() })?;
    output::progress(&sender.counts.line(&sender.world));
    Ok(())
}

/// Every customer who may be answered has written to Meta before; nothing of that is delivered to us.
async fn open_windows(world: &World, webhooks: &[Webhook]) -> anyhow::Result<()> {
    let sandbox = Sandbox::at(&world.sandbox)?;
    let entries = webhooks.iter().flat_map(|webhook| &webhook.entries);
    let customers: BTreeSet<_> = entries
        .filter(|entry| world.accounts[entry.account].answers)
        .flat_map(|entry| entry.messages.iter().map(|message| (entry.account, &message.customer)))
        .map(|(account, customer)| (world.accounts[account].id.clone(), customer.clone()))
        .collect();
    sandbox.deliver_to(None, None).await?;
    sandbox.open_windows(&customers).await?;
    output::progress(&format!("{} customers have written to Meta, so that they may be answered", customers.len()));
    // Echoes of our replies go to both processes, by product.
    let hook = |at: usize, product: &str| {
        let address = world.apis.get(at % world.apis.len()).context("there is no API process")?;
        anyhow::Ok(Some(format!("http://{address}/api/webhooks/{product}")))
    };
    sandbox.deliver_to(hook(0, "instagram")?, hook(1, "facebook")?).await
}

/// Looks after progress, health and the end while webhooks are sent; all of it ends when this is dropped.
fn helpers(sender: &Arc<Sender>, stop: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    let mut helpers = JoinSet::new();
    let of = sender.clone();
    helpers.spawn(async move {
        stop.await;
        of.stop.store(true, Ordering::Relaxed);
        std::future::pending().await
    });
    let of = sender.clone();
    helpers.spawn(async move {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            output::progress(&of.counts.line(&of.world));
        }
    });
    if sender.world.balance == Balance::Ready {
        for at in 0..sender.targets.len() {
            let of = sender.clone();
            helpers.spawn(async move {
                loop {
                    of.targets[at].look().await;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            });
        }
    }
    helpers
}

impl Sender {
    async fn deliver(self: Arc<Self>, webhooks: Vec<Webhook>) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        let began = Instant::now();
        for webhook in webhooks {
            let due = Duration::from_secs_f64(f64::from(webhook.number) / f64::from(self.world.rate.max(1)));
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let room = self.room.clone().acquire_owned().await?;
            let sender = self.clone();
            tasks.spawn(async move {
                let body = sender.make(&webhook)?;
                sender.acknowledged(&webhook, &body, Some(room)).await?;
                sender.redeliver(&webhook, &body).await
            });
            // An error is told at once, not after all the others.
            while let Some(done) = tasks.try_join_next() {
                done.context("a delivery panicked")??;
            }
        }
        let all = async {
            while let Some(done) = tasks.join_next().await {
                done.context("a delivery panicked")??;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(ACKNOWLEDGED_WITHIN, all).await {
            Ok(done) => done,
            Err(_elapsed) => bail!(
                "{} webhooks were still not acknowledged {} s after the last one was made",
                self.counts.open.load(Ordering::Relaxed),
                ACKNOWLEDGED_WITHIN.as_secs()
            ),
        }
    }

    fn make(&self, webhook: &Webhook) -> anyhow::Result<Bytes> {
        let messages = webhook.entries.iter().flat_map(|entry| {
            let account = &self.world.accounts[entry.account].id;
            entry.messages.iter().map(|message| Written {
                mid: message.mid.clone(),
                account: account.clone(),
                customer: message.customer.clone(),
                text: message.text.map(str::to_owned),
            })
        });
        self.log.write(&Entry::Made { webhook: webhook.number, messages: messages.collect() })?;
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        Ok(body::render(&self.world, webhook, output::now()).into())
    }

    /// Tries until it is acknowledged. Room for the first try is had only by what was never acknowledged before.
    async fn acknowledged(
        &self,
        webhook: &Webhook,
        body: &Bytes,
        mut first: Option<OwnedSemaphorePermit>,
    ) -> anyhow::Result<()> {
        let again = first.is_none();
        let mut to = usize::try_from(webhook.number)?;
        if again {
            to += rand::random_range(0..self.targets.len().max(1));
        }
        loop {
            let room = match first.take() {
                Some(room) => room,
                None => self.room.clone().acquire_owned().await?,
            };
            let outcome = self.attempt(webhook, body, again, &mut to).await?;
            drop(room);
            if outcome.is_acknowledged() {
                break;
            }
            tokio::time::sleep(Duration::from_secs_f64(rand::random_range(AGAIN_AFTER))).await;
        }
        if !again {
            self.counts.acknowledged.fetch_add(1, Ordering::Relaxed);
            self.counts.open.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// One attempt at the next process; where a connection is refused a balancing client goes on to the one after it.
    async fn attempt(&self, webhook: &Webhook, body: &Bytes, again: bool, to: &mut usize) -> anyhow::Result<Outcome> {
        let path = format!("/api/webhooks/{}", webhook.platform.name());
        let signature = body::signature(webhook.platform, body);
        let tries = if self.world.balance == Balance::Ready { self.targets.len() } else { 1 };
        let mut outcome = Outcome::NotConnected;
        for _ in 0..tries {
            let at = self.choose(*to)?;
            *to = at + 1;
            let attempt = self.counts.attempts.fetch_add(1, Ordering::Relaxed);
            let number = webhook.number;
            self.log.write(&Entry::Attempt { webhook: number, attempt, to: at, again, at: output::now() })?;
            outcome = self.targets[at].deliver(&path, &signature, body.clone()).await;
            self.log.write(&Entry::Answer { attempt, outcome: outcome.clone(), at: output::now() })?;
            match &outcome {
                Outcome::Status(200) => {}
                Outcome::Status(_) => drop(self.counts.refused.fetch_add(1, Ordering::Relaxed)),
                _ => drop(self.counts.failed.fetch_add(1, Ordering::Relaxed)),
            }
            if outcome != Outcome::NotConnected {
                break;
            }
        }
        Ok(outcome)
    }

    /// The process whose turn it is; with a balancing client the next one that is ready, if any is.
    fn choose(&self, turn: usize) -> anyhow::Result<usize> {
        let count = self.targets.len();
        ensure!(count > 0, "there is no API process");
        let mut turns = (0..count).map(|n| (turn + n) % count);
        let ready = turns.find(|at| self.world.balance == Balance::Alternate || self.targets[*at].is_ready());
        Ok(ready.unwrap_or(turn % count))
    }

    /// Some come again, one to five times, between others.
    async fn redeliver(&self, webhook: &Webhook, body: &Bytes) -> anyhow::Result<()> {
        let mut rng = StdRng::seed_from_u64(self.world.seed ^ (u64::from(webhook.number) << 20));
        if rng.random_range(0..100) >= self.world.redelivered {
            return Ok(());
        }
        let count = rng.random_range(1..=5);
        let copies = (0..count).map(|_| Duration::from_secs_f64(rng.random_range(REDELIVERED_AFTER)));
        let copies = copies.map(|later| async move {
            tokio::time::sleep(later).await;
            self.acknowledged(webhook, body, None).await
        });
        futures::future::try_join_all(copies).await.map(|_| ())
    }
}

impl Counts {
    fn line(&self, world: &World) -> String {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "{} of {} webhooks made, {} acknowledged in {} attempts; {} answers other than 200, {} without an answer",
            of(&self.made),
            world.webhooks,
            of(&self.acknowledged),
            of(&self.attempts),
            of(&self.refused),
            of(&self.failed),
        )
    }
}
