//! What several processes on one database need: a key that lets one job of a lane run at a time however two claims meet, and,
//! on Postgres, the byte order that the rules compare texts by.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns whose order decides which of two values stands, here and in the program: the database's own collation would
/// decide otherwise than the program does.
const COMPARED: [(&str, &str, &str); 4] = [
    ("messages", "external_id", "varchar"),
    ("message_marks", "value", "text"),
    ("conversations", "lead_source_first", "text"),
    ("conversations", "lead_source_last", "text"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_index(
                Index::create()
                    .name("jobs_lane_running")
                    .table("jobs")
                    .col("lane")
                    .unique()
                    .cond_where(Cond::all().add(Expr::col("lane").is_not_null()).add(Expr::col("state").eq("running")))
                    .to_owned(),
            )
            .await?;
        collate(manager, "C").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        collate(manager, "default").await?;
        manager.drop_index(Index::drop().name("jobs_lane_running").table("jobs").to_owned()).await
    }
}

async fn collate(manager: &SchemaManager<'_>, collation: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        // SQLite compares bytes.
        return Ok(());
    }
    for (table, column, kind) in COMPARED {
        let change = format!(r#"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} COLLATE "{collation}""#);
        manager.get_connection().execute_unprepared(&change).await?;
    }
    Ok(())
}
