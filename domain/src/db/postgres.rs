//! Postgres: one pool, and every connection proves that the server keeps what it commits and can be written to. Settings of
//! the session bound how long a process that stands still can keep others waiting, and keep plans on the indexes.

use super::ACQUIRE_TIMEOUT;
use super::OpenError;
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use std::str::FromStr as _;
use std::time::Duration;
use tokio::time::Instant;

/// The oldest version that the tests run on.
const OLDEST: i32 = 15;
/// How long a start waits for a server that is just starting itself.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Names the lock under which the schema is changed.
const SCHEMA_LOCK: i64 = 0x5265_7461_696c;

/// What every session is told.
const SESSION: [(&str, &str); 9] = [
    // A process that was stopped in the middle of a transaction must not hold its rows for ever; no transaction of ours waits
    // for anything but the database.
    ("idle_in_transaction_session_timeout", "15s"),
    ("lock_timeout", "5s"),
    // A machine that vanished without a word gives its rows back after a minute.
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    // Every statement of ours has an index. A table that was empty when a plan was made, or has no statistics yet, must not
    // be read from end to end for each claim once it has grown, nor all that is due be collected and sorted to take the
    // first hundred.
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    // What the server says besides errors is about our own migrations.
    ("client_min_messages", "warning"),
    // Compiling a statement takes longer than running one of ours.
    ("jit", "off"),
];

/// What may stand after the question mark. The driver would write any other into the log, and it may be a part of a
/// password.
pub(super) const PARAMETERS: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options", "statement-cache-capacity"];

/// How long an opening waits for a server that is just starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// A machine that starts everything at once starts us before its database is there.
    Start,
    /// What is refused now is the answer.
    None,
}

/// How a connection is made.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let mut names = parameters.split('&').filter(|text| !text.is_empty()).map(|text| text.split('=').next());
    if names.any(|name| name.is_none_or(|name| !PARAMETERS.contains(&name))) {
        return Err(OpenError::Parameter);
    }
    let options = PgConnectOptions::from_str(url)?;
    Ok(options.application_name("retail-assist").options(SESSION))
}

/// The pool.
pub(super) async fn open(
    options: PgConnectOptions,
    connections: u32,
    patience: Patience,
) -> Result<DatabaseConnection, OpenError> {
    // A pool tries a refused connection again until its time is out; alone, its error is the answer.
    let mut first = first_connection(&options, patience).await?;
    assert_durable(&mut first).await?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(assert_durable(connection)))
        .connect_with(options)
        .await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn first_connection(options: &PgConnectOptions, patience: Patience) -> Result<PgConnection, sqlx::Error> {
    let deadline = Instant::now() + START_WITHIN;
    let mut pause = Duration::from_millis(100);
    loop {
        match PgConnection::connect_with(options).await {
            Err(error) if patience == Patience::Start && is_starting(&error) && Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for Postgres");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            done => return done,
        }
    }
}

fn is_starting(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof};
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), ConnectionRefused | ConnectionReset | ConnectionAborted | UnexpectedEof)
        }
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

/// A server that would acknowledge what a power cut can take back is refused, and so is one that cannot be written to.
async fn assert_durable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (version, fsync, synchronous_commit, full_page_writes, standby): (i32, String, String, String, bool) =
        sqlx::query_as(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'), \
             current_setting('synchronous_commit'), current_setting('full_page_writes'), pg_is_in_recovery()",
        )
        .fetch_one(connection)
        .await?;
    let refuse = |what: String| Err(sqlx::Error::Configuration(what.into()));
    if version < OLDEST {
        return refuse(format!("this is Postgres {version}; {OLDEST} or later is needed"));
    }
    for (name, found) in [("fsync", fsync), ("full_page_writes", full_page_writes)] {
        if found == "off" {
            return refuse(format!(
                "Postgres has {name} = off and could lose what it has acknowledged when the power fails; \
                 set {name} = on in postgresql.conf and reload it"
            ));
        }
    }
    if synchronous_commit == "off" {
        return refuse(
            "Postgres has synchronous_commit = off and could lose what it has acknowledged when the machine fails; set it \
             to on, in postgresql.conf or with ALTER ROLE … RESET synchronous_commit and ALTER DATABASE … RESET \
             synchronous_commit"
                .to_owned(),
        );
    }
    if standby {
        return refuse("this Postgres is a standby and takes no writes; name the primary in DATABASE_URL".to_owned());
    }
    Ok(())
}

/// Takes an advisory lock on a connection of its own, and waits for it as long as another process holds it.
pub(super) async fn lock_schema(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&options.clone().options([("lock_timeout", "0")])).await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(SCHEMA_LOCK).execute(&mut connection).await?;
    Ok(connection)
}
