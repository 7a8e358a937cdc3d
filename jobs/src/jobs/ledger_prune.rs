//! `ledger.prune`: deletes what has been kept long enough, in small batches so that nobody waits behind it: finished jobs,
//! bodies and records of deliveries, ended sessions, old holds and workers that are gone.

use super::{Finish, HandlerError, Kind, Run, leave, run_again};
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::clock::{DAY, Millis};
use domain::sessions;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use serde_json::json;
use std::time::Duration;

/// The kind.
pub static KIND: Kind = Kind {
    name: "ledger.prune",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 3, timeout: Some(Duration::from_secs(600)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// Rows of one statement.
const BATCH: u64 = 500;

/// What goes: a name for the result, and the statement with the two values `(older than, at most)`.
const RULES: [(&str, Age, &str); 9] = [
    (
        "completedJobs",
        Age::Completed,
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs INDEXED BY jobs_finished WHERE state = 'completed' AND state IN ('completed', 'discarded', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
    ),
    (
        "discardedJobs",
        Age::Discarded,
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs INDEXED BY jobs_finished WHERE state = 'discarded' AND state IN ('completed', 'discarded', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
    ),
    (
        "cancelledJobs",
        Age::Discarded,
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs INDEXED BY jobs_finished WHERE state = 'cancelled' AND state IN ('completed', 'discarded', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
    ),
    (
        "bodies",
        Age::Bodies,
        "UPDATE deliveries SET body = NULL WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_with_body WHERE received_at < ?1 AND body IS NOT NULL AND state <> 'received' LIMIT ?2)",
    ),
    (
        "deliveries",
        Age::Deliveries,
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE received_at < ?1 AND state <> 'received' LIMIT ?2)",
    ),
    (
        "signInFailures",
        Age::Day,
        "DELETE FROM sign_in_failures WHERE subject IN \
         (SELECT subject FROM sign_in_failures WHERE window_started_at < ?1 LIMIT ?2)",
    ),
    (
        "messageMarks",
        Age::Deliveries,
        "DELETE FROM message_marks WHERE rowid IN (SELECT rowid FROM message_marks WHERE created_at < ?1 LIMIT ?2)",
    ),
    ("holds", Age::Now, "DELETE FROM holds WHERE id IN (SELECT id FROM holds WHERE until_at < ?1 LIMIT ?2)"),
    ("workers", Age::Day, "DELETE FROM workers WHERE id IN (SELECT id FROM workers WHERE beat_at < ?1 LIMIT ?2)"),
];

#[derive(Clone, Copy, Debug)]
enum Age {
    Now,
    Day,
    Completed,
    Discarded,
    Bodies,
    Deliveries,
}

fn run<'a>(ledger: &'a Ledger, _: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let mut counts = serde_json::Map::new();
        for (name, age, statement) in RULES {
            let before = ledger.now() - keep(ledger, age);
            counts.insert(name.to_owned(), json!(sweep(ledger, statement, before).await?));
        }
        let mut ended = 0;
        loop {
            let gone = sessions::sweep(ledger.context(), BATCH).await?;
            ended += gone;
            if gone < BATCH {
                break;
            }
        }
        counts.insert("sessions".to_owned(), json!(ended));
        Ok(Finish::Outcome(Outcome::Completed(counts.into())))
    })
}

fn keep(ledger: &Ledger, age: Age) -> Millis {
    let settings = ledger.settings();
    let millis = |duration: Duration| Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
    match age {
        Age::Now => 0,
        Age::Day => DAY,
        Age::Completed => millis(settings.keep_completed),
        Age::Discarded => millis(settings.keep_discarded),
        Age::Bodies => millis(settings.keep_bodies),
        Age::Deliveries => millis(settings.keep_deliveries),
    }
}

async fn sweep(ledger: &Ledger, statement: &str, before: Millis) -> Result<u64, DbErr> {
    let mut total = 0;
    loop {
        let values: [Value; 2] = [before.into(), i64::try_from(BATCH).unwrap_or(500).into()];
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, statement, values);
        let gone = ledger.context().db.write().execute_raw(statement).await?.rows_affected();
        total += gone;
        if gone < BATCH {
            return Ok(total);
        }
        // Lets those who wait for the writer go first.
        tokio::task::yield_now().await;
    }
}
