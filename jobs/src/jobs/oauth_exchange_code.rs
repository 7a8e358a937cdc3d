//! `oauth.exchange_code`: turns the code of a login into a token, with one call. A code works once, so only a call that
//! provably never left is made again; after anything else the person must start the login anew.

use super::{Finish, HandlerError, Kind, Lapse, Run, connect_flow, oauth_fetch_accounts, payload};
use crate::failpoint;
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{SettleError, settle, still_held};
use crate::outcome::{Decision, Failure, Outcome, decide};
use crate::policy::Policy;
use crate::queue::Queue;
use crate::run;
use connect_flow::{Attempt, End, end};
use domain::audit::Actor;
use domain::connect::{self, Content};
use domain::db::{Tx, is_unavailable};
use entities::connect_flow::Model as Flow;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{Cause, Classified, ErrorClass, GraphError, Operation, classify};
use sea_orm::DbErr;
use serde_json::json;
use std::time::Duration;

use super::meta_answer::understand;

/// The kind. It bounds itself, for a time-out would throw Meta's answer away.
pub static KIND: Kind = Kind {
    name: "oauth.exchange_code",
    queue: Queue::Interactive,
    policy: Policy { max_attempts: 6, timeout: None, cancellable: false },
    run: Run::One(run),
    on_lapse,
    on_given_up: connect_flow::given_up,
};

/// Between tries to write down an answer while the database is away.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// The job that exchanges the code of an attempt.
pub fn job(flow: &Flow) -> NewJob {
    connect_flow::new_job(&KIND, flow)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let attempt = match Attempt::open(ledger, job, &["exchanging", "asking"]).await? {
            Ok(attempt) => attempt,
            Err(finish) => return Ok(finish),
        };
        if attempt.flow.stage == "asking" {
            // An earlier try broke off with the code on its way (a defect: every answer is written down).
            let why = "The login was interrupted; please start again.";
            return end(ledger, job, &attempt.flow, End::ours("code_invalid", "internal", why)).await;
        }
        let Attempt { flow, content, asks, ends_at, app } = &attempt;
        if ledger.now() >= *ends_at {
            let why = "The login took too long; please start again.";
            return end(ledger, job, flow, End::owners("code_expired", why)).await;
        }
        let Some(code) = &content.code else {
            return end(ledger, job, flow, End::ours("code_invalid", "internal", "There is no code.")).await;
        };
        if let Some(overtaken) = ask(ledger, job, flow).await? {
            return Ok(overtaken);
        }
        let exchanged = ledger.context().meta.exchange_code(asks.login(), app, code, &flow.redirect_uri).await;
        failpoint::hit("oauth.code_exchanged", "");
        match exchanged {
            Ok(token) => {
                let content = Content {
                    code: None,
                    token: Some(token.token),
                    app_scoped_id: token.user_id,
                    granted: token.permissions,
                    candidates: Vec::new(),
                };
                write_down(ledger, job, flow, &content).await
            }
            Err(error) if error.cause == Cause::Connect => {
                let understood = understand(Operation::CodeExchange, &error);
                let tx = ledger.context().db.begin().await?;
                still_held(&tx, [job]).await?;
                if let Err(error) = connect::not_asked(&tx, flow).await {
                    return connect_flow::overtaken(tx, error).await;
                }
                tx.commit().await?;
                Ok(Finish::Outcome(Outcome::Retry(understood.failure, Some(*ends_at))))
            }
            Err(error) => refused(ledger, job, flow, &error).await,
        }
    })
}

/// Commits that the code is about to leave; something when the job ends without it.
async fn ask(ledger: &Ledger, job: &Job, flow: &Flow) -> Result<Option<Finish>, HandlerError> {
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    match connect::ask(&tx, ledger.context(), flow).await {
        Ok(()) => tx.commit().await?,
        Err(error) => return connect_flow::overtaken(tx, error).await.map(Some),
    }
    Ok(None)
}

