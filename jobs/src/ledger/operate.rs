//! What operators do to jobs and queues: one statement each, in a transaction that the caller shares with its audit row.
//! Each returns whether anything changed, so that a click on what is already over is told so.

use super::{Ledger, statements};
use crate::run::given_up;
use domain::clock::Millis;
use domain::db::{Tx, is_unique_violation};
use entities::{job, queue};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait as _};
use uuid::Uuid;

const WAITING: [&str; 4] = ["scheduled", "available", "retryable", "snoozed"];

/// A discarded or cancelled job gets another try, with its budget raised by one. Nothing changes while another job has its
/// dedupe key: that one does the same work.
pub async fn retry(tx: &Tx, id: Uuid, now: Millis) -> Result<bool, DbErr> {
    // A savepoint: after a refused statement Postgres takes no other in the transaction, and the audit row must follow.
    let attempt = tx.conn().begin().await?;
    let changed = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value("available"))
        .col_expr(job::Column::RunAt, Expr::value(now))
        .col_expr(job::Column::FinishedAt, Expr::value(None::<i64>))
        .col_expr(job::Column::Lapses, Expr::value(0))
        .col_expr(
            job::Column::MaxAttempts,
            Expr::cust("CASE WHEN attempt >= max_attempts THEN attempt + 1 ELSE max_attempts END"),
        )
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::State.is_in(["discarded", "cancelled"]))
        .exec(&attempt)
        .await;
    match changed {
        Ok(changed) => {
            attempt.commit().await?;
            Ok(changed.rows_affected == 1)
        }
        Err(error) if is_unique_violation(&error) => {
            attempt.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// A waiting job falls due at once.
pub async fn run_now(tx: &Tx, id: Uuid, now: Millis) -> Result<bool, DbErr> {
    let changed = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value("available"))
        .col_expr(job::Column::RunAt, Expr::value(now))
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::State.is_in(WAITING))
        .exec(tx.conn())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Ends a waiting or running job as `cancelled`; a running one finds its fence moved and can settle nothing.
pub async fn cancel(ledger: &Ledger, tx: &mut Tx, id: Uuid, now: Millis) -> Result<bool, DbErr> {
    end(ledger, tx, id, "cancelled", &["scheduled", "available", "retryable", "snoozed", "running"], now).await
}

/// Ends a waiting job as `cancelled` because its reason is gone: its kind puts nothing in order. One that runs is left to its
/// end.
pub async fn withdraw(tx: &Tx, id: Uuid, now: Millis) -> Result<bool, DbErr> {
    ended(tx, id, "cancelled", &WAITING, now).await
}

/// Ends a waiting job as `discarded`: seen, and not to be tried again by itself.
pub async fn discard(ledger: &Ledger, tx: &mut Tx, id: Uuid, now: Millis) -> Result<bool, DbErr> {
    end(ledger, tx, id, "discarded", &WAITING, now).await
}

async fn end(ledger: &Ledger, tx: &mut Tx, id: Uuid, state: &str, from: &[&str], now: Millis) -> Result<bool, DbErr> {
    let Some(job) = job::Entity::find_by_id(id).one(tx.conn()).await? else { return Ok(false) };
    if !ended(tx, id, state, from, now).await? {
        return Ok(false);
    }
    given_up(ledger, tx, &job, None).await?;
    Ok(true)
}

async fn ended(tx: &Tx, id: Uuid, state: &str, from: &[&str], now: Millis) -> Result<bool, DbErr> {
    let changed = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(state))
        .col_expr(job::Column::Fence, Expr::cust("fence + 1"))
        .col_expr(job::Column::FinishedAt, Expr::value(Some(now)))
        .col_expr(job::Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(job::Column::Worker, Expr::value(None::<String>))
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::State.is_in(from.iter().copied()))
        .exec(tx.conn())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Pauses or resumes a queue: what runs goes on, nothing more is claimed while paused.
pub async fn set_paused(tx: &Tx, name: &str, paused: bool, now: Millis) -> Result<bool, DbErr> {
    let changed = queue::Entity::update_many()
        .col_expr(queue::Column::Paused, Expr::value(paused))
        .col_expr(queue::Column::PausedAt, Expr::value(paused.then_some(now)))
        .filter(queue::Column::Name.eq(name))
        .exec(tx.conn())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Jobs that wait for an account to be well again fall due at once; returns how many.
pub async fn wake_connection(tx: &Tx, connection_id: Uuid, now: Millis) -> Result<u64, DbErr> {
    let backend = tx.conn().get_database_backend();
    let woken = statements::bound(backend, statements::of(backend).wake, vec![connection_id.into(), now.into()]);
    Ok(tx.conn().execute_raw(woken).await?.rows_affected())
}
