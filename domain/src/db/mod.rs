//! The one place that opens the database and begins transactions; what differs by database is decided here and in the two
//! files beside it, and nowhere above. Every connection proves that it keeps what it commits before it is used.

mod listener;
mod postgres;
mod sqlite;

pub use listener::{ListenError, Listener};

use crate::feed::{Feed, Noted, What};
use entities::message;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How long a statement waits for a connection before the caller is told that the database is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections of one process to Postgres, unless told otherwise; four such processes fit under Postgres' own default of 100.
pub const CONNECTIONS: u32 = 16;
/// Connections of a process that only looks.
const LOOKING: u32 = 4;

/// The database: one handle that reads, one that writes. On SQLite a single connection writes and a few read; on Postgres
/// both are the same pool.
#[derive(Clone, Debug)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    place: Place,
    feed: Feed,
}

/// Where the database is, for what needs a way of its own to it.
#[derive(Clone)]
enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the options: they hold the password.
        f.write_str(match self {
            Self::Sqlite(_) => "Sqlite",
            Self::Postgres(_) => "Postgres",
        })
    }
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names a database we do not speak.
    #[error("DATABASE_URL must begin with sqlite:// and name a file, or with postgres:// and name a database")]
    Url,
    /// A misspelt parameter, or a password that was not percent-encoded.
    #[error(
        "DATABASE_URL has a parameter after ? that is not known; percent-encode special characters of the password, \
         and use {}", postgres::PARAMETERS.join(", ")
    )]
    Parameter,
    /// An in-memory database would lose everything at the end of the process.
    #[error("an in-memory SQLite database would lose every message when the process ends; name a file in DATABASE_URL")]
    InMemory,
    /// The file that guards migrations.
    #[error("the file that guards migrations could not be locked; may this user write beside the database? {0}")]
    Lock(#[source] std::io::Error),
    /// The database answered with an error.
    #[error("the database could not be opened: {0}")]
    Sqlx(#[from] sqlx::Error),
}

/// While it is held, no other process changes the schema. Ends with the process, too.
#[must_use]
#[derive(Debug)]
pub enum SchemaLock {
    /// A locked file beside the database.
    Sqlite(std::fs::File),
    /// A connection that holds an advisory lock.
    Postgres(Box<sqlx::PgConnection>),
}

impl Db {
    /// Opens the database named by `url`, e.g. `sqlite://retail-assist.db?mode=rwc` or `postgres://user:password@host/name`,
    /// on Postgres with [`CONNECTIONS`] connections.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, CONNECTIONS).await
    }

    /// The same with another number of connections; SQLite has its own.
    pub async fn open_with(url: &str, connections: u32) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = postgres::options(url)?;
            return Self::on_postgres(options, connections, postgres::Patience::Start).await;
        }
        Self::on_sqlite(sqlite_options(url)?).await
    }

    /// The same with few connections, for a look at what is there: no file is made, and no server is waited for.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::on_postgres(postgres::options(url)?, LOOKING, postgres::Patience::None).await;
        }
        Self::on_sqlite(sqlite_options(url)?.create_if_missing(false)).await
    }

    async fn on_postgres(
        options: PgConnectOptions,
        connections: u32,
        patience: postgres::Patience,
    ) -> Result<Self, OpenError> {
        let pool = postgres::open(options.clone(), connections, patience).await?;
        let place = Place::Postgres(Box::new(options));
        Ok(Self { read: pool.clone(), write: pool, place, feed: Feed::default() })
    }

    async fn on_sqlite(options: SqliteConnectOptions) -> Result<Self, OpenError> {
        let file = options.get_filename().to_owned();
        let (read, write) = sqlite::open(options).await?;
        Ok(Self { read, write, place: Place::Sqlite(file), feed: Feed::default() })
    }

    /// Which database it is, for the few statements that differ.
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Waits until no other process changes the schema, and keeps others from it until dropped or released.
    pub async fn lock_schema(&self) -> Result<SchemaLock, OpenError> {
        match &self.place {
            Place::Sqlite(file) => sqlite::lock_schema(file).await.map(SchemaLock::Sqlite),
            Place::Postgres(options) => Ok(SchemaLock::Postgres(Box::new(postgres::lock_schema(options).await?))),
        }
    }

    /// For statements that only read.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// For a single statement that writes; several belong in [`Db::begin`].
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        // Postgres takes no notice of SQLite's mode and locks rows as it meets them.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self.write.begin_with_options(options).await?;
        Ok(Tx { inner, after_commit: Vec::new(), noted: Mutex::default(), feed: self.feed.clone() })
    }

    /// Where its transactions tell what they have changed.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Whether processes can tell each other something through it: Postgres can, SQLite cannot.
    pub fn can_notify(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }

    /// Sends a note to all who listen to `channel`, on a connection of the pool. Where [`Db::can_notify`].
    pub async fn notify(&self, channel: &str, note: &str) -> Result<(), DbErr> {
        let sql = "SELECT pg_notify($1, $2)";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [channel.into(), note.into()]);
        self.write.execute_raw(statement).await.map(|_| ())
    }

    /// Listens to `channel` on a connection of its own, which the server lists as `name`; `None` unless [`Db::can_notify`].
    pub async fn listener(&self, channel: &str, name: &str) -> Result<Option<Listener>, ListenError> {
        match &self.place {
            Place::Sqlite(_) => Ok(None),
            Place::Postgres(options) => Listener::connect(options, channel, name).await.map(Some),
        }
    }

    /// Closes every connection; statements after this fail.
    pub async fn close(self) -> Result<(), DbErr> {
        self.read.close().await?;
        self.write.close().await
    }
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, OpenError> {
    if !url.starts_with("sqlite:") {
        return Err(OpenError::Url);
    }
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(OpenError::InMemory);
    }
    sqlite::options(url)
}

