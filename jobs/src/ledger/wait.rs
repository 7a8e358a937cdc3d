//! Waits for a job to become final: woken at once when it finishes in this process, polled for across processes, and
//! bounded, so that a request that waits answers in time.

use super::Ledger;
use entities::job::{self, Model as Job};
use sea_orm::{DbErr, EntityTrait};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// States that no longer change by themselves.
pub const FINAL: [&str; 3] = ["completed", "discarded", "cancelled"];
const POLL: Duration = Duration::from_millis(250);
/// Between two looks for something that any job may bring.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells who waits that a job became final in this process.
#[derive(Clone, Debug)]
pub struct Finished(broadcast::Sender<Uuid>);

impl Default for Finished {
    fn default() -> Self {
        Self(broadcast::channel(1_024).0)
    }
}

impl Finished {
    /// Says that a job may have become final.
    pub fn announce(&self, id: Uuid) {
        // Nobody listening is the usual case.
        let _nobody_waits = self.0.send(id);
    }
}

/// The job once it is final, or `None` when it is not after `limit` (or does not exist).
pub async fn wait_for(ledger: &Ledger, id: Uuid, limit: Duration) -> Result<Option<Job>, DbErr> {
    look_until(ledger, limit, Some(id), || async {
        let row = job::Entity::find_by_id(id).one(ledger.context().db.read()).await?;
        Ok(row.filter(|job| FINAL.contains(&job.state.as_str())))
    })
    .await
}

/// What `look` finds, once it finds something, or `None` when it does not within `limit`. It looks when a job of this process
/// becomes final, not more often than twenty times a second, and every quarter of a second.
pub async fn wait_until<T, Look>(ledger: &Ledger, limit: Duration, look: impl Fn() -> Look) -> Result<Option<T>, DbErr>
where
    Look: Future<Output = Result<Option<T>, DbErr>>,
{
    look_until(ledger, limit, None, look).await
}

/// Looks when `only`, or any job, ends.
async fn look_until<T, Look>(
    ledger: &Ledger,
    limit: Duration,
    only: Option<Uuid>,
    look: impl Fn() -> Look,
) -> Result<Option<T>, DbErr>
where
    Look: Future<Output = Result<Option<T>, DbErr>>,
{
    let mut finished = ledger.finished().0.subscribe();
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        let looked = Instant::now();
        let next_look = (looked + POLL).min(deadline);
        loop {
            match timeout_at(next_look, finished.recv()).await {
                Ok(Ok(done)) if only.is_some_and(|id| id != done) => {}
                // Ours, any when any will do, or too many at once, among which ours may have been.
                Ok(_) => {
                    if only.is_none() {
                        tokio::time::sleep_until((looked + PAUSE).min(deadline)).await;
                    }
                    break;
                }
                Err(_elapsed) => break,
            }
        }
    }
}
