//! Usage counters by month, as a shop sees them: added to in the transaction of what is counted, so that a redelivered
//! webhook counts nothing twice.

use crate::clock::{self, Millis};
use crate::id::OrganizationId;
use entities::usage_counter::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is counted; every month shows all of them.
pub const METRICS: [&str; 4] = ["messages_received", "messages_sent", "auto_replies", "leads"];

/// Counters of one month by metric.
pub type Counters = BTreeMap<String, i64>;

/// What a transaction has to count. Written at its end and in one order for everybody: a counter is locked from then to the
/// commit, and two transactions that count for the same shops must not wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(Uuid, &'static str), i64>);

impl Tally {
    /// Adds to one counter.
    pub(crate) fn add(&mut self, organization_id: Uuid, metric: &'static str, count: i64) {
        *self.0.entry((organization_id, metric)).or_default() += count;
    }

    /// Adds everything to the counters of the current month.
    pub(crate) async fn write(self, db: &impl ConnectionTrait, now: Millis) -> Result<(), DbErr> {
        for ((organization_id, metric), count) in self.0.into_iter().filter(|(_, count)| *count != 0) {
            let row = ActiveModel {
                organization_id: Set(organization_id),
                month: Set(clock::month(now)),
                metric: Set(metric.to_owned()),
                count: Set(count),
            };
            let conflict = OnConflict::columns([Column::OrganizationId, Column::Month, Column::Metric])
                .value(Column::Count, Expr::cust("usage_counters.count + excluded.count"))
                .to_owned();
            Entity::insert(row).on_conflict(conflict).exec_without_returning(db).await?;
        }
        Ok(())
    }
}

/// Counters of every month from `since` on (`2026-11`), newest first.
pub async fn months(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    since: &str,
) -> Result<Vec<(String, Counters)>, DbErr> {
    let rows = Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(Column::Month.gte(since))
        .order_by_desc(Column::Month)
        .all(db)
        .await?;
    let mut months: Vec<(String, Counters)> = Vec::new();
    for Model { month, metric, count, .. } in rows {
        if months.last().is_none_or(|(last, _)| *last != month) {
            months.push((month, empty()));
        }
        if let Some((_, counters)) = months.last_mut() {
            counters.insert(metric, count);
        }
    }
    Ok(months)
}

/// Counters of one month.
pub async fn month(db: &impl ConnectionTrait, organization: OrganizationId, month: &str) -> Result<Counters, DbErr> {
    let rows = Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(Column::Month.eq(month))
        .all(db)
        .await?;
    let mut counters = empty();
    counters.extend(rows.into_iter().map(|row| (row.metric, row.count)));
    Ok(counters)
}

fn empty() -> Counters {
    METRICS.iter().map(|metric| ((*metric).to_owned(), 0)).collect()
}