/// A transaction, and what is to happen once it is committed: ringing a bell for its jobs, telling what it has changed.
/// Dropped uncommitted, it rolls back and nothing of that happens.
pub struct Tx {
    inner: DatabaseTransaction,
    after_commit: Vec<Box<dyn FnOnce() + Send + Sync>>,
    noted: Mutex<Noted>,
    feed: Feed,
}

impl Tx {
    /// Where statements run.
    pub fn conn(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Remembers something to do after a successful commit; must not block or fail.
    pub fn after_commit(&mut self, act: impl FnOnce() + Send + Sync + 'static) {
        self.after_commit.push(Box::new(act));
    }

    /// Notes something that it changes, for those who look at it; whoever writes a row that people see notes it.
    pub fn note(&self, organization: Uuid, what: What) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).add(organization, what);
    }

    /// Notes a message, and with it what its conversation shows.
    pub fn note_message(&self, row: &message::Model) {
        self.note(row.organization_id, What::Message { conversation: row.conversation_id, id: row.id });
    }

    /// Commits, then does what was remembered.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.inner.commit().await?;
        self.feed.publish(self.noted.into_inner().unwrap_or_else(PoisonError::into_inner));
        for act in self.after_commit {
            act();
        }
        Ok(())
    }

    /// Rolls back at once instead of when dropped.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

/// True when the database is at fault and not the data: trying the same later can help, splitting a batch cannot.
/// Out of space, out of reach, locked, shutting down, deadlocked.
pub fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => sqlx_unavailable(e),
        _ => false,
    }
}

fn sqlx_unavailable(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        );
    };
    let Some(code) = error.code() else { return false };
    if code.len() == 5 {
        // SQLSTATE classes: connection, rollback (deadlock), resources, operator intervention, system; and a lock not had
        // in time, a transaction ended because it stood still, a server that has become read-only.
        return ["08", "40", "53", "57", "58", "55P03", "25P03", "25006"].iter().any(|begin| code.starts_with(begin));
    }
    // SQLite's extended result codes keep the primary code in the low byte: BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT,
    // FULL, CANTOPEN, PROTOCOL.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 11 | 13 | 14 | 15))
}

/// True when a unique key refused the row.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_that_would_lose_data_are_refused() {
        assert!(matches!(Db::open("sqlite::memory:").await, Err(OpenError::InMemory)));
        assert!(matches!(Db::open("mysql://x").await, Err(OpenError::Url)));
        let missing = Db::open("sqlite:///nonexistent/dir/x.db?mode=rwc").await;
        assert!(matches!(missing, Err(OpenError::Sqlx(_))));
    }

    #[tokio::test]
    async fn a_look_makes_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        assert!(matches!(Db::open_existing(&url).await, Err(OpenError::Sqlx(_))));
        assert!(!file.exists());
        Db::open(&url).await.unwrap().close().await.unwrap();
        Db::open_existing(&url).await.unwrap().close().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_to_follow_a_commit_follows_only_a_commit() {
        use std::sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        };
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let db = Db::open(&url).await.unwrap();
        let rung = Arc::new(AtomicU32::new(0));
        for commit in [false, true] {
            let mut tx = db.begin().await.unwrap();
            let bell = rung.clone();
            tx.after_commit(move || {
                bell.fetch_add(1, Ordering::SeqCst);
            });
            if commit { tx.commit().await.unwrap() } else { drop(tx) }
        }
        assert_eq!(rung.load(Ordering::SeqCst), 1);
    }
}
