//! The set-ups that the product is tested on, and which of them this run is for. The tests themselves do not say it: the same
//! ones run on each, and the environment names the servers.

use std::fmt;
use std::str::FromStr;

/// Names the set-up in the environment of the tests.
pub const SETUP: &str = "TEST_SETUP";
/// A database of the Postgres server to make others on, e.g. `postgres://postgres@127.0.0.1:5433/postgres`.
pub const POSTGRES_URL: &str = "TEST_POSTGRES_URL";
/// The Redis server, e.g. `redis://127.0.0.1:6380`.
pub const REDIS_URL: &str = "TEST_REDIS_URL";

/// What the product runs on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Setup {
    /// One file.
    Sqlite,
    /// A Postgres server.
    Postgres,
    /// A Postgres server for everything that must last, and Redis to ring.
    PostgresRedis,
}

impl Setup {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::PostgresRedis];

    /// The one that the environment asks for.
    ///
    /// # Panics
    /// When it asks for one that there is not.
    pub fn current() -> Self {
        match std::env::var(SETUP) {
            Ok(name) => name.parse().unwrap_or_else(|error| panic!("{SETUP}: {error}")),
            Err(_not_set) => Self::Sqlite,
        }
    }

    /// What [`SETUP`] calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::PostgresRedis => "postgres+redis",
        }
    }

    /// Whether it needs a Postgres server.
    pub fn has_postgres(self) -> bool {
        self != Self::Sqlite
    }

    /// Whether it needs a Redis server.
    pub fn has_redis(self) -> bool {
        self == Self::PostgresRedis
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
            Self::PostgresRedis => "Postgres + Redis",
        })
    }
}

/// The name of no set-up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no set-up {:?}; there are {}", self.0, Setup::ALL.map(Setup::name).join(", "))
    }
}

impl std::error::Error for Unknown {}

impl FromStr for Setup {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|setup| setup.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_that_finds_it() {
        for setup in Setup::ALL {
            assert_eq!(setup.name().parse(), Ok(setup));
        }
        let error = "mysql".parse::<Setup>().unwrap_err().to_string();
        assert_eq!(error, r#"there is no set-up "mysql"; there are sqlite, postgres, postgres+redis"#);
    }
}
