//! Brings the schema up to date, one process at a time: a lock (a file beside SQLite, an advisory lock in Postgres) keeps two
//! that start together from making the same table twice.

use super::output;
use crate::settings::{Need, Settings};
use anyhow::Context as _;
use clap::Args;
use domain::db::Db;
use migration::{Migrator, MigratorTrait as _};
use secrecy::ExposeSecret as _;
use serde_json::json;

#[derive(Debug, Args)]
pub struct Migrate {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub async fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load(Need::Database)?;
        let db = Db::open_with(settings.database_url.expose_secret(), 1)
            .await
            .context("the database of DATABASE_URL could not be opened")?;
        up(&db).await?;
        db.close().await?;
        let known = Migrator::migrations().len();
        output::say(self.json, "The database is up to date.", &json!({ "ok": true, "migrations": known }))?;
        Ok(())
    }
}

/// Applies what is missing.
pub async fn up(db: &Db) -> anyhow::Result<()> {
    let lock = db.lock_schema().await.context("the schema could not be locked against other processes")?;
    let migrated = Migrator::up(db.write(), None).await;
    drop(lock);
    migrated.context("the database's schema could not be brought up to date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn processes_that_start_together_migrate_once() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let start = || async {
            let db = Db::open(&url).await.unwrap();
            up(&db).await.unwrap();
        };
        tokio::join!(start(), start(), start());
    }
}
