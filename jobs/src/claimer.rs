//! Claims jobs of one queue for this process: never more than there are free slots, on a hand-over, a ring or a tick. Errors of
//! the database are handled here with a pause.

use crate::ledger::Ledger;
use crate::ledger::claim::{self, Claim};
use crate::ledger::lease::Lease;
use crate::queue::Queue;
use entities::job::Model as Job;
use sea_orm::DbErr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

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

/// Between a defect of the claimer and its new start.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

impl Claimer {
    /// Claims until it is told to stop; what it has claimed by then is still handed out.
    pub(crate) fn start(self) -> mpsc::Receiver<Batch> {
        // A batch holds a slot, so there are never more of them than fit.
        let (batches, receiver) = mpsc::channel(self.slots.max(1));
        tokio::spawn(async move {
            let slots = Arc::new(Semaphore::new(self.slots));
            while !self.stopping.is_cancelled() {
                let turn = tokio::spawn(claim_until_stopped(self.clone(), slots.clone(), batches.clone()));
                if let Err(defect) = turn.await {
                    tracing::error!(%defect, queue = self.queue.as_str(), "the claimer ended and is started anew");
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        });
        receiver
    }
}

async fn claim_until_stopped(claimer: Claimer, slots: Arc<Semaphore>, batches: mpsc::Sender<Batch>) {
    while !claimer.stopping.is_cancelled() {
        let claimed = match claim_free(&claimer, &slots).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, queue = claimer.queue.as_str(), "claiming failed; trying again");
                Vec::new()
            }
        };
        if claimed.is_empty() {
            tokio::select! {
                () = claimer.ledger.bell().heard(claimer.queue) => {}
                () = tokio::time::sleep(claimer.ledger.settings().tick) => {}
                () = claimer.stopping.cancelled() => {}
            }
        }
        for batch in claimed {
            if batches.send(batch).await.is_err() {
                // The worker is gone; the leases lapse.
                return;
            }
        }
    }
}

/// Claims for the slots that are free, once there is at least one.
async fn claim_free(claimer: &Claimer, slots: &Arc<Semaphore>) -> Result<Vec<Batch>, DbErr> {
    let first = tokio::select! {
        first = slots.clone().acquire_owned() => first,
        () = claimer.stopping.cancelled() => return Ok(Vec::new()),
    };
    let Ok(first) = first else { return Ok(Vec::new()) };
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
