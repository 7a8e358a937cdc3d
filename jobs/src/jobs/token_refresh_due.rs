//! `token.refresh_due`: once a day, one job for every token that ends soon, the earliest end first. It goes through them page
//! by page, so that a million connections cost no memory, and running it twice makes no second job.

use super::{Finish, HandlerError, Kind, Run, leave, run_again, token_refresh};
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use domain::connections;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use serde_json::json;
use std::time::Duration;

/// The kind.
pub static KIND: Kind = Kind {
    name: "token.refresh_due",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 5, timeout: Some(Duration::from_secs(600)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

const BATCH: u64 = 500;

fn run<'a>(ledger: &'a Ledger, _: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let ctx = ledger.context();
        let before = ledger.now().saturating_add(ctx.settings.refresh_ahead);
        let (mut after, mut due, mut made) = (None, 0, 0);
        loop {
            let page = connections::ending(ctx.db.read(), ledger.now(), before, after, BATCH).await?;
            let Some((id, _, end)) = page.last() else { break };
            after = Some((*end, *id));
            due += page.len();
            let jobs = page.iter().map(|(id, organization, _)| token_refresh::job(*id, *organization)).collect();
            let mut tx = ctx.db.begin().await?;
            made += ledger.enqueue(&mut tx, jobs).await?.len();
            tx.commit().await?;
        }
        Ok(Finish::Outcome(Outcome::Completed(json!({ "due": due, "jobs": made }))))
    })
}
