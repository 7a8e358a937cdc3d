//! Takes due jobs for this worker: at most what it has free, never one whose queue is paused, whose account is held or whose
//! lane is taken. Each claim counts an attempt and moves the fence, so that whoever had the job before can change nothing.

use super::statements::{self, Statements};
use crate::queue::Queue;
use domain::clock::Millis;
use domain::db::{Db, Tx, is_unique_violation};
use entities::job::{self, Model as Job};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

/// Priorities in the order they are served.
const PRIORITIES: [i32; 3] = [0, 1, 2];

/// Who claims, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The queue to take from.
    pub queue: Queue,
    /// This worker's name.
    pub worker: &'a str,
    /// The present moment.
    pub now: Millis,
    /// When others may take what is claimed, unless renewed.
    pub lease_until: Millis,
    /// At most so many.
    pub limit: usize,
}

/// What a look at a queue found, without locking anything: an idle tick writes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// A due job must run alone.
    pub isolated: bool,
    /// Jobs of these priorities may run now.
    pub due: [bool; PRIORITIES.len()],
}

/// Looks at a queue: one statement.
pub async fn look(db: &Db, queue: Queue, now: Millis) -> Result<Look, DbErr> {
    let values = vec![queue.as_str().into(), now.into()];
    let statement = statements::bound(db.backend(), &statements::of(db.backend()).look, values);
    let Some(row) = db.read().query_one_raw(statement).await? else { return Ok(Look::default()) };
    let at = |column| row.try_get_by_index::<bool>(column);
    Ok(Look { isolated: at(0)?, due: [at(1)?, at(2)?, at(3)?] })
}

/// Claims due jobs, by priority and `run_at`.
pub async fn due(db: &Db, claim: Claim<'_>) -> Result<Vec<Job>, DbErr> {
    let found = look(db, claim.queue, claim.now).await?;
    due_of(db, claim, found).await
}

/// The same after a look.
pub async fn due_of(db: &Db, claim: Claim<'_>, found: Look) -> Result<Vec<Job>, DbErr> {
    if found.due == [false; PRIORITIES.len()] {
        return Ok(Vec::new());
    }
    let sql = statements::of(db.backend());
    let tx = db.begin().await?;
    let mut ids = Vec::new();
    for (priority, due) in PRIORITIES.into_iter().zip(found.due) {
        let room = i64::try_from(claim.limit - ids.len()).unwrap_or(i64::MAX);
        if due && room > 0 {
            let values = vec![claim.queue.as_str().into(), claim.now.into(), priority.into(), room.into()];
            ids.extend(ids_of(tx.conn(), &sql.due, values).await?);
        }
    }
    take(tx, sql, claim, &ids, false).await
}

/// Claims those of the jobs handed over that may run; the others are found by a later look.
pub async fn handed_over(db: &Db, claim: Claim<'_>, ids: &[Uuid]) -> Result<Vec<Job>, DbErr> {
    let sql = statements::of(db.backend());
    let tx = db.begin().await?;
    let values = vec![claim.queue.as_str().into(), claim.now.into(), statements::ids(db.backend(), ids)];
    let ids = ids_of(tx.conn(), &sql.due_by_id, values).await?;
    take(tx, sql, claim, &ids, false).await
}

/// Claims one job that must run alone. The caller has made sure that nothing else runs in this process.
pub async fn isolated(db: &Db, claim: Claim<'_>) -> Result<Vec<Job>, DbErr> {
    let sql = statements::of(db.backend());
    let tx = db.begin().await?;
    let values = vec![claim.queue.as_str().into(), claim.now.into()];
    let ids = ids_of(tx.conn(), &sql.due_isolated, values).await?;
    take(tx, sql, claim, &ids, true).await
}

async fn ids_of(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Vec<Uuid>, DbErr> {
    let statement = statements::bound(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

async fn take(tx: Tx, sql: &Statements, claim: Claim<'_>, ids: &[Uuid], alone: bool) -> Result<Vec<Job>, DbErr> {
    if ids.is_empty() {
        tx.rollback().await?;
        return Ok(Vec::new());
    }
    let backend = tx.conn().get_database_backend();
    let values = vec![
        claim.now.into(),
        claim.lease_until.into(),
        claim.worker.into(),
        statements::ids(backend, ids),
        alone.into(),
    ];
    let rows = match tx.conn().query_all_raw(statements::bound(backend, sql.take, values)).await {
        Ok(rows) => rows,
        // Two jobs of one lane fell due in the same moment for two workers (an operator's retry beside the next one): the
        // key lets one run, and the next look sees it.
        Err(error) if is_unique_violation(&error) => {
            tracing::info!(queue = claim.queue.as_str(), "a lane was just taken; looking again");
            tx.rollback().await?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut jobs = rows.iter().map(|row| Job::from_query_result(row, "")).collect::<Result<Vec<_>, _>>()?;
    tx.commit().await?;
    jobs.sort_by_key(|job: &job::Model| (job.priority, job.run_at, job.id));
    Ok(jobs)
}
