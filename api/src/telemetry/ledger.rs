//! Figures of the ledger for readiness, metrics and the console. The states stand in the statements as literals, for only
//! then may the partial indexes answer them, and a million finished jobs cost nothing.

use domain::clock::Millis;
use entities::{queue, worker};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder,
    Statement, Value,
};
use std::collections::HashMap;

/// A worker without a sign of life for this long is not counted.
pub const BEAT_WITHIN: Millis = 15_000;

/// A queue and what is in it.
#[derive(Clone, Debug)]
pub struct QueueFigures {
    /// Its name.
    pub name: String,
    /// Nothing is taken from it.
    pub paused: bool,
    /// Since when.
    pub paused_at: Option<Millis>,
    /// Not finished and not running.
    pub waiting: i64,
    /// Running.
    pub running: i64,
    /// When the oldest job that could run now became due.
    pub oldest_due_at: Option<Millis>,
}

#[derive(FromQueryResult)]
struct Counted {
    queue: String,
    figure: i64,
}

const WAITING: &str = "SELECT queue, COUNT(*) AS figure FROM jobs \
     WHERE state IN ('scheduled', 'available', 'retryable', 'snoozed') GROUP BY queue";

const RUNNING: &str = "SELECT queue, COUNT(*) AS figure FROM jobs WHERE state = 'running' GROUP BY queue";

/// A job behind another of its lane, or of a held account, waits for a reason and is not counted as late.
const OLDEST_DUE: &str = "SELECT j.queue AS queue, MIN(j.run_at) AS figure FROM jobs j \
     WHERE j.state IN ('scheduled', 'available', 'retryable', 'snoozed') AND j.run_at <= $1 \
     AND (j.lane IS NULL OR NOT EXISTS (SELECT 1 FROM jobs b WHERE b.lane = j.lane AND b.id < j.id \
     AND b.state IN ('scheduled', 'available', 'retryable', 'snoozed', 'running'))) \
     AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.connection_id = j.connection_id AND h.until_at > $1) \
     GROUP BY j.queue";

/// Every queue by name, with its figures.
pub async fn queues(db: &impl ConnectionTrait, now: Millis) -> Result<Vec<QueueFigures>, DbErr> {
    let waiting = counted(db, WAITING, vec![]).await?;
    let running = counted(db, RUNNING, vec![]).await?;
    let oldest = counted(db, OLDEST_DUE, vec![now.into()]).await?;
    let rows = queue::Entity::find().order_by_asc(queue::Column::Name).all(db).await?;
    let figures = |row: queue::Model| QueueFigures {
        waiting: waiting.get(&row.name).copied().unwrap_or(0),
        running: running.get(&row.name).copied().unwrap_or(0),
        oldest_due_at: oldest.get(&row.name).copied(),
        name: row.name,
        paused: row.paused,
        paused_at: row.paused_at,
    };
    Ok(rows.into_iter().map(figures).collect())
}

async fn counted(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<HashMap<String, i64>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = Counted::find_by_statement(statement).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.queue, row.figure)).collect())
}

/// How long the oldest job of a queue that is not paused has been due, in milliseconds.
pub fn oldest_due_age(queues: &[QueueFigures], now: Millis) -> Millis {
    let due = queues.iter().filter(|queue| !queue.paused).filter_map(|queue| queue.oldest_due_at);
    due.min().map_or(0, |at| (now - at).max(0))
}

/// Workers that gave a sign of life lately, in whatever process.
pub async fn live_workers(db: &impl ConnectionTrait, now: Millis) -> Result<u64, DbErr> {
    worker::Entity::find()
        .filter(worker::Column::BeatAt.gte(now - BEAT_WITHIN))
        .filter(worker::Column::State.eq("running"))
        .count(db)
        .await
}

/// Messages whose sending has an unknown outcome.
pub async fn unknown_messages(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    // The partial index has three states; naming them all lets it answer.
    const UNKNOWN: &str = "SELECT 'messages' AS queue, COUNT(*) AS figure FROM messages \
         WHERE status IN ('queued', 'sending', 'unknown') AND status = 'unknown'";
    Ok(counted(db, UNKNOWN, vec![]).await?.values().copied().next().unwrap_or(0))
}
