//! Runs claimed jobs: catches panics and time-outs inside, turns what the handler says into the job's next state, and does
//! not give up settling while only the database is away.

use crate::failpoint;
use crate::jobs::{Finish, HandlerError, Run};
use crate::ledger::Ledger;
use crate::ledger::lease::Lease;
use crate::ledger::settle::{SettleError, settle};
use crate::outcome::{Decision, Failure, Outcome, decide};
use crate::policy::Policy;
use domain::db::is_unavailable;
use entities::job::Model as Job;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Between tries to settle while the database is away.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// Runs one job to its settlement.
pub(crate) async fn one(ledger: &Ledger, job: &Job, lease: &Lease) {
    let Some((kind, Run::One(handler))) = ledger.kind(&job.kind).map(|kind| (kind, &kind.run)) else {
        return settle_outcome(ledger, job, lease, unknown_kind(job)).await;
    };
    failpoint::hit("job.handler", &job.kind);
    let began = std::time::Instant::now();
    let guarded = guarded(&kind.policy, handler(ledger, job));
    let finish = if kind.policy.cancellable {
        tokio::select! {
            finish = guarded => finish,
            () = lease.overtaken() => return tracing::info!(job = %job.id, kind = job.kind, "stopped: the job is no longer ours"),
        }
    } else {
        guarded.await
    };
    metrics::histogram!("retail_assist_job_seconds", "kind" => kind.name).record(began.elapsed().as_secs_f64());
    match finish {
        Ok(Finish::Settled) => {}
        Ok(Finish::Outcome(outcome)) => settle_outcome(ledger, job, lease, outcome).await,
        Err(HandlerError::Settle(SettleError::Overtaken)) => {
            tracing::warn!(job = %job.id, kind = job.kind, "overtaken: its effects were rolled back");
        }
        Err(HandlerError::Settle(SettleError::Db(error))) => {
            settle_outcome(ledger, job, lease, Outcome::Retry(database_failure(&error), None)).await;
        }
        Err(HandlerError::Failure(failure)) => {
            settle_outcome(ledger, job, lease, Outcome::Retry(failure, None)).await;
        }
    }
    ledger.finished().announce(job.id);
    failpoint::hit("job.settled", &job.kind);
}

/// Runs a batch of jobs of a whole-batch kind; the handler settles each.
pub(crate) async fn batch(ledger: &Ledger, jobs: &[(Job, Lease)]) {
    let (batch, strangers): (Vec<_>, Vec<_>) =
        jobs.iter().partition(|(job, _)| matches!(ledger.kind(&job.kind).map(|k| &k.run), Some(Run::Batch(_))));
    for (job, lease) in strangers {
        one(ledger, job, lease).await;
    }
    let Some((kind, Run::Batch(handler))) =
        batch.first().and_then(|(job, _)| ledger.kind(&job.kind)).map(|kind| (kind, &kind.run))
    else {
        return;
    };
    let rows: Vec<Job> = batch.iter().map(|(job, _)| job.clone()).collect();
    failpoint::hit("job.handler", kind.name);
    let unsettled = match guarded(&kind.policy, async { Ok(handler(ledger, &rows).await) }).await {
        Ok(unsettled) => unsettled,
        // A panic or time-out says nothing about which job it was: each is tried again by itself.
        Err(error) => rows.iter().map(|job| (job.id, Outcome::Retry(error.failure(), None))).collect(),
    };
    for (job, lease) in batch {
        if let Some((_, outcome)) = unsettled.iter().find(|(id, _)| *id == job.id) {
            settle_outcome(ledger, job, lease, outcome.clone()).await;
        }
        ledger.finished().announce(job.id);
    }
    failpoint::hit("job.settled", kind.name);
}

/// Jobs of kinds this program does not know: a newer program made them, so they are kept for it and not discarded.
pub(crate) async fn unknown_kinds(ledger: &Ledger, jobs: &[(Job, Lease)]) {
    for (job, lease) in jobs {
        settle_outcome(ledger, job, lease, unknown_kind(job)).await;
    }
}

fn unknown_kind(job: &Job) -> Outcome {
    Outcome::Retry(Failure::new("internal", format!("This program does not know jobs of kind {}.", job.kind)), None)
}

async fn guarded<T>(policy: &Policy, run: impl Future<Output = Result<T, HandlerError>>) -> Result<T, HandlerError> {
    match tokio::time::timeout(policy.timeout, AssertUnwindSafe(run).catch_unwind()).await {
        Ok(Ok(finish)) => finish,
        // The panic's text may hold anything; the panic hook has logged where it was.
        Ok(Err(_panic)) => Err(HandlerError::Failure(Failure::new("panic", "The handler panicked; see the log."))),
        Err(_elapsed) => {
            let message = format!("The try took longer than {} s.", policy.timeout.as_secs());
            Err(HandlerError::Failure(Failure::new("timeout", message)))
        }
    }
}

fn database_failure(error: &sea_orm::DbErr) -> Failure {
    tracing::error!(%error, "a job met a database error");
    Failure::new("database", "The database refused a statement; see the log.")
}

/// Settles by itself, for handlers without effects of their own. While only the database is away the answer is kept and
/// written when it is back, unless the job has been taken meanwhile.
pub(crate) async fn settle_outcome(ledger: &Ledger, job: &Job, lease: &Lease, outcome: Outcome) {
    let decision = decide(job, outcome, ledger.now(), rand::random::<f64>());
    log(job, &decision);
    loop {
        match try_settle(ledger, job, &decision).await {
            Ok(()) => return,
            Err(SettleError::Overtaken) => {
                return tracing::warn!(job = %job.id, kind = job.kind, "overtaken: the settlement was not written");
            }
            Err(SettleError::Db(error)) if is_unavailable(&error) => {
                tracing::warn!(%error, job = %job.id, "the database is away; settling again shortly");
                tokio::select! {
                    () = tokio::time::sleep(SETTLE_PAUSE) => {}
                    () = lease.overtaken() => return,
                }
            }
            Err(SettleError::Db(error)) => {
                return tracing::error!(%error, job = %job.id, "the settlement was refused; the lease will lapse");
            }
        }
    }
}

async fn try_settle(ledger: &Ledger, job: &Job, decision: &Decision) -> Result<(), SettleError> {
    let tx = ledger.context().db.begin().await?;
    settle(&tx, job, decision, ledger.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// One line and one count per settlement.
pub(crate) fn log(job: &Job, decision: &Decision) {
    metrics::counter!("retail_assist_jobs_total", "kind" => job.kind.clone(), "state" => decision.state).increment(1);
    match &decision.failure {
        None => {
            tracing::debug!(job = %job.id, kind = job.kind, state = decision.state, attempt = job.attempt, "job settled")
        }
        Some(failure) => tracing::warn!(
            job = %job.id, kind = job.kind, state = decision.state, attempt = job.attempt, trace_id = job.trace_id,
            class = failure.class, code = failure.code, meta_trace_id = failure.meta_trace_id,
            "job settled: {}", failure.message
        ),
    }
}
