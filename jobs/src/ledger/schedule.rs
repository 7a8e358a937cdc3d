//! Jobs that recur. A schedule is a row moved by compare-and-set in the transaction that enqueues, so that each due time
//! makes one job across any number of processes, and downtime is caught up with one job and not with hundreds.

use super::Ledger;
use super::enqueue::{NewJob, enqueue};
use crate::jobs::Kind;
use domain::clock::Millis;
use entities::schedule;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter};

/// Enqueues what has fallen due; returns how many jobs that made.
pub async fn run_due(ledger: &Ledger, now: Millis) -> Result<usize, DbErr> {
    let rows = schedule::Entity::find().all(ledger.context().db.read()).await?;
    let mut made = 0;
    for &(kind, every) in ledger.catalogue().schedules {
        match rows.iter().find(|row| row.name == kind.name) {
            None => register(ledger, kind, every, now).await?,
            Some(row) if now >= row.last_due_at.saturating_add(every) => {
                made += usize::from(enqueue_due(ledger, kind, every, row, now).await?);
            }
            Some(_) => {}
        }
    }
    Ok(made)
}

async fn register(ledger: &Ledger, kind: &Kind, every: Millis, now: Millis) -> Result<(), DbErr> {
    let row = schedule::ActiveModel { name: Set(kind.name.to_owned()), every_ms: Set(every), last_due_at: Set(now) };
    let insert = schedule::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
    insert.exec_without_returning(ledger.context().db.write()).await.map(|_| ())
}

async fn enqueue_due(
    ledger: &Ledger,
    kind: &'static Kind,
    every: Millis,
    row: &schedule::Model,
    now: Millis,
) -> Result<bool, DbErr> {
    // The last of the due times passed: what was missed is caught up by one run.
    let due = now - (now - row.last_due_at) % every.max(1);
    let mut tx = ledger.context().db.begin().await?;
    let moved = schedule::Entity::update_many()
        .col_expr(schedule::Column::LastDueAt, Expr::value(due))
        .col_expr(schedule::Column::EveryMs, Expr::value(every))
        .filter(schedule::Column::Name.eq(&row.name))
        .filter(schedule::Column::LastDueAt.eq(row.last_due_at))
        .exec(tx.conn())
        .await?;
    if moved.rows_affected != 1 {
        return Ok(false);
    }
    let job = NewJob::new(kind, serde_json::json!({})).dedupe_key(format!("schedule:{}", kind.name));
    let made = enqueue(&mut tx, ledger.bell(), now, vec![job]).await?;
    tx.commit().await?;
    Ok(!made.is_empty())
}
