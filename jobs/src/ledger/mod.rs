//! The job ledger: the database owns every job. This is the table of contents, and the handle that the rest of the program
//! holds; the rules stand in the files beside it, the statements that differ by database in `sqlite.rs` and
//! `postgres.rs`.

pub mod claim;
pub mod enqueue;
pub mod hold;
pub mod lapse;
pub mod lease;
pub mod operate;
mod postgres;
pub mod schedule;
pub mod settle;
mod sqlite;
pub mod statements;
pub mod wait;

use crate::bell::{Bell, Far};
use crate::ingest::Ingest;
use crate::jobs::{CATALOGUE, Catalogue, Kind};
use crate::relay::Relay;
use crate::settings::LedgerSettings;
use domain::Context;
use domain::clock::Millis;
use domain::db::Tx;
use enqueue::NewJob;
use sea_orm::DbErr;
use std::sync::Arc;
use uuid::Uuid;

/// The ledger as one process sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    context: Context,
    settings: LedgerSettings,
    catalogue: Catalogue,
    bell: Bell,
    worker: String,
    in_flight: lease::InFlight,
    finished: wait::Finished,
    ingest: Ingest,
    _relay: Relay,
}

impl Ledger {
    /// The product's ledger over the context's database. Starts the writer of webhook deliveries; workers are started apart.
    pub fn new(context: Context, settings: LedgerSettings) -> Self {
        Self::with_catalogue(context, settings, CATALOGUE)
    }

    /// A ledger that runs other kinds of job than the product's.
    pub fn with_catalogue(context: Context, settings: LedgerSettings, catalogue: Catalogue) -> Self {
        let bell = Bell::new(Far::choose(&settings, &context.db));
        let ingest = Ingest::start(context.clone(), bell.clone());
        // Unique per start, so that a claim always tells which life of which process made it.
        let worker = format!("{}-{}-{:08x}", crate::worker::host_name(), std::process::id(), rand::random::<u32>());
        let relay = Relay::start(&settings, &context, &bell, &worker);
        let inner = Inner {
            context,
            settings,
            catalogue,
            bell,
            worker,
            in_flight: lease::InFlight::default(),
            finished: wait::Finished::default(),
            ingest,
            _relay: relay,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The injected outside.
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// Leases, ticks, slots.
    pub fn settings(&self) -> &LedgerSettings {
        &self.inner.settings
    }

    /// What this program can run.
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// The kind of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.inner.catalogue.kind(name)
    }

    /// Stores webhook deliveries with their jobs.
    pub fn ingest(&self) -> Ingest {
        self.inner.ingest.clone()
    }

    /// Wakes workers, of this process and of others.
    pub fn bell(&self) -> &Bell {
        &self.inner.bell
    }

    /// This process's name in claims.
    pub fn worker(&self) -> &str {
        &self.inner.worker
    }

    /// What this process has claimed.
    pub fn in_flight(&self) -> &lease::InFlight {
        &self.inner.in_flight
    }

    /// Wakes who waits for a job's result.
    pub fn finished(&self) -> &wait::Finished {
        &self.inner.finished
    }

    /// The present moment.
    pub fn now(&self) -> Millis {
        self.inner.context.now()
    }

    /// When a lease that is taken or renewed now runs out.
    pub fn lease_until(&self) -> Millis {
        self.now().saturating_add(Millis::try_from(self.inner.settings.lease.as_millis()).unwrap_or(Millis::MAX))
    }

    /// Enqueues in the caller's transaction; see [`enqueue::enqueue`].
    pub async fn enqueue(&self, tx: &mut Tx, jobs: Vec<NewJob>) -> Result<Vec<Uuid>, DbErr> {
        enqueue::enqueue(tx, &self.inner.bell, self.now(), jobs).await
    }
}
