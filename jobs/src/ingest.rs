//! Stores what Meta delivers: the delivery and its one job, committed before Meta is answered. Requests that arrive while a
//! commit runs share the next one; there is no timer. When the queue is full or the database refuses, Meta is told to come
//! again.

use crate::bell::Bell;
use crate::jobs::webhook_process;
use crate::ledger::enqueue::enqueue;
use domain::Context;
use domain::id::new_id;
use entities::delivery;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use uuid::Uuid;

/// The path a delivery came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/api/webhooks/instagram`
    Instagram,
    /// `/api/webhooks/facebook`
    Facebook,
}

impl Endpoint {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
        }
    }
}

/// Why a delivery was not stored. Both are answered 503, and Meta delivers again.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IngestError {
    /// More deliveries wait for a commit than we keep in memory.
    #[error("too many deliveries wait to be stored")]
    Full,
    /// The database did not take it.
    #[error("the database does not take writes")]
    Unavailable,
}

/// Deliveries that wait for a commit; beyond it the answer is 503.
const WAITING: usize = 2_048;
/// KiB of bodies that wait for a commit; a flood of large ones must not fill the memory.
const WAITING_KIB: usize = 128 * 1_024;
/// Deliveries that share one commit.
const SHARED: usize = 256;
/// A commit that takes longer is given up, and Meta delivers again; what was committed all the same is found to be known.
/// A network that swallows packets would otherwise keep the writer for a quarter of an hour.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

struct Waiting {
    endpoint: Endpoint,
    body: Vec<u8>,
    stored: oneshot::Sender<Result<Uuid, IngestError>>,
    room: OwnedSemaphorePermit,
}

/// The way in for deliveries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

impl Ingest {
    /// Starts the writer; it ends when the last handle is dropped.
    pub(crate) fn start(context: Context, bell: Bell) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(SHARED);
            while waiting.recv_many(&mut batch, SHARED).await > 0 {
                // Who stopped waiting has been answered 503 and will deliver again.
                batch.retain(|delivery: &Waiting| !delivery.stored.is_closed());
                commit(&context, &bell, std::mem::take(&mut batch)).await;
            }
        });
        Self { queue, room: Arc::new(Semaphore::new(WAITING_KIB)) }
    }

    /// Stores a delivery whose signature was good; returns its id once it is committed.
    pub async fn store(&self, endpoint: Endpoint, body: Vec<u8>) -> Result<Uuid, IngestError> {
        let kib = u32::try_from(body.len() / 1_024 + 1).map_err(|_| IngestError::Full)?;
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| IngestError::Full)?;
        let (stored, answer) = oneshot::channel();
        self.queue.try_send(Waiting { endpoint, body, stored, room }).map_err(|_| IngestError::Full)?;
        answer.await.unwrap_or(Err(IngestError::Unavailable))
    }
}

async fn commit(context: &Context, bell: &Bell, batch: Vec<Waiting>) {
    if batch.is_empty() {
        return;
    }
    metrics::histogram!("retail_assist_ingest_batch_size").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
    let mut rooms = Vec::with_capacity(batch.len());
    let take = |w: Waiting| {
        rooms.push(w.room);
        (w.stored, (w.endpoint, w.body))
    };
    let (answers, deliveries): (Vec<_>, Vec<_>) = batch.into_iter().map(take).unzip();
    let written = tokio::time::timeout(COMMIT_WITHIN, write(context, bell, deliveries));
    match written.await.unwrap_or_else(|_elapsed| Err(DbErr::Custom("no answer from the database".to_owned()))) {
        Ok(ids) => {
            for (answer, id) in answers.into_iter().zip(ids) {
                let _gone_meanwhile = answer.send(Ok(id));
            }
        }
        Err(error) => {
            tracing::error!(%error, deliveries = answers.len(), "deliveries could not be stored; Meta will deliver them again");
            for answer in answers {
                let _gone_meanwhile = answer.send(Err(IngestError::Unavailable));
            }
        }
    }
}

async fn write(context: &Context, bell: &Bell, deliveries: Vec<(Endpoint, Vec<u8>)>) -> Result<Vec<Uuid>, DbErr> {
    let now = context.now();
    let mut ids = Vec::with_capacity(deliveries.len());
    let mut rows = Vec::with_capacity(deliveries.len());
    let mut jobs = Vec::with_capacity(deliveries.len());
    for (endpoint, body) in deliveries {
        let id = new_id(now);
        ids.push(id);
        jobs.push(webhook_process::job(id));
        rows.push(delivery::ActiveModel {
            id: Set(id),
            endpoint: Set(endpoint.as_str().to_owned()),
            object: Set(None),
            body_sha256: Set(Sha256::digest(&body).to_vec()),
            size: Set(i32::try_from(body.len()).unwrap_or(i32::MAX)),
            body: Set(Some(body)),
            state: Set("received".to_owned()),
            reason: Set(None),
            events_total: Set(0),
            events_unrouted: Set(0),
            received_at: Set(now),
            processed_at: Set(None),
        });
    }
    let mut tx = context.db.begin().await?;
    delivery::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    enqueue(&mut tx, bell, now, jobs).await?;
    crate::failpoint::hit("webhook.before_commit", "");
    tx.commit().await?;
    crate::failpoint::hit("webhook.committed", "");
    Ok(ids)
}
