//! Where everything is kept during a run: a Postgres and a Redis of its own, which can be killed, or one SQLite file.

use crate::options::Setup;
use anyhow::Context as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use testbed::{Postgres, Redis};

/// The servers of a run. Cheap to clone; they end with the last clone.
#[derive(Clone, Debug)]
pub struct Servers {
    postgres: Option<Arc<Mutex<Postgres>>>,
    redis: Option<Arc<Mutex<Redis>>>,
    database_url: String,
}

impl Servers {
    /// Starts what the set-up needs.
    pub fn start(setup: Setup, dir: &Path) -> anyhow::Result<Self> {
        if setup == Setup::Sqlite {
            let database_url = format!("sqlite://{}?mode=rwc", dir.join("chaos.db").display());
            return Ok(Self { postgres: None, redis: None, database_url });
        }
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        postgres.run("postgres", "CREATE DATABASE chaos")?;
        let database_url = postgres.url("chaos");
        Ok(Self {
            postgres: Some(Arc::new(Mutex::new(postgres))),
            redis: Some(Arc::new(Mutex::new(redis))),
            database_url,
        })
    }

    /// For the processes and the judge.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// For the processes, where there is one.
    pub fn redis_url(&self) -> Option<String> {
        let redis = self.redis.as_ref()?;
        Some(redis.lock().unwrap_or_else(PoisonError::into_inner).url(0))
    }

    /// Whether there is a Postgres to kill.
    pub fn has_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// Whether there is a Redis to kill.
    pub fn has_redis(&self) -> bool {
        self.redis.is_some()
    }

    /// Does something with Postgres; it takes a while.
    pub async fn postgres<F>(&self, deed: F) -> anyhow::Result<()>
    where
        F: FnOnce(&mut Postgres) -> anyhow::Result<()> + Send + 'static,
    {
        with(self.postgres.clone().context("there is no Postgres in this set-up")?, deed).await
    }

    /// Does something with Redis; it takes a while.
    pub async fn redis<F>(&self, deed: F) -> anyhow::Result<()>
    where
        F: FnOnce(&mut Redis) -> anyhow::Result<()> + Send + 'static,
    {
        with(self.redis.clone().context("there is no Redis in this set-up")?, deed).await
    }
}

async fn with<S: Send + 'static>(
    server: Arc<Mutex<S>>,
    deed: impl FnOnce(&mut S) -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let done = tokio::task::spawn_blocking(move || {
        let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
        deed(&mut server)
    });
    done.await.context("a deed panicked")?
}
