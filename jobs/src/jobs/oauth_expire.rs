//! `oauth.expire`: wipes what an attempt kept sealed, when its ten minutes are over.

use super::connect_flow::{Payload, new_job};
use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::outcome::Outcome;
use crate::policy::STANDARD;
use crate::queue::Queue;
use domain::clock::Millis;
use domain::connect;
use entities::connect_flow::Model as Flow;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use serde_json::json;

/// The kind.
pub static KIND: Kind = Kind {
    name: "oauth.expire",
    queue: Queue::Maintenance,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// The job that wipes an attempt at `at`.
pub fn job(flow: &Flow, at: Millis) -> NewJob {
    new_job(&KIND, flow).run_at(at)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { flow_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let tx = ledger.context().db.begin().await?;
        let wiped = connect::expire(&tx, ledger.context(), flow_id).await?;
        tx.commit().await?;
        Ok(Finish::Outcome(Outcome::Completed(json!({ "wiped": wiped }))))
    })
}
