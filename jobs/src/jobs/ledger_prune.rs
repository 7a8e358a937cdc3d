//! `ledger.prune`: deletes what has been kept long enough, in small batches so that nobody waits behind it: finished jobs,
//! bodies and records of deliveries, ended sessions, keys of requests, attempts to connect accounts, old holds and workers that are gone.

use super::{Finish, HandlerError, Kind, Run, leave, run_again};
use crate::ledger::Ledger;
use crate::ledger::statements::{self, Prune};
use crate::outcome::Outcome;
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::clock::{DAY, Millis};
use domain::sessions;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbErr};
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

/// One of the statements that delete.
type Which = fn(&Prune) -> &'static str;

/// What goes: a name for the result, how long it is kept, and the statement.
const RULES: [(&str, Age, Which); 11] = [
    ("completedJobs", Age::Completed, |prune| prune.completed_jobs),
    ("discardedJobs", Age::Discarded, |prune| prune.discarded_jobs),
    ("cancelledJobs", Age::Discarded, |prune| prune.cancelled_jobs),
    ("bodies", Age::Bodies, |prune| prune.bodies),
    ("deliveries", Age::Deliveries, |prune| prune.deliveries),
    ("signInFailures", Age::Day, |prune| prune.sign_in_failures),
    ("connectFlows", Age::Day, |prune| prune.connect_flows),
    ("messageMarks", Age::Deliveries, |prune| prune.message_marks),
    ("idempotencyKeys", Age::Day, |prune| prune.idempotency_keys),
    ("holds", Age::Now, |prune| prune.holds),
    ("workers", Age::Day, |prune| prune.workers),
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
        let prune = &statements::of(ledger.context().db.backend()).prune;
        for (name, age, which) in RULES {
            let before = ledger.now() - keep(ledger, age);
            counts.insert(name.to_owned(), json!(sweep(ledger, which(prune), before).await?));
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
    let db = &ledger.context().db;
    let mut total = 0;
    loop {
        let values = vec![before.into(), i64::try_from(BATCH).unwrap_or(500).into()];
        let gone = db.write().execute_raw(statements::bound(db.backend(), statement, values)).await?.rows_affected();
        total += gone;
        if gone < BATCH {
            return Ok(total);
        }
        // Lets those who wait for the writer go first.
        tokio::task::yield_now().await;
    }
}
