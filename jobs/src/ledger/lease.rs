//! Leases: what this process has claimed and still works on, renewed while it lives. A job that is no longer ours (cancelled,
//! or taken after a pause of this process) is told to stop.

use super::{Ledger, statements};
use domain::clock::Millis;
use entities::job::Model as Job;
use sea_orm::{ConnectionTrait, DbErr};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A claim: the job and the fence it was claimed with.
type Held = (Uuid, i64);

/// The jobs this process holds.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    jobs: Arc<Mutex<HashMap<Held, CancellationToken>>>,
}

/// Holds a claim's place in [`InFlight`] until dropped.
#[derive(Debug)]
pub struct Lease {
    held: Held,
    overtaken: CancellationToken,
    of: InFlight,
}

impl InFlight {
    /// Remembers a claim, to be renewed until the lease is dropped.
    pub fn hold(&self, job: &Job) -> Lease {
        let (held, overtaken) = ((job.id, job.fence), CancellationToken::new());
        self.lock().insert(held, overtaken.clone());
        Lease { held, overtaken, of: self.clone() }
    }

    /// How many jobs are held.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True when none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Held, CancellationToken>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Resolves when the job is not ours any more.
    pub async fn overtaken(&self) {
        self.overtaken.cancelled().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.of.lock().remove(&self.held);
    }
}

/// Ids of one renewal; keeps the statement small however much is in flight.
const CHUNK: usize = 1_000;

/// Renews every lease of this process and tells jobs that are no longer ours to stop.
pub async fn renew(ledger: &Ledger, until: Millis) -> Result<(), DbErr> {
    let held: Vec<Held> = ledger.in_flight().lock().keys().copied().collect();
    let backend = ledger.context().db.backend();
    for chunk in held.chunks(CHUNK) {
        let ids: Vec<Uuid> = chunk.iter().map(|(id, _)| *id).collect();
        let values = vec![until.into(), ledger.worker().into(), statements::ids(backend, &ids)];
        let renewal = statements::bound(backend, statements::of(backend).renew, values);
        let rows = ledger.context().db.write().query_all_raw(renewal).await?;
        let mut ours = HashSet::with_capacity(rows.len());
        for row in rows {
            ours.insert((row.try_get_by_index::<Uuid>(0)?, row.try_get_by_index::<i64>(1)?));
        }
        let in_flight = ledger.in_flight().lock();
        for lost in chunk.iter().filter(|held| !ours.contains(held)) {
            if let Some(token) = in_flight.get(lost) {
                token.cancel();
            }
        }
    }
    Ok(())
}
