//! Jobs that recur. A schedule is a row moved by compare-and-set in the transaction that enqueues, so that each due time
//! makes one job across any number of processes, and downtime is caught up with one job and not with hundreds.

use super::enqueue::{NewJob, enqueue};
use super::{Ledger, operate};
use crate::jobs::Kind;
use domain::clock::Millis;
use domain::db::Tx;
use entities::{job, schedule};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// A schedule as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Scheduled {
    /// The job kind it enqueues.
    pub name: &'static str,
    /// How often.
    pub every: Millis,
    /// `None` until a worker has run once.
    pub last_due_at: Option<Millis>,
}

impl Scheduled {
    /// When it falls due again.
    pub fn next_due_at(&self) -> Option<Millis> {
        self.last_due_at.map(|at| at.saturating_add(self.every))
    }
}

/// What an operator's wish to run one now has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RanNow {
    /// A job was made.
    Made(Uuid),
    /// Its job waited for another time, and is due now.
    Hastened(Uuid),
    /// Its job is at it already.
    Running(Uuid),
}

/// Every schedule of this program, in its order.
pub async fn list(ledger: &Ledger) -> Result<Vec<Scheduled>, DbErr> {
    let rows = schedule::Entity::find().all(ledger.context().db.read()).await?;
    let shown = |&(kind, every): &(&'static Kind, Millis)| {
        let row = rows.iter().find(|row| row.name == kind.name);
        Scheduled { name: kind.name, every, last_due_at: row.map(|row| row.last_due_at) }
    };
    Ok(ledger.catalogue().schedules.iter().map(shown).collect())
}

/// Enqueues a schedule's job although it is not due; its rhythm stays. There is one such job at a time, so one that waits is
/// hastened, and one that runs is left alone. `None`: there is no such schedule.
pub async fn run_now(ledger: &Ledger, tx: &mut Tx, name: &str, now: Millis) -> Result<Option<RanNow>, DbErr> {
    let Some((kind, _)) = ledger.catalogue().schedules.iter().find(|(kind, _)| kind.name == name) else {
        return Ok(None);
    };
    loop {
        if let Some(id) = enqueue(tx, ledger.bell(), now, vec![job_of(kind)]).await?.first() {
            return Ok(Some(RanNow::Made(*id)));
        }
        let unfinished = job::Entity::find()
            .filter(job::Column::DedupeKey.eq(dedupe_key(kind)))
            .filter(job::Column::State.is_not_in(["completed", "discarded", "cancelled"]))
            .order_by_desc(job::Column::Id)
            .one(tx.conn())
            .await?;
        // One that has ended since our look at it makes room for another.
        let Some(unfinished) = unfinished else { continue };
        if !operate::run_now(tx, unfinished.id, now).await? {
            return Ok(Some(RanNow::Running(unfinished.id)));
        }
        let (bell, queue) = (ledger.bell().clone(), kind.queue);
        tx.after_commit(move || bell.ring(queue));
        return Ok(Some(RanNow::Hastened(unfinished.id)));
    }
}

fn job_of(kind: &'static Kind) -> NewJob {
    NewJob::new(kind, serde_json::json!({})).dedupe_key(dedupe_key(kind))
}

fn dedupe_key(kind: &Kind) -> String {
    format!("schedule:{}", kind.name)
}

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
    let made = enqueue(&mut tx, ledger.bell(), now, vec![job_of(kind)]).await?;
    tx.commit().await?;
    Ok(!made.is_empty())
}
