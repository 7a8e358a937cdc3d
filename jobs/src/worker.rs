//! The worker processes' life: one apalis worker a queue, and beside them the upkeep that renews leases, shows a sign of
//! life, deals with lapsed leases and enqueues what has fallen due.

use crate::backend::LedgerBackend;
use crate::claimer::{Batch, Claimer, Gate};
use crate::jobs::conversations_reconcile_due;
use crate::ledger::{Ledger, lapse, lease, schedule};
use crate::queue::Queue;
use crate::run;
use apalis::prelude::*;
use domain::clock::{MINUTE, Millis};
use entities::worker;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait, QuerySelect as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A sign of life is shown at least this often; readiness calls a worker dead after three of them.
pub const BEAT: Duration = Duration::from_secs(5);

/// The running workers of this process.
#[derive(Debug)]
pub struct Workers {
    ledger: Ledger,
    /// Nothing more is claimed.
    stopping: CancellationToken,
    /// Nothing more is waited for.
    ending: CancellationToken,
    claimers: TaskTracker,
    monitor: JoinHandle<()>,
    upkeep: JoinHandle<()>,
}

impl Workers {
    /// Starts a worker for every queue.
    pub fn start(ledger: &Ledger) -> Self {
        let (stopping, ending) = (CancellationToken::new(), CancellationToken::new());
        let claimers = TaskTracker::new();
        ledger.bell().begin_work(ledger.worker(), &stopping);
        let monitor = tokio::spawn(monitor(ledger.clone(), stopping.clone(), ending.clone(), claimers.clone()));
        let upkeep = tokio::spawn(upkeep(ledger.clone(), ending.clone()));
        tracing::info!(worker = ledger.worker(), "workers started");
        Self { ledger: ledger.clone(), stopping, ending, claimers, monitor, upkeep }
    }

    /// Claims nothing more and lets running jobs finish, for at most `limit`. What has not finished by then keeps its lease
    /// and is dealt with when that lapses.
    pub async fn stop(mut self, limit: Duration) {
        self.stopping.cancel();
        self.ledger.bell().end_work();
        self.claimers.close();
        let drained = async {
            // A claim under way is a claim; after the last of them, what is in flight only becomes less.
            self.claimers.wait().await;
            while !self.ledger.in_flight().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(limit, drained).await.is_err() {
            let jobs = self.ledger.in_flight().len();
            tracing::warn!(jobs, "stopping with jobs still running; their leases will lapse");
        }
        // Leases are renewed to the end.
        self.ending.cancel();
        let ended = async { tokio::join!(&mut self.monitor, &mut self.upkeep) };
        if tokio::time::timeout(Duration::from_secs(2), ended).await.is_err() {
            self.monitor.abort();
            self.upkeep.abort();
        }
        let at = self.ledger.now();
        match tokio::time::timeout(Duration::from_secs(1), beat(&self.ledger, at, at, "stopped")).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last sign of life could not be written"),
            Err(_elapsed) => tracing::warn!("the last sign of life could not be written in time"),
        }
        tracing::info!("workers stopped");
    }
}

/// Workers that nobody can stop any more claim nothing more either; what they have keeps its lease.
impl Drop for Workers {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.ending.cancel();
    }
}

fn slots(ledger: &Ledger, queue: Queue) -> usize {
    let slots = ledger.settings().slots;
    match queue {
        Queue::Interactive => slots.interactive,
        Queue::Webhooks => slots.webhooks,
        Queue::Send => slots.send,
        Queue::Maintenance => slots.maintenance,
    }
}

async fn monitor(ledger: Ledger, stopping: CancellationToken, ending: CancellationToken, claimers: TaskTracker) {
    let gate = Arc::new(Gate::default());
    let mut monitor = Monitor::new();
    for queue in Queue::ALL {
        let claimer = Claimer {
            ledger: ledger.clone(),
            queue,
            slots: slots(&ledger, queue),
            batch: if queue == Queue::Webhooks { ledger.settings().webhook_batch } else { 1 },
            gate: gate.clone(),
            stopping: stopping.clone(),
            tasks: claimers.clone(),
        };
        monitor = monitor.register(move |restart| {
            WorkerBuilder::new(format!("{}-{}-{restart}", claimer.ledger.worker(), queue.as_str()).as_str())
                .backend(LedgerBackend::new(claimer.clone()))
                .data(claimer.ledger.clone())
                .concurrency(claimer.slots)
                .parallelize(tokio::spawn)
                .build(run_batch)
        });
    }
    let result = monitor
        .should_restart(|_, error| {
            tracing::error!(%error, "an apalis worker ended and is made anew");
            true
        })
        .run_with_signal(async move {
            ending.cancelled().await;
            Ok::<(), std::io::Error>(())
        })
        .await;
    if let Err(error) = result {
        tracing::error!(%error, "the workers' monitor ended with an error");
    }
}

