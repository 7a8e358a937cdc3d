//! Takes due jobs for this worker: at most what it has free, never one whose queue is paused, whose account is held or whose
//! lane is taken. Each claim counts an attempt and moves the fence, so that whoever had the job before can change nothing.

use super::{hex_list, sqlite};
use crate::queue::Queue;
use domain::clock::Millis;
use domain::db::Db;
use entities::job::{self, Model as Job};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, Value};
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

fn statement(sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// Claims due jobs, by priority and `run_at`. Looks before it locks, so that an idle tick writes nothing.
pub async fn due(db: &Db, claim: Claim<'_>) -> Result<Vec<Job>, DbErr> {
    if candidates(db.read(), claim, 1).await?.is_empty() {
        return Ok(Vec::new());
    }
    let tx = db.begin().await?;
    let ids = candidates(tx.conn(), claim, claim.limit).await?;
    let jobs = take(tx.conn(), claim, &ids, false).await?;
    tx.commit().await?;
    Ok(jobs)
}

/// Claims those of the jobs handed over that may run; the others are found by a later look.
pub async fn handed_over(db: &Db, claim: Claim<'_>, ids: &[Uuid]) -> Result<Vec<Job>, DbErr> {
    let tx = db.begin().await?;
    let values = vec![claim.queue.as_str().into(), claim.now.into(), hex_list(ids).into()];
    let ids = ids_of(tx.conn(), statement(&sqlite::DUE_BY_ID, values)).await?;
    let jobs = take(tx.conn(), claim, &ids, false).await?;
    tx.commit().await?;
    Ok(jobs)
}

/// Is there a due job that must run alone?
pub async fn isolated_waits(db: &Db, queue: Queue, now: Millis) -> Result<bool, DbErr> {
    let values = vec![queue.as_str().into(), now.into()];
    Ok(!ids_of(db.read(), statement(&sqlite::DUE_ISOLATED, values)).await?.is_empty())
}

/// Claims one job that must run alone. The caller has made sure that nothing else runs in this process.
pub async fn isolated(db: &Db, claim: Claim<'_>) -> Result<Vec<Job>, DbErr> {
    let tx = db.begin().await?;
    let values = vec![claim.queue.as_str().into(), claim.now.into()];
    let ids = ids_of(tx.conn(), statement(&sqlite::DUE_ISOLATED, values)).await?;
    let jobs = take(tx.conn(), claim, &ids, true).await?;
    tx.commit().await?;
    Ok(jobs)
}

async fn candidates(db: &impl ConnectionTrait, claim: Claim<'_>, limit: usize) -> Result<Vec<Uuid>, DbErr> {
    let mut ids = Vec::new();
    for priority in PRIORITIES {
        let room = i64::try_from(limit - ids.len()).unwrap_or(i64::MAX);
        let values = vec![claim.queue.as_str().into(), claim.now.into(), priority.into(), room.into()];
        ids.extend(ids_of(db, statement(&sqlite::DUE, values)).await?);
        if ids.len() >= limit {
            break;
        }
    }
    Ok(ids)
}

async fn ids_of(db: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Uuid>, DbErr> {
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

async fn take(db: &impl ConnectionTrait, claim: Claim<'_>, ids: &[Uuid], alone: bool) -> Result<Vec<Job>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let values =
        vec![claim.now.into(), claim.lease_until.into(), claim.worker.into(), hex_list(ids).into(), alone.into()];
    let rows = db.query_all_raw(statement(sqlite::TAKE, values)).await?;
    let mut jobs = rows.iter().map(|row| Job::from_query_result(row, "")).collect::<Result<Vec<_>, _>>()?;
    jobs.sort_by_key(|job: &job::Model| (job.priority, job.run_at, job.id));
    Ok(jobs)
}
