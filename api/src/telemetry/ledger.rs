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

/// The priorities the ledger uses.
const PRIORITIES: std::ops::RangeInclusive<i32> = 0..=2;

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

/// The oldest job that could run now, by the rule of the claim: a job behind another of its lane, or of a held account,
/// waits for a reason and is not late. One statement for each queue and priority, for then the index gives the oldest first
/// and a long backlog is not read.
const OLDEST_DUE: &str = "SELECT j.queue AS queue, j.run_at AS figure FROM jobs AS j \
     WHERE j.queue = $1 AND j.priority = $2 AND j.run_at <= $3 \
     AND j.state IN ('scheduled', 'available', 'retryable', 'snoozed') \
     AND NOT EXISTS (SELECT 1 FROM holds AS h WHERE $1 = 'send' AND h.subject = 'app' AND h.until_at > $3) \
     AND (j.connection_id IS NULL OR NOT EXISTS \
          (SELECT 1 FROM holds AS h WHERE h.connection_id = j.connection_id AND h.until_at > $3)) \
     AND (j.lane IS NULL OR NOT EXISTS \
          (SELECT 1 FROM jobs AS o WHERE o.lane = j.lane AND o.lane IS NOT NULL AND o.id <> j.id \
           AND o.state IN ('scheduled', 'available', 'retryable', 'snoozed', 'running') \
           AND (o.state = 'running' OR (o.id < j.id AND o.state <> 'scheduled')))) \
     ORDER BY j.run_at, j.id LIMIT 1";

/// Every queue by name, with its figures.
pub async fn queues(db: &impl ConnectionTrait, now: Millis) -> Result<Vec<QueueFigures>, DbErr> {
    let waiting = counted(db, WAITING, vec![]).await?;
    let running = counted(db, RUNNING, vec![]).await?;
    let rows = queue::Entity::find().order_by_asc(queue::Column::Name).all(db).await?;
    let oldest = oldest_due(db, &rows, now).await?;
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

async fn oldest_due(
    db: &impl ConnectionTrait,
    queues: &[queue::Model],
    now: Millis,
) -> Result<HashMap<String, Millis>, DbErr> {
    let mut oldest: HashMap<String, Millis> = HashMap::new();
    for queue in queues {
        for priority in PRIORITIES {
            let values = vec![queue.name.clone().into(), priority.into(), now.into()];
            for (name, at) in counted(db, OLDEST_DUE, values).await? {
                oldest.entry(name).and_modify(|known| *known = at.min(*known)).or_insert(at);
            }
        }
    }
    Ok(oldest)
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
