//! Leases that lapsed: the worker died or stood still. Each kind says what follows; a job that brought down its worker three
//! times while nothing else ran there is poison and is discarded, and its innocent companions get their try back.

use super::settle::record_attempt;
use super::{Ledger, lease, statements};
use crate::jobs::Lapse;
use crate::outcome::{Decision, Failure};
use crate::run::given_up;
use domain::clock::Millis;
use domain::db::Tx;
use entities::job::{self, Model as Job};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter};

/// Lapses while alone that make a job poison.
pub const POISON_LAPSES: i32 = 3;
const BATCH: i64 = 100;

/// Deals with the jobs whose lease has lapsed; returns how many there were.
pub async fn sweep(ledger: &Ledger, now: Millis) -> Result<usize, DbErr> {
    let db = &ledger.context().db;
    let (backend, sql) = (db.backend(), statements::of(db.backend()));
    let lapsed = |sql| statements::bound(backend, sql, vec![now.into(), BATCH.into()]);
    if db.read().query_one_raw(lapsed(sql.lapsed)).await?.is_none() {
        return Ok(0);
    }
    // When the clock jumps, or the database was away, our own leases are over too, and yet we live.
    if !ledger.in_flight().is_empty() {
        lease::renew(ledger, ledger.lease_until()).await?;
    }
    let mut tx = db.begin().await?;
    let rows = tx.conn().query_all_raw(lapsed(sql.lapsed_locking)).await?;
    let jobs = rows.iter().map(|row| Job::from_query_result(row, "")).collect::<Result<Vec<_>, _>>()?;
    let mut alone = Vec::with_capacity(jobs.len());
    // Counted for all before any is changed: companions must still be seen beside each other.
    for job in &jobs {
        alone.push(job.claimed_alone || company_of(&tx, job.worker.as_deref().unwrap_or_default()).await? == 1);
    }
    for (job, alone) in jobs.iter().zip(alone) {
        lapse(ledger, &mut tx, job, alone, now).await?;
    }
    tx.commit().await?;
    for job in &jobs {
        ledger.finished().announce(job.id);
    }
    Ok(jobs.len())
}

async fn company_of(tx: &Tx, worker: &str) -> Result<i64, DbErr> {
    let backend = tx.conn().get_database_backend();
    let statement = statements::bound(backend, statements::of(backend).company_of, vec![worker.into()]);
    tx.conn().query_one_raw(statement).await?.map_or(Ok(0), |row| row.try_get_by_index(0))
}

async fn lapse(ledger: &Ledger, tx: &mut Tx, job: &Job, alone: bool, now: Millis) -> Result<(), DbErr> {
    let lapses = job.lapses + i32::from(alone);
    tracing::warn!(job = %job.id, kind = job.kind, worker = job.worker, lapses, alone, "a lease lapsed");
    metrics::counter!("retail_assist_lapsed_leases_total", "kind" => job.kind.clone()).increment(1);
    let follow_up = match ledger.kind(&job.kind) {
        Some(kind) => (kind.on_lapse)(ledger, tx, job).await?,
        None => Lapse::RunAgain,
    };
    let failure = Failure::new("lapsed", "The worker that ran this job died or stood still past its lease.");
    let decision = match follow_up {
        Lapse::Settle(decision) => *decision,
        Lapse::RunAgain if lapses >= POISON_LAPSES => Decision {
            state: "discarded",
            run_at: None,
            attempt: job.attempt,
            failure: Some(Failure::new("poison", "The job ended its worker three times while nothing else ran there.")),
            result: None,
            attempt_outcome: Some("lapsed"),
        },
        Lapse::RunAgain => Decision {
            state: "available",
            run_at: Some(now),
            attempt: job.attempt,
            failure: Some(failure),
            result: None,
            attempt_outcome: Some("lapsed"),
        },
    };
    record_attempt(tx, job, "lapsed", &decision, now).await?;
    let failure = decision.failure.as_ref();
    let final_at = decision.is_final().then_some(now);
    job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(decision.state))
        // Whoever held it finds the fence moved.
        .col_expr(job::Column::Fence, Expr::value(job.fence + 1))
        .col_expr(job::Column::Lapses, Expr::value(lapses))
        .col_expr(job::Column::Isolated, Expr::value(true))
        // The try counts, for it began; a companion's budget grows by as much, so that it pays nothing.
        .col_expr(job::Column::MaxAttempts, Expr::value(job.max_attempts + i32::from(!alone)))
        .col_expr(job::Column::RunAt, Expr::value(decision.run_at.unwrap_or(job.run_at)))
        .col_expr(job::Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(job::Column::Worker, Expr::value(None::<String>))
        .col_expr(job::Column::ErrorClass, Expr::value(failure.map(|f| f.class.clone())))
        .col_expr(job::Column::ErrorCode, Expr::value(failure.and_then(|f| f.code.clone())))
        .col_expr(job::Column::ErrorFingerprint, Expr::value(failure.map(|f| f.fingerprint(&job.kind))))
        .col_expr(job::Column::ErrorMessage, Expr::value(failure.map(|f| f.message.clone())))
        .col_expr(job::Column::Result, Expr::value(decision.result.as_ref().map(ToString::to_string)))
        .col_expr(job::Column::FinishedAt, Expr::value(final_at))
        .filter(job::Column::Id.eq(job.id))
        .filter(job::Column::Fence.eq(job.fence))
        .exec(tx.conn())
        .await?;
    if decision.state == "discarded" {
        given_up(ledger, tx, job, decision.failure.as_ref()).await?;
    }
    Ok(())
}
