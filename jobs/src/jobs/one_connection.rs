//! What the jobs that serve one connected account begin with: the account their payload names, as it is now.

use super::{Finish, HandlerError, payload};
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use entities::connection;
use entities::job::Model as Job;
use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    pub connection_id: Uuid,
}

/// The account of a job, or how the job ends without one.
pub(super) async fn connection_of(
    ledger: &Ledger,
    job: &Job,
) -> Result<Result<connection::Model, Finish>, HandlerError> {
    let Payload { connection_id } = match payload(job) {
        Ok(payload) => payload,
        Err(unreadable) => return Ok(Err(unreadable.into())),
    };
    let found = connection::Entity::find_by_id(connection_id).one(ledger.context().db.read()).await?;
    Ok(found.ok_or_else(|| skipped("connection_gone")))
}

/// There is nothing to do, and why.
pub(super) fn skipped(why: &str) -> Finish {
    Finish::Outcome(Outcome::Completed(json!({ "skipped": why })))
}
