//! SQLite: a single connection writes and a few read, in write-ahead mode and with every commit on the disk. The pragmas are
//! proved on every connection, for a driver or a build may know other defaults.

use super::{ACQUIRE_TIMEOUT, OpenError};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

const READERS: u32 = 4;

/// How a connection is made.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, OpenError> {
    Ok(SqliteConnectOptions::from_str(url)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE_TIMEOUT)
        // Keeps the write-ahead log from staying large for ever after one long backlog.
        .pragma("journal_size_limit", "67108864"))
}

/// The readers and the writer.
pub(super) async fn open(options: SqliteConnectOptions) -> Result<(DatabaseConnection, DatabaseConnection), OpenError> {
    let write = pool(1, options.clone()).await?;
    let read = pool(READERS, options.create_if_missing(false).read_only(true)).await?;
    Ok((read, write))
}

/// Locks a file beside the database.
pub(super) async fn lock_schema(database: &Path) -> Result<File, OpenError> {
    let path = PathBuf::from(format!("{}.migrating", database.display()));
    let lock = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    });
    lock.await.map_err(std::io::Error::other).flatten().map_err(OpenError::Lock)
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

#[cfg(test)]
mod tests {
    use super::super::Db;
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
}
