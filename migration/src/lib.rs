//! The schema, one file per change, applied in this order. Knows nothing of the other crates, so that a migration written
//! today still means the same when the code around it has moved on.
//!
//! Conventions: ids are UUIDs (version 7), times are milliseconds since 1970 UTC in a `BIGINT`, so that both databases
//! compare and index them alike; JSON is text.

use sea_orm_migration::prelude::*;

mod m0001_organizations;
mod m0002_connections;
mod m0003_inbox;
mod m0004_deliveries;
mod m0005_jobs;
mod m0006_operations;
mod m0007_many_processes;
mod m0008_connecting;
mod m0009_working_inbox;

/// Applies and reverts the changes in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_organizations::Migration),
            Box::new(m0002_connections::Migration),
            Box::new(m0003_inbox::Migration),
            Box::new(m0004_deliveries::Migration),
            Box::new(m0005_jobs::Migration),
            Box::new(m0006_operations::Migration),
            Box::new(m0007_many_processes::Migration),
            Box::new(m0008_connecting::Migration),
            Box::new(m0009_working_inbox::Migration),
        ]
    }
}

pub use sea_orm_migration::MigratorTrait;

/// Foreign key from `table.column` to `target.id`; rows of a parent that still has children cannot be deleted.
fn references(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(target, "id").to_owned()
}

/// Drops the tables in the order given.
async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).to_owned()).await?;
    }
    Ok(())
}
