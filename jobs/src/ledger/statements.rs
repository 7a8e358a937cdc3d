//! The hot or locking statements, by name: what they do and the values they take. Their texts stand side by side in
//! `sqlite.rs` and `postgres.rs`, because each database needs another way to be kept on one plan and to lock.

use super::{postgres, sqlite};
use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

/// The statements for one database. Those that take ids take them as one value, made by [`ids`].
#[derive(Debug)]
pub struct Statements {
    /// Is there a due job that must run alone, and one that may run now of priority 0, 1 and 2? Four truth values; locks
    /// nothing. Values: queue, now.
    pub look: String,
    /// Ids of due jobs of one queue and priority that may run now, oldest first; locks what it finds, and passes over what
    /// others have locked. Values: queue, now, priority, limit.
    pub due: String,
    /// The id of a due job that must run alone, locking. Values: queue, now.
    pub due_isolated: String,
    /// Which of the jobs handed over may run now, locking. Values: queue, now, ids.
    pub due_by_id: String,
    /// Takes the jobs named. Values: now, lease end, worker, ids, alone.
    pub take: &'static str,
    /// Renews what this worker still holds and tells what that is. Values: lease end, worker, ids.
    pub renew: &'static str,
    /// Running jobs whose lease has lapsed. Values: now, limit.
    pub lapsed: &'static str,
    /// The same, locking.
    pub lapsed_locking: &'static str,
    /// How many jobs a worker was running when it fell silent: those it still holds, and those of it that have lapsed
    /// before. Values: worker.
    pub company_of: &'static str,
    /// Locks those of the jobs named that a worker still holds, and tells which. Values: ids.
    pub still_running: &'static str,
    /// Makes the waiting sends of an account fall due one after the other from a moment on. Values: connection, moment,
    /// spread in milliseconds.
    pub spread: &'static str,
    /// Makes the snoozed jobs of an account fall due. Values: connection, now.
    pub wake: &'static str,
    /// What has been kept long enough.
    pub prune: Prune,
}

/// Deletes of what has been kept long enough. Values of each: older than, at most so many.
#[derive(Debug)]
pub struct Prune {
    /// Jobs that succeeded.
    pub completed_jobs: &'static str,
    /// Jobs that were given up.
    pub discarded_jobs: &'static str,
    /// Jobs that somebody cancelled.
    pub cancelled_jobs: &'static str,
    /// Bodies of deliveries; the deliveries stay.
    pub bodies: &'static str,
    /// Deliveries, with what became of their events.
    pub deliveries: &'static str,
    /// Counters of failed sign-ins.
    pub sign_in_failures: &'static str,
    /// Attempts to connect accounts.
    pub connect_flows: &'static str,
    /// Marks of messages that never came.
    pub message_marks: &'static str,
    /// Keys of requests; the same key may be used anew.
    pub idempotency_keys: &'static str,
    /// Holds that are over.
    pub holds: &'static str,
    /// Workers that are gone.
    pub workers: &'static str,
}

/// The statements of a database.
pub fn of(backend: DbBackend) -> &'static Statements {
    match backend {
        DbBackend::Postgres => &postgres::STATEMENTS,
        _ => &sqlite::STATEMENTS,
    }
}

/// A statement with its values.
pub fn bound(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// Ids as one value however many there are, so that the statement's text is always the same: an array, or on SQLite a JSON
/// array of hex strings.
pub fn ids(backend: DbBackend, ids: &[Uuid]) -> Value {
    match backend {
        DbBackend::Postgres => {
            let ids = ids.iter().map(|id| Value::from(*id)).collect();
            Value::Array(ArrayType::Uuid, Some(Box::new(ids)))
        }
        _ => {
            let quoted: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.simple())).collect();
            format!("[{}]", quoted.join(",")).into()
        }
    }
}