async fn refused(ledger: &Ledger, job: &Job, flow: &Flow, error: &GraphError) -> Result<Finish, HandlerError> {
    let understood = understand(Operation::CodeExchange, error);
    end(ledger, job, flow, End::meta(code_for(&understood.classified, error), understood)).await
}

/// What the page is told of an exchange that led to nothing.
fn code_for(classified: &Classified, error: &GraphError) -> &'static str {
    let answered = matches!(error.cause, Cause::Graph | Cause::Instagram)
        && error.http_status.is_none_or(|status| status < 500 && status != 429)
        && !error.is_transient
        && error.code != Some(2)
        // As any other call would see it: this one is never repeated, whatever the limit.
        && classify(Operation::ReadAccounts, error).class != ErrorClass::RateLimited;
    match classified.class {
        ErrorClass::AppConfiguration => "app_misconfigured",
        // api.instagram.com has no number for it.
        _ if error.cause == Cause::Instagram && error.message.contains("expired") => "code_expired",
        _ if error.subcode == Some(36007) => "code_expired",
        _ if answered => "code_invalid",
        _ => "meta_unavailable",
    }
}

/// The token exists here and nowhere else, so this does not give up while the database is away.
async fn write_down(ledger: &Ledger, job: &Job, flow: &Flow, content: &Content) -> Result<Finish, HandlerError> {
    loop {
        match try_write_down(ledger, job, flow, content).await {
            Ok(finish) => return Ok(finish),
            Err(HandlerError::Settle(SettleError::Db(error))) if is_unavailable(&error) => {
                tracing::warn!(%error, job = %job.id, "the database is away; keeping the token until it is back");
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn try_write_down(ledger: &Ledger, job: &Job, flow: &Flow, content: &Content) -> Result<Finish, HandlerError> {
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    match connect::exchanged(&tx, ledger.context(), flow, content).await {
        Ok(()) => {}
        Err(error) => return connect_flow::overtaken(tx, error).await,
    }
    ledger.enqueue(&mut tx, vec![oauth_fetch_accounts::job(flow).trace(job.trace_id.clone())]).await?;
    let decision = decide(job, Outcome::Completed(json!({ "exchanged": true })), ledger.now(), 0.5);
    settle(&tx, job, &decision, ledger.now()).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// A worker died while it had this job: the code may be spent, and is not tried a second time.
fn on_lapse<'a>(ledger: &'a Ledger, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Lapse, DbErr>> {
    Box::pin(async move {
        let Ok(connect_flow::Payload { flow_id }) = payload(job) else { return Ok(Lapse::RunAgain) };
        let sentence = "The login was interrupted; please start again.";
        if let Some(flow) = connect::load(tx.conn(), flow_id).await? {
            let actor = Actor::Job(job.id);
            connect::fail(tx, ledger.context(), &flow, actor, "code_invalid", Some(sentence)).await?;
        }
        Ok(Lapse::Settle(Box::new(Decision {
            state: "discarded",
            run_at: None,
            attempt: job.attempt,
            failure: Some(Failure::new("lapsed", "The worker stopped while it was exchanging the code.")),
            result: None,
            attempt_outcome: Some("lapsed"),
        })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_meta_had_no_time_for_is_not_called_invalid() {
        for (status, code, expected) in [
            (400, 100, "code_invalid"),
            (400, 4, "meta_unavailable"),
            (403, 613, "meta_unavailable"),
            (400, 80002, "meta_unavailable"),
            (429, 100, "meta_unavailable"),
            (500, 100, "meta_unavailable"),
            (400, 2, "meta_unavailable"),
            (400, 101, "app_misconfigured"),
        ] {
            let error = GraphError { code: Some(code), ..GraphError::new(Cause::Graph, Some(status), "") };
            let classified = classify(Operation::CodeExchange, &error);
            assert_eq!(code_for(&classified, &error), expected, "{status} {code}");
        }
    }
}
