//! Runs claimed jobs: catches panics and time-outs inside, turns what the handler says into the job's next state, and does
//! not give up settling while only the database is away.

use crate::failpoint;
use crate::jobs::{Finish, HandlerError, Kind, Run};
use crate::ledger::Ledger;
use crate::ledger::lease::Lease;
use crate::ledger::settle::{SettleError, settle};
use crate::outcome::{Decision, Failure, Outcome, decide};
use crate::policy::Policy;
use domain::clock::{MINUTE, SECOND};
use domain::db::{Tx, is_unavailable};
use entities::job::Model as Job;
use futures::FutureExt as _;
use sea_orm::DbErr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Between tries to settle while the database is away.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// Runs one job to its settlement.
pub(crate) async fn one(ledger: &Ledger, job: &Job, lease: &Lease) {
    let Some((kind, Run::One(handler))) = ledger.kind(&job.kind).map(|kind| (kind, &kind.run)) else {
        return settle_outcome(ledger, job, lease, unknown_kind(ledger, job)).await;
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
            settle_outcome(ledger, job, lease, after_database_error(ledger, &error)).await;
        }
        Err(HandlerError::Failure(failure)) => {
            settle_outcome(ledger, job, lease, Outcome::Retry(failure, None)).await;
        }
    }
    ledger.finished().announce(job.id);
    if job.lane.is_some() {
        // The next of its lane may run now, and nobody else tells.
        ledger.bell().ring(kind.queue);
    }
    failpoint::hit("job.settled", &job.kind);
}

/// Runs claimed jobs: those of whole-batch kinds together, the others one after the other.
pub(crate) async fn batch(ledger: &Ledger, jobs: &[(Job, Lease)]) {
    let mut together: Vec<(&'static Kind, Vec<&(Job, Lease)>)> = Vec::new();
    for claimed in jobs {
        match ledger.kind(&claimed.0.kind) {
            Some(kind) if matches!(kind.run, Run::Batch(_)) => {
                match together.iter_mut().find(|(other, _)| other.name == kind.name) {
                    Some((_, batch)) => batch.push(claimed),
                    None => together.push((kind, vec![claimed])),
                }
            }
            _ => one(ledger, &claimed.0, &claimed.1).await,
        }
    }
    for (kind, batch) in together {
        whole_batch(ledger, kind, &batch).await;
    }
}

async fn whole_batch(ledger: &Ledger, kind: &'static Kind, batch: &[&(Job, Lease)]) {
    let Run::Batch(handler) = &kind.run else { return };
    let rows: Vec<Job> = batch.iter().map(|(job, _)| job.clone()).collect();
    failpoint::hit("job.handler", kind.name);
    let began = std::time::Instant::now();
    let mut unsettled = Vec::new();
    match guarded(&kind.policy, async { Ok(handler(ledger, &rows).await) }).await {
        Ok(outcomes) => unsettled = outcomes,
        // A panic or a time-out says nothing about which job it was: each runs by itself, and only the culprit pays.
        Err(_) if rows.len() > 1 => {
            for row in &rows {
                let alone = std::slice::from_ref(row);
                match guarded(&kind.policy, async { Ok(handler(ledger, alone).await) }).await {
                    Ok(outcomes) => unsettled.extend(outcomes),
                    Err(error) => unsettled.push((row.id, Outcome::Retry(error.failure(), None))),
                }
            }
        }
        Err(error) => unsettled.extend(rows.iter().map(|row| (row.id, Outcome::Retry(error.failure(), None)))),
    }
    metrics::histogram!("retail_assist_job_seconds", "kind" => kind.name).record(began.elapsed().as_secs_f64());
    for (job, lease) in batch {
        if let Some((_, outcome)) = unsettled.iter().find(|(id, _)| *id == job.id) {
            settle_outcome(ledger, job, lease, outcome.clone()).await;
        }
        ledger.finished().announce(job.id);
    }
    failpoint::hit("job.settled", kind.name);
}

/// A newer program made it, and is asked again in a minute: a kind that is not known here costs no attempt.
fn unknown_kind(ledger: &Ledger, job: &Job) -> Outcome {
    let failure = Failure::new("unknown_kind", format!("This program does not know jobs of kind {}.", job.kind));
    Outcome::Snooze(failure, ledger.now() + MINUTE)
}

async fn guarded<T>(policy: &Policy, run: impl Future<Output = Result<T, HandlerError>>) -> Result<T, HandlerError> {
    let run = AssertUnwindSafe(run).catch_unwind();
    let ended = match policy.timeout {
        Some(limit) => tokio::time::timeout(limit, run).await.map_err(|_elapsed| limit),
        None => Ok(run.await),
    };
    match ended {
        Ok(Ok(finish)) => finish,
        // The panic's text may hold anything; the panic hook has logged where it was.
        Ok(Err(_panic)) => Err(HandlerError::Failure(Failure::new("panic", "The handler panicked; see the log."))),
        Err(limit) => {
            let message = format!("The try took longer than {} s.", limit.as_secs());
            Err(HandlerError::Failure(Failure::new("timeout", message)))
        }
    }
}

/// A database that is away is not the job's fault and costs it no attempt; a statement that was refused may be.
fn after_database_error(ledger: &Ledger, error: &DbErr) -> Outcome {
    tracing::error!(%error, "a job met a database error");
    if is_unavailable(error) {
        let failure = Failure::new("database", "The database did not take writes.");
        return Outcome::Snooze(failure, ledger.now() + SECOND);
    }
    Outcome::Retry(Failure::new("database", "The database refused a statement; see the log."), None)
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
    let mut tx = ledger.context().db.begin().await?;
    settle(&tx, job, decision, ledger.now()).await?;
    if decision.state == "discarded" {
        given_up(ledger, &mut tx, job, decision.failure.as_ref()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Lets the kind deal with what a job leaves behind that will not run again, in the transaction that ends it.
pub(crate) async fn given_up(ledger: &Ledger, tx: &mut Tx, job: &Job, failure: Option<&Failure>) -> Result<(), DbErr> {
    match ledger.kind(&job.kind) {
        Some(kind) => (kind.on_given_up)(ledger, tx, job, failure).await,
        None => Ok(()),
    }
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