/// Runs a batch; always `Ok` to apalis, for what became of each job is in the ledger.
async fn run_batch(batch: Batch, ledger: Data<Ledger>) -> Result<(), BoxDynError> {
    run::batch(&ledger, &batch.jobs).await;
    Ok(())
}

/// Renews first and sweeps after: after a pause of the database this process keeps what it still works on.
async fn upkeep(ledger: Ledger, ending: CancellationToken) {
    let settings = ledger.settings().clone();
    let renew_every = (settings.lease / 3).min(BEAT);
    let started_at = ledger.now();
    let mut next_renewal = tokio::time::Instant::now();
    while !ending.is_cancelled() {
        let turn = async {
            if tokio::time::Instant::now() >= next_renewal {
                lease::renew(&ledger, ledger.lease_until()).await?;
                look_back(&ledger, ledger.now()).await?;
                beat(&ledger, started_at, ledger.now(), "running").await?;
                next_renewal = tokio::time::Instant::now() + renew_every;
            }
            let lapsed = lapse::sweep(&ledger, ledger.now()).await?;
            let due = schedule::run_due(&ledger, ledger.now()).await?;
            if lapsed + due > 0 {
                Queue::ALL.iter().for_each(|queue| ledger.bell().ring(*queue));
            }
            Ok::<(), DbErr>(())
        };
        if let Err(error) = turn.await {
            tracing::error!(%error, "upkeep of the ledger failed; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(settings.tick.min(renew_every)) => {}
            () = ending.cancelled() => {}
        }
    }
}

/// With no worker for so long, Meta may have given deliveries up: what is missing is looked for.
const OUTAGE: Millis = 10 * MINUTE;

/// Before the first sign of life after a time in which there was none, of any worker.
async fn look_back(ledger: &Ledger, now: Millis) -> Result<(), DbErr> {
    let last: Option<Option<Millis>> = worker::Entity::find()
        .select_only()
        .column_as(worker::Column::BeatAt.max(), "last")
        .into_tuple()
        .one(ledger.context().db.read())
        .await?;
    let Some(silence) = last.flatten().map(|last| now - last).filter(|silence| *silence > OUTAGE) else {
        return Ok(());
    };
    if ledger.catalogue().kind(conversations_reconcile_due::KIND.name).is_none() {
        return Ok(());
    }
    tracing::warn!(minutes = silence / MINUTE, "no worker was there; looking for messages that were missed");
    let mut tx = ledger.context().db.begin().await?;
    ledger.enqueue(&mut tx, vec![conversations_reconcile_due::after_outage()]).await?;
    tx.commit().await
}

async fn beat(ledger: &Ledger, started_at: Millis, now: Millis, state: &str) -> Result<(), DbErr> {
    let slots: serde_json::Map<_, _> =
        Queue::ALL.iter().map(|queue| (queue.as_str().to_owned(), slots(ledger, *queue).into())).collect();
    let row = worker::ActiveModel {
        id: Set(ledger.worker().to_owned()),
        host: Set(host_name()),
        pid: Set(i32::try_from(std::process::id()).unwrap_or_default()),
        version: Set(env!("CARGO_PKG_VERSION").to_owned()),
        queues: Set(serde_json::Value::from(slots).to_string()),
        state: Set(state.to_owned()),
        started_at: Set(started_at),
        beat_at: Set(now),
    };
    let conflict = OnConflict::column(worker::Column::Id)
        .update_columns([worker::Column::State, worker::Column::BeatAt])
        .to_owned();
    let insert = worker::Entity::insert(row).on_conflict(conflict);
    insert.exec_without_returning(ledger.context().db.write()).await.map(|_| ())
}

/// The machine's name, for people who look at workers.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect())
        .filter(|name: &String| !name.is_empty())
        .unwrap_or_else(|| "host".to_owned())
}
