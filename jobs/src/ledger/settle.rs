//! Writes what became of a job, in the transaction of the job's effects. The fence decides: a worker that was overtaken
//! finds no row to change and its transaction is rolled back, effects and all.

use super::statements;
use crate::outcome::Decision;
use domain::clock::Millis;
use domain::db::Tx;
use entities::job::Model as Job;
use entities::{job, job_attempt};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait as _, DbErr, EntityTrait, QueryFilter};
use std::collections::HashSet;
use uuid::Uuid;

/// Why a settle did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// Somebody else has the job now, or it was cancelled: roll back.
    #[error("the job is no longer held by this worker")]
    Overtaken,
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Settles `job` as `decision` says. On any error the caller must drop the transaction.
pub async fn settle(tx: &Tx, job: &Job, decision: &Decision, now: Millis) -> Result<(), SettleError> {
    crate::failpoint::hit("job.settling", &job.kind);
    let failure = decision.failure.as_ref();
    let mut update = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(decision.state))
        .col_expr(job::Column::Attempt, Expr::value(decision.attempt))
        // It has survived: no longer a suspect.
        .col_expr(job::Column::Isolated, Expr::value(false))
        .col_expr(job::Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(job::Column::Worker, Expr::value(None::<String>))
        .col_expr(job::Column::Result, Expr::value(decision.result.as_ref().map(ToString::to_string)))
        .col_expr(job::Column::ErrorClass, Expr::value(failure.map(|f| f.class.clone())))
        .col_expr(job::Column::ErrorCode, Expr::value(failure.and_then(|f| f.code.clone())))
        .col_expr(job::Column::ErrorFingerprint, Expr::value(failure.map(|f| f.fingerprint(&job.kind))))
        .col_expr(job::Column::ErrorMessage, Expr::value(failure.map(|f| f.message.clone())));
    update = match decision.run_at {
        Some(at) => update.col_expr(job::Column::RunAt, Expr::value(at)),
        None => update.col_expr(job::Column::FinishedAt, Expr::value(Some(now))),
    };
    let changed = update
        .filter(job::Column::Id.eq(job.id))
        .filter(job::Column::Fence.eq(job.fence))
        // As an expression, so that nothing but the id can find the row: on fresh tables a planner takes the index of running
        // jobs for the smaller one, and it is not when thousands run.
        .filter(Expr::cust("state || '' = 'running'"))
        .exec(tx.conn())
        .await?;
    if changed.rows_affected != 1 {
        return Err(SettleError::Overtaken);
    }
    if let Some(outcome) = decision.attempt_outcome {
        record_attempt(tx, job, outcome, decision, now).await?;
    }
    Ok(())
}

/// Begins a transaction of these jobs: makes sure that they are still ours, and locks them. Their own rows come first in the
/// order of locks (before conversations, messages and counters), because whoever ends a job from outside, a sweep or an
/// operator, begins there too and goes on to its effects.
pub async fn still_held(tx: &Tx, jobs: impl IntoIterator<Item = &Job>) -> Result<(), SettleError> {
    let held: HashSet<(Uuid, i64)> = jobs.into_iter().map(|job| (job.id, job.fence)).collect();
    let backend = tx.conn().get_database_backend();
    let ids: Vec<Uuid> = held.iter().map(|(id, _)| *id).collect();
    let values = vec![statements::ids(backend, &ids)];
    let running = statements::bound(backend, statements::of(backend).still_running, values);
    let mut found = 0;
    for row in tx.conn().query_all_raw(running).await? {
        found += usize::from(held.contains(&(row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    }
    if found == held.len() { Ok(()) } else { Err(SettleError::Overtaken) }
}

/// A row for a try that did not simply succeed.
pub(super) async fn record_attempt(
    tx: &Tx,
    job: &Job,
    outcome: &str,
    decision: &Decision,
    now: Millis,
) -> Result<(), DbErr> {
    let failure = decision.failure.as_ref();
    let row = job_attempt::ActiveModel {
        job_id: Set(job.id),
        fence: Set(job.fence),
        attempt: Set(job.attempt),
        began_at: Set(job.started_at),
        ended_at: Set(now),
        outcome: Set(outcome.to_owned()),
        error_class: Set(failure.map(|f| f.class.clone())),
        error_code: Set(failure.and_then(|f| f.code.clone())),
        error_message: Set(failure.map(|f| f.message.clone())),
        http_status: Set(failure.and_then(|f| f.http_status).map(i32::from)),
        meta_trace_id: Set(failure.and_then(|f| f.meta_trace_id.clone())),
        worker: Set(job.worker.clone()),
    };
    job_attempt::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}
