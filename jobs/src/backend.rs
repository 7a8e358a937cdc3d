//! The ledger as an apalis backend: yields batches of claimed jobs, never more than the queue has free slots. Errors of the
//! database are handled in here with a pause, so an apalis worker never dies of them.

use crate::ledger::Ledger;
use crate::ledger::claim::{self, Claim};
use crate::ledger::lease::Lease;
use crate::queue::Queue;
use apalis::prelude::*;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::worker::context::WorkerContext;
use entities::job::Model as Job;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use sea_orm::DbErr;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio_util::sync::CancellationToken;
use tower_layer::Identity;

/// Lets a job that must run alone wait until nothing else runs in this process, and the others wait for it.
pub(crate) type Gate = Arc<RwLock<()>>;

/// The share of the gate that a batch holds.
#[derive(Debug)]
enum Pass {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone { _guard: OwnedRwLockWriteGuard<()> },
}

/// Claimed jobs that are run together, with the slot they take. Dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The jobs, each with its lease.
    pub jobs: Vec<(Job, Lease)>,
    _slot: OwnedSemaphorePermit,
    _pass: Arc<Pass>,
}

/// What the claimer needs.
#[derive(Clone)]
pub(crate) struct Claimer {
    pub ledger: Ledger,
    pub queue: Queue,
    pub slots: usize,
    /// Jobs of one slot.
    pub batch: usize,
    pub gate: Gate,
    pub stopping: CancellationToken,
}

pub(crate) struct LedgerBackend {
    batches: BoxStream<'static, Batch>,
}

impl LedgerBackend {
    pub(crate) fn new(claimer: Claimer) -> Self {
        Self { batches: batches(claimer).boxed() }
    }
}

impl Backend for LedgerBackend {
    type Task = Task<Batch>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Batch>, Infallible>>> {
        self.batches.poll_next_unpin(cx).map(|next| next.map(|batch| Ok(TaskBuilder::new(batch).build())))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LedgerBackend {
    type Args = Batch;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}

/// Batches as they are claimed; ends when the worker is told to stop.
fn batches(claimer: Claimer) -> impl Stream<Item = Batch> + Send {
    let slots = Arc::new(Semaphore::new(claimer.slots));
    let claimed = futures::stream::unfold((claimer, slots), |(claimer, slots)| async move {
        loop {
            if claimer.stopping.is_cancelled() {
                return None;
            }
            let claimed = match claim_free(&claimer, &slots).await {
                Ok(batches) => batches,
                Err(error) => {
                    tracing::error!(%error, queue = claimer.queue.as_str(), "claiming failed; trying again");
                    Vec::new()
                }
            };
            if !claimed.is_empty() {
                return Some((futures::stream::iter(claimed), (claimer, slots)));
            }
            tokio::select! {
                () = claimer.ledger.bell().heard(claimer.queue) => {}
                () = tokio::time::sleep(claimer.ledger.settings().tick) => {}
                () = claimer.stopping.cancelled() => {}
            }
        }
    });
    claimed.flatten()
}

/// Claims for the slots that are free, once there is at least one.
async fn claim_free(claimer: &Claimer, slots: &Arc<Semaphore>) -> Result<Vec<Batch>, DbErr> {
    let Ok(first) = slots.clone().acquire_owned().await else { return Ok(Vec::new()) };
    let mut free = vec![first];
    while let Ok(slot) = slots.clone().try_acquire_owned() {
        free.push(slot);
    }
    if claim::isolated_waits(&claimer.ledger.context().db, claimer.queue, claimer.ledger.now()).await?
        && let Some(slot) = free.pop()
    {
        return claim_isolated(claimer, slot).await;
    }
    let guard = tokio::select! {
        guard = claimer.gate.clone().read_owned() => guard,
        () = claimer.stopping.cancelled() => return Ok(Vec::new()),
    };
    let jobs = claim_due(claimer, free.len() * claimer.batch).await?;
    let pass = Arc::new(Pass::Shared { _guard: guard });
    Ok(pack(claimer, jobs, free, &pass))
}

async fn claim_due(claimer: &Claimer, limit: usize) -> Result<Vec<Job>, DbErr> {
    let ledger = &claimer.ledger;
    let claim = claim_of(claimer, limit);
    let fresh = ledger.bell().take(claimer.queue, limit);
    if !fresh.is_empty() {
        let jobs = claim::handed_over(&ledger.context().db, claim, &fresh).await?;
        if !jobs.is_empty() {
            return Ok(jobs);
        }
    }
    claim::due(&ledger.context().db, claim).await
}

async fn claim_isolated(claimer: &Claimer, slot: OwnedSemaphorePermit) -> Result<Vec<Batch>, DbErr> {
    // Waiting here stops new claims of every queue in this process and lets what runs finish: only then is a crash proof.
    let guard = tokio::select! {
        guard = claimer.gate.clone().write_owned() => guard,
        () = claimer.stopping.cancelled() => return Ok(Vec::new()),
    };
    let jobs = claim::isolated(&claimer.ledger.context().db, claim_of(claimer, 1)).await?;
    let pass = Arc::new(Pass::Alone { _guard: guard });
    Ok(pack(claimer, jobs, vec![slot], &pass))
}

fn claim_of(claimer: &Claimer, limit: usize) -> Claim<'_> {
    Claim {
        queue: claimer.queue,
        worker: claimer.ledger.worker(),
        now: claimer.ledger.now(),
        lease_until: claimer.ledger.lease_until(),
        limit,
    }
}

/// Spreads claimed jobs over the free slots.
fn pack(claimer: &Claimer, jobs: Vec<Job>, free: Vec<OwnedSemaphorePermit>, pass: &Arc<Pass>) -> Vec<Batch> {
    let mut jobs: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            crate::failpoint::hit("job.claimed", &job.kind);
            let lease = claimer.ledger.in_flight().hold(&job);
            (job, lease)
        })
        .collect();
    let mut batches = Vec::new();
    for slot in free {
        if jobs.is_empty() {
            break;
        }
        let rest = jobs.split_off(jobs.len().min(claimer.batch));
        let jobs = std::mem::replace(&mut jobs, rest);
        batches.push(Batch { jobs, _slot: slot, _pass: pass.clone() });
    }
    batches
}

/// How long an apalis worker whose task ended (a defect, never a database error) waits before it is made anew.
pub(crate) const RESTART_PAUSE: Duration = Duration::from_secs(1);
