//! `accounts.save`: the accounts a person chose become connections, or the choice is refused with a reason. All in one
//! transaction with the handle's use, so that a plan that is full costs the person nothing but another choice.

use super::{Finish, HandlerError, Kind, Run, accounts_subscribe, leave, payload, run_again, webhook_process};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::operate::wake_connection;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use domain::OrganizationId;
use domain::audit::Actor;
use domain::connect::{self, SaveError, Saved, Selection};
use domain::id::IdKind;
use domain::plans::PlanRefusal;
use entities::connect_flow::Model as Flow;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "accounts.save",
    queue: Queue::Interactive,
    policy: Policy { timeout: Some(Duration::from_secs(120)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    flow_id: Uuid,
    account_ids: Vec<String>,
}

/// What came of it, as the job's result says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SaveResult {
    /// The connections, by id.
    Connections(Vec<Uuid>),
    /// Not taken.
    Refused(Refused),
}

/// Why a choice was not taken.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// `connect_token_invalid`, `unknown_account`, `plan_required`, `plan_limit`, `subscription_inactive` or
    /// `account_connected_elsewhere`.
    pub code: String,
    /// A sentence for the owner.
    pub detail: String,
    /// The smallest plan that would allow it.
    pub required_plan: Option<String>,
}

/// What stands for the same choice of the same attempt while its job is unfinished.
pub fn dedupe_key(flow: &Flow, selection: &Selection) -> String {
    let hash: String = selection.hash().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("save:{}:{hash}", flow.id.simple())
}

/// The job that saves a choice.
pub fn job(flow: &Flow, selection: &Selection) -> NewJob {
    NewJob::new(&KIND, json!({ "flowId": flow.id, "accountIds": selection.ids() }))
        .dedupe_key(dedupe_key(flow, selection))
        .of(flow.organization_id)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { flow_id, account_ids } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let Some(selection) = Selection::new(account_ids) else {
            let failure = Failure::new("internal", "Nothing was chosen.");
            return Ok(Finish::Outcome(Outcome::Discard(failure)));
        };
        let ctx = ledger.context();
        let Some(flow) = connect::load(ctx.db.read(), flow_id).await? else {
            return Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": "attempt_gone" }))));
        };
        let mut tx = ctx.db.begin().await?;
        still_held(&tx, [job]).await?;
        let saved = connect::save(&tx, ctx, flow_id, &selection, Actor::User(flow.user_id)).await;
        let Saved { connections, fresh } = match saved {
            Ok(saved) => saved,
            Err(error) => {
                tx.rollback().await?;
                return refuse(ledger, job, &flow, error).await;
            }
        };
        if fresh {
            let subscribe = connections.iter().map(|one| accounts_subscribe::job(one).trace(job.trace_id.clone()));
            ledger.enqueue(&mut tx, subscribe.collect()).await?;
            // What waited for its token is sent, and what came before the account had an owner is read again. That comes last, for
            // on Postgres it keeps others from writing outcomes meanwhile.
            for connection in &connections {
                wake_connection(&tx, connection.id, ledger.now()).await?;
            }
            for connection in &connections {
                webhook_process::reroute(ledger, &mut tx, &connection.platform, &connection.external_id).await?;
            }
        }
        let result = SaveResult::Connections(connections.iter().map(|connection| connection.id).collect());
        let decision = decide(job, Outcome::Completed(json!(result)), ledger.now(), 0.5);
        settle(&tx, job, &decision, ledger.now()).await?;
        tx.commit().await?;
        run::log(job, &decision);
        Ok(Finish::Settled)
    })
}

async fn refuse(ledger: &Ledger, job: &Job, flow: &Flow, error: SaveError) -> Result<Finish, HandlerError> {
    let detail = error.to_string();
    let is_plan = matches!(error, SaveError::Plan(_));
    let (code, required_plan) = match error {
        SaveError::Db(error) => return Err(error.into()),
        SaveError::Vault(_) | SaveError::Connect(_) => {
            return Ok(Finish::Outcome(Outcome::Discard(Failure::new("internal", detail))));
        }
        SaveError::HandleInvalid => ("connect_token_invalid", None),
        SaveError::UnknownAccount(_) | SaveError::Unusable { .. } => ("unknown_account", None),
        SaveError::Elsewhere(_) => ("account_connected_elsewhere", None),
        SaveError::Plan(PlanRefusal::SubscriptionInactive) => ("subscription_inactive", None),
        SaveError::Plan(PlanRefusal::PlanRequired { needed, .. }) => ("plan_required", needed),
        SaveError::Plan(PlanRefusal::PlanLimit { needed, .. }) => ("plan_limit", needed),
        SaveError::Plan(PlanRefusal::FeatureRequired { needed, .. }) => ("feature_required", needed),
    };
    let ctx = ledger.context();
    let tx = ctx.db.begin().await?;
    still_held(&tx, [job]).await?;
    let organization = OrganizationId(flow.organization_id);
    let actor = Actor::User(flow.user_id);
    // Sentences about accounts name them, and the trail outlives the accounts' data.
    let noted = Some(detail.as_str()).filter(|_| is_plan);
    connect::refused(&tx, ctx, organization, actor, &flow.platform, code, noted).await?;
    let result = SaveResult::Refused(Refused { code: code.to_owned(), detail, required_plan });
    let decision = decide(job, Outcome::Completed(json!(result)), ledger.now(), 0.5);
    settle(&tx, job, &decision, ledger.now()).await?;
    tx.commit().await?;
    tracing::info!(job = %IdKind::Job.show(job.id), code, "a choice of accounts was refused");
    run::log(job, &decision);
    Ok(Finish::Settled)
}
