//! Where everything is kept during a run: a Postgres and a Redis of its own, which can be killed, or one SQLite file.

use anyhow::Context as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use testbed::{Postgres, Redis, Setup};

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
        let postgres = setup.has_postgres().then(Postgres::start).transpose()?;
        let redis = setup.has_redis().then(Redis::start).transpose()?;
        let database_url = match &postgres {
            Some(postgres) => {
                postgres.run("postgres", "CREATE DATABASE chaos")?;
                postgres.url("chaos")
            }
            None => format!("sqlite://{}?mode=rwc", dir.join("chaos.db").display()),
        };
        Ok(Self {
            postgres: postgres.map(|server| Arc::new(Mutex::new(server))),
            redis: redis.map(|server| Arc::new(Mutex::new(server))),
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
