//! Puts jobs into the ledger, in the transaction that makes them necessary: a job exists exactly when its reason does.
//! After the commit the process's own workers are handed the fresh ids, or those of others are rung.

use crate::bell::Bell;
use crate::jobs::Kind;
use crate::queue::Queue;
use domain::clock::Millis;
use domain::db::Tx;
use domain::id::new_id;
use entities::job;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait};
use sea_orm::{ConnectionTrait, QueryTrait};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// A job to be.
#[derive(Clone, Debug)]
pub struct NewJob {
    kind: &'static Kind,
    payload: Value,
    run_at: Option<Millis>,
    lane: Option<String>,
    dedupe_key: Option<String>,
    organization_id: Option<Uuid>,
    connection_id: Option<Uuid>,
    trace_id: Option<String>,
    priority: i32,
}

impl NewJob {
    /// A job of `kind`, due at once. The payload holds ids and small facts only: never a token, a code or a message text.
    pub fn new(kind: &'static Kind, payload: Value) -> Self {
        Self {
            kind,
            payload,
            run_at: None,
            lane: None,
            dedupe_key: None,
            organization_id: None,
            connection_id: None,
            trace_id: None,
            priority: 1,
        }
    }

    /// Not before `at`.
    pub fn run_at(mut self, at: Millis) -> Self {
        self.run_at = Some(at);
        self
    }

    /// Behind everything else of its queue that is due.
    pub fn may_wait(mut self) -> Self {
        self.priority = 2;
        self
    }

    /// Runs after the earlier jobs of its lane, one at a time.
    pub fn lane(mut self, lane: String) -> Self {
        self.lane = Some(lane);
        self
    }

    /// Not a second time while a job with this key is unfinished.
    pub fn dedupe_key(mut self, key: String) -> Self {
        self.dedupe_key = Some(key);
        self
    }

    /// Whom it serves.
    pub fn of(mut self, organization_id: Uuid) -> Self {
        self.organization_id = Some(organization_id);
        self
    }

    /// Whom it serves and through which account.
    pub fn serves(mut self, organization_id: Uuid, connection_id: Uuid) -> Self {
        self.organization_id = Some(organization_id);
        self.connection_id = Some(connection_id);
        self
    }

    /// The trace it belongs to.
    pub fn trace(mut self, trace_id: Option<String>) -> Self {
        self.trace_id = trace_id;
        self
    }
}

/// Rows of one statement; SQLite binds 32,766 values at most and a job has under thirty.
const ROWS: usize = 500;

/// Enqueues jobs; returns the ids of those that are new, in their order. A job whose dedupe key is taken is left out.
pub async fn enqueue(tx: &mut Tx, bell: &Bell, now: Millis, jobs: Vec<NewJob>) -> Result<Vec<Uuid>, DbErr> {
    let mut fresh: HashMap<Queue, Vec<Uuid>> = HashMap::new();
    let mut all = Vec::with_capacity(jobs.len());
    let queue_of: HashMap<Uuid, Queue> = HashMap::new();
    let mut queue_of = queue_of;
    let mut rows = Vec::with_capacity(jobs.len());
    for job in jobs {
        let id = new_id(now);
        let run_at = job.run_at.unwrap_or(now);
        if run_at <= now {
            queue_of.insert(id, job.kind.queue);
        }
        rows.push(row(id, job, run_at, now));
    }
    for chunk in rows.chunks(ROWS) {
        let statement = job::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .into_query()
            .returning_col(job::Column::Id)
            .to_owned();
        for found in tx.conn().query_all(&statement).await? {
            let id: Uuid = found.try_get_by_index(0)?;
            if let Some(queue) = queue_of.get(&id) {
                fresh.entry(*queue).or_default().push(id);
            }
            all.push(id);
        }
    }
    for (queue, ids) in fresh {
        let bell = bell.clone();
        tx.after_commit(move || bell.hand_over(queue, ids));
    }
    Ok(all)
}

fn row(id: Uuid, new: NewJob, run_at: Millis, now: Millis) -> job::ActiveModel {
    job::ActiveModel {
        id: Set(id),
        queue: Set(new.kind.queue.as_str().to_owned()),
        kind: Set(new.kind.name.to_owned()),
        payload: Set(new.payload.to_string()),
        state: Set(if run_at > now { "scheduled" } else { "available" }.to_owned()),
        priority: Set(new.priority),
        lane: Set(new.lane),
        attempt: Set(0),
        max_attempts: Set(new.kind.policy.max_attempts),
        lapses: Set(0),
        isolated: Set(false),
        claimed_alone: Set(false),
        run_at: Set(run_at),
        lease_until: Set(None),
        worker: Set(None),
        fence: Set(0),
        dedupe_key: Set(new.dedupe_key),
        organization_id: Set(new.organization_id),
        connection_id: Set(new.connection_id),
        error_class: Set(None),
        error_code: Set(None),
        error_fingerprint: Set(None),
        error_message: Set(None),
        result: Set(None),
        trace_id: Set(new.trace_id),
        created_at: Set(now),
        started_at: Set(None),
        finished_at: Set(None),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use sea_orm::TryIntoModel as _;

    /// A job row as it is after its first claim.
    pub(crate) fn a_job(kind: &str) -> job::Model {
        let mut row =
            row(Uuid::from_u128(1), NewJob::new(crate::jobs::CATALOGUE.kinds[0], serde_json::json!({})), 0, 0);
        row.kind = Set(kind.to_owned());
        row.attempt = Set(1);
        row.fence = Set(1);
        row.try_into_model().unwrap()
    }
}
