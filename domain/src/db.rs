//! The one place that opens the database and begins transactions. On SQLite a single connection writes and a few read,
//! and every connection proves its pragmas before it is used; what differs by database is decided here and nowhere above.

use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqliteTransactionMode,
    SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::str::FromStr;
use std::time::Duration;

/// How long a statement waits for the writer before the caller is told that the database is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// The database: one handle that reads, one that writes.
#[derive(Clone, Debug)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names a database we do not speak.
    #[error("DATABASE_URL must begin with sqlite:// and name a file")]
    Url,
    /// An in-memory database would lose everything at the end of the process.
    #[error("an in-memory SQLite database would lose every message when the process ends; name a file in DATABASE_URL")]
    InMemory,
    /// The database answered with an error.
    #[error("the database could not be opened: {0}")]
    Sqlx(#[from] sqlx::Error),
}

impl Db {
    /// Opens the database named by `url`, e.g. `sqlite://retail-assist.db?mode=rwc`.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        if !url.starts_with("sqlite:") {
            return Err(OpenError::Url);
        }
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(OpenError::InMemory);
        }
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            // Keeps the write-ahead log from staying large for ever after one long backlog.
            .pragma("journal_size_limit", "67108864");
        let write = pool(1, options.clone()).await?;
        let read = pool(READERS, options.create_if_missing(false).read_only(true)).await?;
        Ok(Self { read, write })
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
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self.write.begin_with_options(options).await?;
        Ok(Tx { inner, after_commit: Vec::new() })
    }

    /// Closes every connection; statements after this fail.
    pub async fn close(self) -> Result<(), DbErr> {
        self.read.close().await?;
        self.write.close().await
    }
}

async fn pool(connections: u32, options: SqliteConnectOptions) -> Result<DatabaseConnection, OpenError> {
    // A pool tries a refused connection again until its time is out; alone, its error is the answer.
    let mut first = first_connection(&options).await?;
    assert_pragmas(&mut first).await?;
    first.close().await?;
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(assert_pragmas(connection)))
        // A full disk makes SQLite end a transaction by itself. The driver still counts it, so that the next "transaction"
        // would be a savepoint inside one that is never committed: its commit would succeed and keep nothing. Such a
        // connection is closed and replaced.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_with(options)
        .await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// While another process turns a new file to its write-ahead log, SQLite says "locked" at once and does not wait by itself.
async fn first_connection(options: &SqliteConnectOptions) -> Result<sqlx::SqliteConnection, sqlx::Error> {
    let deadline = tokio::time::Instant::now() + ACQUIRE_TIMEOUT;
    loop {
        match sqlx::SqliteConnection::connect_with(options).await {
            Err(error) if is_locked(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    matches!(code.map(|code| code & 0xff), Some(5 | 6))
}

/// A connection that would acknowledge what a power cut can take back is refused.
async fn assert_pragmas(connection: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
    const EXPECTED: [(&str, &str, &str); 4] = [
        ("PRAGMA journal_mode", "journal_mode", "wal"),
        ("PRAGMA synchronous", "synchronous", "2"),
        ("PRAGMA foreign_keys", "foreign_keys", "1"),
        ("PRAGMA busy_timeout", "busy_timeout", "5000"),
    ];
    for (statement, name, expected) in EXPECTED {
        let row = sqlx::query(statement).fetch_one(&mut *connection).await?;
        let found = pragma_value(&row)?;
        if found != expected {
            let message =
                format!("SQLite has {name} = {found} where {expected} is needed; is the file on a network drive?");
            return Err(sqlx::Error::Configuration(message.into()));
        }
    }
    Ok(())
}

fn pragma_value(row: &sqlx::sqlite::SqliteRow) -> Result<String, sqlx::Error> {
    use sqlx::Row as _;
    row.try_get::<i64, _>(0).map(|n| n.to_string()).or_else(|_| row.try_get::<String, _>(0))
}

/// A transaction, and what is to happen once it is committed (ringing a bell for its jobs). Dropped uncommitted, it rolls
/// back and nothing of that happens.
pub struct Tx {
    inner: DatabaseTransaction,
    after_commit: Vec<Box<dyn FnOnce() + Send + Sync>>,
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

    /// Commits, then does what was remembered.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.inner.commit().await?;
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
    match code.parse::<u32>() {
        // SQLite's extended result codes keep the primary code in the low byte: BUSY, LOCKED, NOMEM, READONLY, IOERR,
        // CORRUPT, FULL, CANTOPEN, PROTOCOL.
        Ok(code) if code < 10_000 => matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 11 | 13 | 14 | 15),
        // SQLSTATE classes: connection, rollback (deadlock), resources, operator intervention, system.
        _ => ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)),
    }
}

/// True when a unique key refused the row.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::ConnectionTrait;

    #[tokio::test]
    async fn every_connection_is_durable_and_the_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let db = Db::open(&url).await.unwrap();
        db.write().execute_unprepared("CREATE TABLE t (a INTEGER)").await.unwrap();
        assert!(db.read().execute_unprepared("INSERT INTO t VALUES (1)").await.is_err());
        db.close().await.unwrap();
    }

    #[tokio::test]
    async fn addresses_that_would_lose_data_are_refused() {
        assert!(matches!(Db::open("sqlite::memory:").await, Err(OpenError::InMemory)));
        assert!(matches!(Db::open("mysql://x").await, Err(OpenError::Url)));
        let missing = Db::open("sqlite:///nonexistent/dir/x.db?mode=rwc").await;
        assert!(matches!(missing, Err(OpenError::Sqlx(_))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_another_process_is_just_writing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        // Not in its write-ahead log yet, and busy.
        let plain = SqliteConnectOptions::from_str(&url).unwrap().journal_mode(SqliteJournalMode::Delete);
        let mut other = sqlx::SqliteConnection::connect_with(&plain).await.unwrap();
        sqlx::query("CREATE TABLE t (a INTEGER)").execute(&mut other).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let opening = tokio::spawn(async move { Db::open(&url).await.map(|_| ()) });
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::query("COMMIT").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        opening.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_weaker_connection_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let weak = SqliteConnectOptions::from_str(&url)
            .unwrap()
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Normal);
        let error = pool(1, weak).await.unwrap_err().to_string();
        assert!(error.contains("synchronous = 1"), "{error}");
    }

    /// SQLite ends a transaction by itself when the disk is full; here a trigger makes it do so.
    #[tokio::test]
    async fn a_transaction_that_the_database_ended_does_not_swallow_the_next_ones() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let db = Db::open(&url).await.unwrap();
        let schema = "CREATE TABLE t (a INTEGER); CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a < 0 \
                      BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END";
        db.write().execute_unprepared(schema).await.unwrap();
        let tx = db.begin().await.unwrap();
        assert!(tx.conn().execute_unprepared("INSERT INTO t VALUES (-1)").await.is_err());
        drop(tx);
        drop(db.begin().await.unwrap());
        let tx = db.begin().await.unwrap();
        tx.conn().execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
        tx.commit().await.unwrap();
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT count(*) FROM t");
        let row = db.read().query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 1, "committed means that others see it");
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
