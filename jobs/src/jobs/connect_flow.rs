//! What the jobs of one login share: opening the attempt, ending it with a code for the page, and giving it up.

use super::meta_answer::Understood;
use super::{Finish, HandlerError, Kind, payload};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::run;
use domain::audit::Actor;
use domain::clock::Millis;
use domain::connect::{self, Content, FlowError};
use domain::db::Tx;
use entities::connect_flow::Model as Flow;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{App, Asks};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payload {
    pub flow_id: Uuid,
}

/// A job of an attempt; there is one of each kind.
pub(crate) fn new_job(kind: &'static Kind, flow: &Flow) -> NewJob {
    NewJob::new(kind, json!({ "flowId": flow.id }))
        .dedupe_key(format!("{}:{}", kind.name, flow.id.simple()))
        .of(flow.organization_id)
}

/// An attempt at the stage a job works on, with its secrets open.
pub(crate) struct Attempt {
    pub flow: Flow,
    pub content: Content,
    pub asks: Asks,
    /// When the page's handle ends, and the attempt with it.
    pub ends_at: Millis,
    pub app: App,
}

impl Attempt {
    /// Opens it, or says how the job ends without it.
    pub(crate) async fn open(
        ledger: &Ledger,
        job: &Job,
        stages: &[&str],
    ) -> Result<Result<Self, Finish>, HandlerError> {
        let Payload { flow_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(Err(unreadable.into())),
        };
        let ctx = ledger.context();
        let skip = |why: &str| Ok(Err(Finish::Outcome(Outcome::Completed(json!({ "skipped": why })))));
        let Some(flow) = connect::load(ctx.db.read(), flow_id).await? else { return skip("attempt_gone") };
        if !stages.contains(&flow.stage.as_str()) {
            return skip("attempt_moved_on");
        }
        let (Some(asks), Some(ends_at)) = (connect::asks_of(&flow.asks), flow.handle_expires_at) else {
            return skip("attempt_incomplete");
        };
        let content = match Content::open(ctx, &flow) {
            Ok(content) => content,
            // A key that is missing is the operator's to mend.
            Err(error) => {
                let failure = Failure::new("vault", format!("The attempt's secrets could not be opened: {error}."));
                return Ok(Err(Finish::Outcome(Outcome::Retry(failure, Some(ends_at)))));
            }
        };
        let Some(app) = ctx.meta.app(asks.login()) else {
            let why = "App id or app secret of this login are not set.";
            return Ok(Err(end(ledger, job, &flow, End::ours("app_misconfigured", "app_configuration", why)).await?));
        };
        Ok(Ok(Self { flow, content, asks, ends_at, app }))
    }
}

/// How an attempt ends that becomes nothing.
pub(crate) struct End {
    /// A code of the callback.
    pub code: &'static str,
    /// For the owner.
    pub sentence: String,
    /// For the on-call engineer; none when the owner's own doing ended it, and the job has done its work.
    pub failure: Option<Failure>,
}

impl End {
    /// By a rule of our own, for something to be mended on our side.
    pub(crate) fn ours(code: &'static str, class: &str, sentence: &str) -> Self {
        Self { code, sentence: sentence.to_owned(), failure: Some(Failure::new(class, sentence)) }
    }

    /// By what the owner did or has.
    pub(crate) fn owners(code: &'static str, sentence: &str) -> Self {
        Self { code, sentence: sentence.to_owned(), failure: None }
    }

    /// By an error of Meta.
    pub(crate) fn meta(code: &'static str, understood: Understood) -> Self {
        Self { code, sentence: understood.classified.hint.to_owned(), failure: Some(understood.failure) }
    }
}

/// Ends the attempt and the job in one transaction.
pub(crate) async fn end(ledger: &Ledger, job: &Job, flow: &Flow, end: End) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let outcome = match end.failure {
        Some(failure) => Outcome::Discard(failure),
        None => Outcome::Completed(json!({ "ended": end.code })),
    };
    let decision = decide(job, outcome, now, 0.5);
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    connect::fail(&tx, ledger.context(), flow, Actor::Job(job.id), end.code, Some(&end.sentence)).await?;
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// What follows when the attempt could not be moved on: it has been by somebody else, or the vault refused.
pub(crate) async fn overtaken(tx: Tx, error: FlowError) -> Result<Finish, HandlerError> {
    tx.rollback().await?;
    match error {
        FlowError::Db(error) => Err(error.into()),
        FlowError::Overtaken => Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": "attempt_moved_on" })))),
        other => Err(HandlerError::Failure(Failure::new("internal", other.to_string()))),
    }
}

/// Nobody will go on with it.
pub(crate) fn given_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    failure: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        let Ok(Payload { flow_id }) = payload(job) else { return Ok(()) };
        let Some(flow) = connect::load(tx.conn(), flow_id).await? else { return Ok(()) };
        let (code, sentence) = match failure.map(|failure| failure.class.as_str()) {
            Some("transient" | "rate_limited" | "login_restart" | "timeout") => {
                ("meta_unavailable", "Meta could not be reached; please try again in a few minutes.")
            }
            _ => ("internal", "Something went wrong on our side; please try again."),
        };
        connect::fail(tx, ledger.context(), &flow, Actor::Job(job.id), code, Some(sentence)).await
    })
}
