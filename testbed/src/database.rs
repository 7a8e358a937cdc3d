//! One fresh, empty database for one test, on the set-up that was asked for, and dropped after it. Everything that a test has
//! to know of the kind of database is here, so that the scenarios are the same on each.

use crate::setup::{POSTGRES_URL, REDIS_URL, Setup};
use crate::{psql, redis};
use anyhow::{Context as _, bail, ensure};
use std::net::ToSocketAddrs as _;
use tempfile::TempDir;

/// A database, and on [`Setup::PostgresRedis`] a Redis database with it.
#[derive(Debug)]
pub struct Database {
    setup: Setup,
    url: String,
    redis_url: Option<String>,
    kept: Kept,
}

/// What there is to remove after the test.
#[derive(Debug)]
enum Kept {
    File { _dir: TempDir },
    OnServer { server: String, name: String },
}

impl Database {
    /// One on the set-up that the environment asks for.
    ///
    /// # Panics
    /// When it cannot be made: a test cannot go on without.
    #[expect(clippy::new_without_default, reason = "making it does much, and can fail")]
    pub fn new() -> Self {
        let (setup, variable) = (Setup::current(), |name: &str| std::env::var(name).ok());
        Self::on(setup, variable(POSTGRES_URL).as_deref(), variable(REDIS_URL).as_deref())
            .unwrap_or_else(|error| panic!("no database for a test: {error:#}"))
    }

    /// One on a set-up whose servers are at these addresses.
    pub fn on(setup: Setup, postgres: Option<&str>, redis: Option<&str>) -> anyhow::Result<Self> {
        let needed = |url: Option<&str>, variable: &str| {
            url.map(ToOwned::to_owned).with_context(|| {
                let name = setup.name();
                format!("{variable} is not set; `cargo xtask test --setup {name}` starts what is needed and sets it")
            })
        };
        let redis_url = if setup.has_redis() { Some(redis_database(&needed(redis, REDIS_URL)?)?) } else { None };
        if !setup.has_postgres() {
            let dir = TempDir::with_prefix("testbed-sqlite-")?;
            let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
            return Ok(Self { setup, url, redis_url, kept: Kept::File { _dir: dir } });
        }
        let server = needed(postgres, POSTGRES_URL)?;
        let name = format!("t_{:016x}", getrandom::u64().context("no random number")?);
        let url = with_database(&server, &name)?;
        // From the template that nobody can be connected to, which would keep it from being copied.
        psql::run(&server, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(Self { setup, url, redis_url, kept: Kept::OnServer { server, name } })
    }

    /// What it is on.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the Redis database beside it.
    pub fn redis_url(&self) -> Option<&str> {
        self.redis_url.as_deref()
    }

    /// The settings by which a started process of the product finds it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let redis = self.redis_url.iter().map(|url| ("REDIS_URL".to_owned(), url.clone()));
        [("DATABASE_URL".to_owned(), self.url.clone())].into_iter().chain(redis).collect()
    }

    /// From now on every write is refused, and every connection is cut. On Postgres only: what a full disk does to a file is
    /// done to the process that writes it.
    pub fn refuse_writes(&self) -> anyhow::Result<()> {
        self.alter("SET default_transaction_read_only = on")
    }

    /// Takes [`Self::refuse_writes`] back.
    pub fn allow_writes(&self) -> anyhow::Result<()> {
        self.alter("RESET default_transaction_read_only")
    }

    fn alter(&self, how: &str) -> anyhow::Result<()> {
        let Kept::OnServer { server, name } = &self.kept else {
            bail!("a database on {} has no settings of its own", self.setup)
        };
        psql::run(server, &format!("ALTER DATABASE {name} {how}"))?;
        // It counts for new connections only. The time is what a connection has to be gone, in milliseconds.
        let cut = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
        psql::run(server, &cut).map(|_cut| ())
    }
}

impl Drop for Database {
    #[expect(clippy::print_stderr, reason = "a destructor has nobody else to tell")]
    fn drop(&mut self) {
        if let Kept::OnServer { server, name } = &self.kept
            && let Err(error) = psql::run(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        {
            eprintln!("the database of a test is still there: {error:#}");
        }
    }
}

/// The same address with another database.
fn with_database(server: &str, name: &str) -> anyhow::Result<String> {
    let (address, options) = server.split_once('?').map_or((server, None), |(address, rest)| (address, Some(rest)));
    let (scheme, rest) = address.split_once("://").context("the address of Postgres begins with no postgres://")?;
    ensure!(matches!(scheme, "postgres" | "postgresql"), "the address of Postgres begins with {scheme}://");
    let (host, _) = rest.split_once('/').context("the address of Postgres names no database")?;
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}/{name}{options}"))
}

/// A Redis database that no other test has. The server itself counts, for each test may be a process of its own.
fn redis_database(server: &str) -> anyhow::Result<String> {
    let host = server.strip_prefix("redis://").context("the address of Redis begins with no redis://")?;
    let host = host.split('/').next().unwrap_or(host);
    let address = host.to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))?;
    let count: u64 = redis::ask(address, &["SELECT 0", "INCR testbed"])?.parse()?;
    let number = 1 + (count - 1) % u64::from(redis::DATABASES - 1);
    // There are many numbers, but not endlessly many.
    redis::ask(address, &[&format!("SELECT {number}"), "FLUSHDB"])?;
    Ok(format!("redis://{host}/{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_everything_but_the_database() {
        let url = with_database("postgres://a:b@[::1]:5433/postgres?sslmode=disable", "t_1").unwrap();
        assert_eq!(url, "postgres://a:b@[::1]:5433/t_1?sslmode=disable");
        for wrong in ["postgres://host", "mysql://host/a", "host/a"] {
            assert!(with_database(wrong, "t_1").is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_asks_for_servers_is_told_who_starts_them() {
        let error = Database::on(Setup::Postgres, None, None).unwrap_err().to_string();
        assert!(error.contains("TEST_POSTGRES_URL is not set") && error.contains("cargo xtask test --setup postgres"));
        let error = Database::on(Setup::PostgresRedis, None, None).unwrap_err().to_string();
        assert!(
            error.contains("TEST_REDIS_URL is not set") && error.contains("cargo xtask test --setup postgres+redis")
        );
    }

    #[test]
    fn a_file_is_there_for_a_test_and_no_longer() {
        let database = Database::on(Setup::Sqlite, None, None).unwrap();
        let file = database.url().strip_prefix("sqlite://").unwrap().strip_suffix("?mode=rwc").unwrap().to_owned();
        std::fs::write(&file, "").unwrap();
        assert_eq!(database.settings(), [("DATABASE_URL".to_owned(), database.url().to_owned())]);
        assert!(database.refuse_writes().is_err() && database.redis_url().is_none());
        drop(database);
        assert!(!std::path::Path::new(&file).exists());
    }
}
