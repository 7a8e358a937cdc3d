//! Usage by month.

use crate::bench::Bench;
use domain::usage;
use entities::usage_counter::{ActiveModel, Entity, Model};
use sea_orm::EntityTrait as _;

#[tokio::test]
async fn months_are_whole_and_newest_first() {
    let bench = Bench::new().await;
    let (shop, other) = (bench.organization("pro").await, bench.organization("pro").await);
    let rows = [
        (shop, "2026-09", "messages_received", 3),
        (shop, "2026-10", "auto_replies", 2),
        (shop, "2026-10", "messages_received", 5),
        (shop, "2025-01", "messages_received", 9),
        (other, "2026-10", "messages_received", 100),
    ];
    for (organization, month, metric, count) in rows {
        let (month, metric) = (month.to_owned(), metric.to_owned());
        let row = Model { organization_id: organization.0, month, metric, count };
        Entity::insert(ActiveModel::from(row)).exec_without_returning(bench.ctx.db.write()).await.unwrap();
    }
    let months = usage::months(bench.ctx.db.read(), shop, "2026-01").await.unwrap();
    let shown: Vec<_> =
        months.iter().map(|(month, c)| (month.as_str(), c["messages_received"], c["auto_replies"])).collect();
    assert_eq!(shown, [("2026-10", 5, 2), ("2026-09", 3, 0)]);
    let empty = usage::month(bench.ctx.db.read(), shop, "2030-01").await.unwrap();
    assert_eq!(empty.values().sum::<i64>(), 0);
    assert_eq!(empty.len(), usage::METRICS.len());
}
