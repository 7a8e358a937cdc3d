//! Usage counters by month, as a shop sees them. Jobs count in the transaction of what they count; this file only reads.

use crate::id::OrganizationId;
use entities::usage_counter::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use std::collections::BTreeMap;

/// What is counted; every month shows all of them.
pub const METRICS: [&str; 3] = ["messages_received", "messages_sent", "auto_replies"];

/// Counters of one month by metric.
pub type Counters = BTreeMap<String, i64>;

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
pub async fn month(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    month: &str,
) -> Result<Counters, DbErr> {
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
