//! Brings the schema up to date, one process at a time: a lock on a file beside the database keeps two that start together
//! from making the same table twice.

use super::output;
use crate::settings::{Need, Settings};
use anyhow::Context as _;
use clap::Args;
use domain::db::Db;
use migration::{Migrator, MigratorTrait as _};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::fs::File;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Migrate {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub async fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load(Need::Database)?;
        let url = settings.database_url.expose_secret();
        let db = Db::open(url).await.context("the database of DATABASE_URL could not be opened")?;
        up(&db, url).await?;
        db.close().await?;
        let known = Migrator::migrations().len();
        output::say(self.json, "The database is up to date.", &json!({ "ok": true, "migrations": known }))?;
        Ok(())
    }
}

/// Applies what is missing.
pub async fn up(db: &Db, url: &str) -> anyhow::Result<()> {
    let path = lock_path(url);
    let lock = tokio::task::spawn_blocking(move || -> std::io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    })
    .await?
    .context("the file that guards migrations could not be locked; may this user write beside the database?")?;
    let migrated = Migrator::up(db.write(), None).await;
    drop(lock);
    migrated.context("the database's schema could not be brought up to date")
}

fn lock_path(url: &str) -> PathBuf {
    let file = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let file = file.split('?').next().unwrap_or(file);
    PathBuf::from(format!("{file}.migrating"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_stands_beside_the_database() {
        assert_eq!(lock_path("sqlite://a.db?mode=rwc"), PathBuf::from("a.db.migrating"));
        assert_eq!(lock_path("sqlite:///srv/a.db"), PathBuf::from("/srv/a.db.migrating"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn processes_that_start_together_migrate_once() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let start = || async {
            let db = Db::open(&url).await.unwrap();
            up(&db, &url).await.unwrap();
        };
        tokio::join!(start(), start(), start());
    }
}
