//! `accounts.check_due`: has the webhooks of every account looked at, spread over the time until the next look.

use super::{Finish, HandlerError, Kind, Run, accounts_subscribe, leave, run_again};
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::clock::{HOUR, Millis};
use domain::connections;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "accounts.check_due",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 3, timeout: Some(Duration::from_secs(600)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// How often. Meta switches an account's webhooks off after an hour of failures, without telling anybody who can act on it.
pub const EVERY: Millis = 6 * HOUR;
const BATCH: u64 = 500;

fn run<'a>(ledger: &'a Ledger, _: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let ctx = ledger.context();
        let (mut after, mut checks) = (Uuid::nil(), 0);
        loop {
            let page = connections::to_check(ctx.db.read(), after, BATCH).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let now = ledger.now();
            let jobs = page.iter().map(|(id, organization)| {
                accounts_subscribe::check(*id, *organization).run_at(now + rand::random_range(0..EVERY))
            });
            let mut tx = ctx.db.begin().await?;
            checks += ledger.enqueue(&mut tx, jobs.collect()).await?.len();
            tx.commit().await?;
        }
        Ok(Finish::Outcome(Outcome::Completed(json!({ "checks": checks }))))
    })
}
