//! Claims jobs of one queue for this process: never more than there are free slots, on a hand-over, a ring or a tick. Errors of
//! the database are handled here with a pause.

use crate::ledger::Ledger;
use crate::ledger::claim::{self, Claim, Look};
use crate::ledger::lease::Lease;
use crate::queue::Queue;
use entities::job::Model as Job;
use sea_orm::DbErr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{
    Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore, mpsc,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Keeps suspects apart: one isolated job at a time in a process, and no batch of deliveries beside an isolated delivery.
/// The other queues mostly wait for Meta and are not stopped for it; what they run is not blamed either, for a claim under
/// the gate says so in the row.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    suspects: Arc<Mutex<()>>,
    deliveries: Arc<RwLock<()>>,
}

/// A batch's share of the gate.
#[derive(Debug)]
enum Pass {
    Free,
    Deliveries { _guard: OwnedRwLockReadGuard<()> },
    Alone { _suspect: OwnedMutexGuard<()>, _deliveries: Option<OwnedRwLockWriteGuard<()>> },
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
    pub gate: Arc<Gate>,
    pub stopping: CancellationToken,
    /// Where the claiming tasks are counted, for who waits for their end.
    pub tasks: TaskTracker,
}

/// Between a defect of the claimer, an error of the database or a claim that came too late, and the next try.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

impl Claimer {
    /// Claims until it is told to stop; what it has claimed by then is still handed out.
    pub(crate) fn start(self) -> mpsc::Receiver<Batch> {
        // A batch holds a slot, so there are never more of them than fit.
        let (batches, receiver) = mpsc::channel(self.slots.max(1));
        self.tasks.clone().spawn(async move {
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
    let mut by_id_first = false;
    while !claimer.stopping.is_cancelled() {
        by_id_first = !by_id_first;
        let tick = claimer.ledger.settings().tick;
        let (turn, next_look) = match claim_free(&claimer, &slots, by_id_first).await {
            // Others took it, or hold its rows for the moment; nobody rings for what they leave.
            Ok(turn) if turn.came_late => (turn, tick.min(RESTART_PAUSE)),
            Ok(turn) => (turn, tick),
            Err(error) => {
                tracing::error!(%error, queue = claimer.queue.as_str(), "claiming failed; trying again");
                // Nobody rings when the database is back.
                (Turn::default(), tick.min(RESTART_PAUSE))
            }
        };
        if turn.batches.is_empty() {
            tokio::select! {
                () = claimer.ledger.bell().heard(claimer.queue) => {}
                _free = claimer.gate.suspects.lock(), if turn.suspect_waits => {}
                () = tokio::time::sleep(next_look) => {}
                () = claimer.stopping.cancelled() => {}
            }
        }
        for batch in turn.batches {
            if batches.send(batch).await.is_err() {
                // The worker is gone; the leases lapse.
                return;
            }
        }
    }
}

/// What came of one try to claim.
#[derive(Debug, Default)]
struct Turn {
    batches: Vec<Batch>,
    /// A suspect waits here while another one runs. Nobody rings when that is over, and a crash leaves hundreds of them.
    suspect_waits: bool,
    /// There was something to claim when it looked, and nothing when it took.
    came_late: bool,
}

impl Turn {
    fn of(batches: Vec<Batch>, found: Look) -> Self {
        Self { suspect_waits: false, came_late: batches.is_empty() && found != Look::default(), batches }
    }
}

/// Claims for the slots that are free, once there is at least one.
async fn claim_free(claimer: &Claimer, slots: &Arc<Semaphore>, by_id_first: bool) -> Result<Turn, DbErr> {
    let bell = claimer.ledger.bell();
    let first = tokio::select! {
        first = bell.busy_until(claimer.queue, slots.clone().acquire_owned()) => first,
        () = claimer.stopping.cancelled() => return Ok(Turn::default()),
    };
    let Ok(first) = first else { return Ok(Turn::default()) };
    let mut free = vec![first];
    while let Ok(slot) = slots.clone().try_acquire_owned() {
        free.push(slot);
    }
    let mut found = look(claimer).await?;
    // While another suspect runs this one waits, and the others do not wait for it.
    let mut suspect_waits = false;
    if found.isolated {
        match claimer.gate.suspects.clone().try_lock_owned() {
            Err(_another_runs) => suspect_waits = true,
            Ok(suspect) => {
                let Some(slot) = free.pop() else { return Ok(Turn::default()) };
                let batches = claim_isolated(claimer, suspect, slot).await?;
                // Another process has it, or stands still with its row locked: the others' turn is not lost for it.
                if !batches.is_empty() || free.is_empty() {
                    return Ok(Turn::of(batches, found));
                }
            }
        }
    }
    let pass = match claimer.queue {
        Queue::Webhooks => {
            let deliveries = &claimer.gate.deliveries;
            let guard = match deliveries.clone().try_read_owned() {
                Ok(guard) => guard,
                Err(_a_suspect_runs) => {
                    let guard = bell.busy_until(claimer.queue, deliveries.clone().read_owned()).await;
                    // Much may have come meanwhile.
                    found = look(claimer).await?;
                    guard
                }
            };
            Pass::Deliveries { _guard: guard }
        }
        _ => Pass::Free,
    };
    let limit = free.len() * claimer.batch;
    let jobs = claim_due(claimer, limit, by_id_first, found).await?;
    if jobs.len() >= limit {
        // There may be more than fits here, and a ring wakes one process only: this one rings for the next.
        bell.ring_others(claimer.queue);
    }
    let turn = Turn::of(pack(claimer, jobs, free, &Arc::new(pass)), found);
    Ok(Turn { suspect_waits, ..turn })
}

/// What is due. Whatever rang before is answered by this; what rings from now on, by the next look.
async fn look(claimer: &Claimer) -> Result<Look, DbErr> {
    claimer.ledger.bell().answered(claimer.queue);
    claim::look(&claimer.ledger.context().db, claimer.queue, claimer.ledger.now()).await
}

/// Every other turn takes what was handed over first; the turns between look at all that is due, so that fresh jobs do not
/// keep older ones waiting for ever.
async fn claim_due(claimer: &Claimer, limit: usize, by_id_first: bool, found: Look) -> Result<Vec<Job>, DbErr> {
    let ledger = &claimer.ledger;
    let claim = claim_of(claimer, limit);
    let fresh = if by_id_first { ledger.bell().take(claimer.queue, limit) } else { Vec::new() };
    if !fresh.is_empty() {
        let jobs = claim::handed_over(&ledger.context().db, claim, &fresh).await?;
        if !jobs.is_empty() {
            return Ok(jobs);
        }
    }
    claim::due_of(&ledger.context().db, claim, found).await
}

async fn claim_isolated(
    claimer: &Claimer,
    suspect: OwnedMutexGuard<()>,
    slot: OwnedSemaphorePermit,
) -> Result<Vec<Batch>, DbErr> {
    let deliveries = match claimer.queue {
        // Their batches take milliseconds; waiting lets those that run finish.
        Queue::Webhooks => {
            let alone = claimer.gate.deliveries.clone().write_owned();
            Some(claimer.ledger.bell().busy_until(claimer.queue, alone).await)
        }
        _ => None,
    };
    let jobs = claim::isolated(&claimer.ledger.context().db, claim_of(claimer, 1)).await?;
    let pass = Pass::Alone { _suspect: suspect, _deliveries: deliveries };
    Ok(pack(claimer, jobs, vec![slot], &Arc::new(pass)))
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
