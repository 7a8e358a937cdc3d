//! `conversations.reconcile_due`: has every account's conversations compared with Meta's once a day, and soon after a time in
//! which nobody was there to take webhooks: for some messages none ever comes.

use super::{Finish, HandlerError, Kind, Run, conversations_reconcile, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::outcome::Outcome;
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::clock::{DAY, MINUTE, Millis, SECOND};
use domain::connections;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "conversations.reconcile_due",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 3, timeout: Some(Duration::from_secs(600)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// How often.
pub const EVERY: Millis = DAY;
/// Over how long the looks after an outage are spread at most.
const AFTER_OUTAGE: Millis = 10 * MINUTE;
/// Looks that begin within a second, where there are few.
const LOOKS_PER_SECOND: i64 = 2;
const BATCH: u64 = 500;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    /// Nobody was there for a while.
    #[serde(default)]
    outage: bool,
}

/// The job that looks soon, after an outage.
pub(crate) fn after_outage() -> NewJob {
    NewJob::new(&KIND, json!(Payload { outage: true })).dedupe_key("reconcile:after-outage".to_owned())
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { outage } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let (spread, look): (_, fn(Uuid, Uuid) -> NewJob) =
            if outage { (AFTER_OUTAGE, conversations_reconcile::soon) } else { (EVERY, conversations_reconcile::job) };
        let ctx = ledger.context();
        let (mut after, mut looks, mut begun_with) = (Uuid::nil(), 0, 0_i64);
        loop {
            let page = connections::to_check(ctx.db.read(), after, BATCH).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let now = ledger.now();
            // No longer than so many looks need.
            let number = i64::try_from(page.len()).unwrap_or(i64::MAX);
            let within = (begun_with + number).saturating_mul(SECOND) / LOOKS_PER_SECOND;
            let within = within.clamp(1, spread);
            begun_with += number;
            let jobs = page
                .iter()
                .map(|(id, organization)| look(*id, *organization).run_at(now + rand::random_range(0..within)));
            let mut tx = ctx.db.begin().await?;
            looks += ledger.enqueue(&mut tx, jobs.collect()).await?.len();
            tx.commit().await?;
        }
        Ok(Finish::Outcome(Outcome::Completed(json!({ "looks": looks, "afterOutage": outage }))))
    })
}
