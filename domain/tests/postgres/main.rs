//! What opening a Postgres database promises: it is refused where it could lose what it acknowledged, waited for where it is
//! just starting, and one process at a time changes its schema. Each test has a server of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use domain::db::{Db, is_unavailable};
use migration::{Migrator, MigratorTrait as _};
use sea_orm::ConnectionTrait as _;
use std::time::{Duration, Instant};
use testbed::Postgres;

async fn refused(server: &Postgres) -> String {
    Db::open(&server.url("postgres")).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_could_lose_what_it_acknowledged_is_refused() {
    for (setting, cure) in [
        ("fsync=off", "set fsync = on"),
        ("full_page_writes=off", "set full_page_writes = on"),
        ("synchronous_commit=off", "synchronous_commit = off"),
    ] {
        let server = Postgres::start_with(&[setting]).unwrap();
        let said = refused(&server).await;
        assert!(said.contains(cure), "{setting}: {said}");
    }
}

/// A role or a database may have settings of its own; each new connection is asked, not only the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_made_weaker_later_takes_no_more_writes() {
    let server = Postgres::start().unwrap();
    let db = Db::open(&server.url("postgres")).await.unwrap();
    db.write().execute_unprepared("CREATE TABLE t (a int)").await.unwrap();
    server.run("postgres", "ALTER DATABASE postgres SET synchronous_commit = off").unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'retail-assist'";
    server.run("postgres", cut).unwrap();
    let error = db.write().execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert!(is_unavailable(&error), "{error}");
    server.run("postgres", "ALTER DATABASE postgres RESET synchronous_commit").unwrap();
    db.write().execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_no_password() {
    let server = Postgres::start().unwrap();
    let url = server.url("nowhere").replace("postgres@", "postgres:geheim@");
    let said = format!("{:?}", Db::open(&url).await.unwrap_err());
    assert!(said.contains("nowhere") && !said.contains("geheim"), "{said}");
    for unfit in ["postgres://u:12?geheim@host/db", "postgres://u@host/db?sslpassword=geheim"] {
        let said = Db::open(unfit).await.unwrap_err().to_string();
        assert!(said.contains("percent-encode") && !said.contains("geheim"), "{said}");
    }
    let db = Db::open(&server.url("postgres").replace("postgres@", "postgres:geheim@")).await.unwrap();
    assert!(!format!("{db:?}").contains("geheim"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_just_starting_is_waited_for_and_a_crash_is_outlived() {
    let mut server = Postgres::start().unwrap();
    let url = server.url("postgres");
    server.kill().unwrap();
    let opening = tokio::spawn(async move { Db::open(&url).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.start_again().unwrap();
    let db = opening.await.unwrap().unwrap();
    db.write().execute_unprepared("CREATE TABLE t (a int)").await.unwrap();
    server.kill().unwrap();
    let error = db.write().execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert!(is_unavailable(&error), "{error}");
    let error = db.begin().await.err().unwrap();
    assert!(is_unavailable(&error), "{error}");
    server.start_again().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = db.write().execute_unprepared("INSERT INTO t VALUES (1)").await {
        assert!(is_unavailable(&error) && Instant::now() < deadline, "{error}");
    }
}

/// Without the lock, two of them make the same table.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_change_the_schema_one_after_the_other() {
    let server = Postgres::start().unwrap();
    let start = async || {
        let db = Db::open(&server.url("postgres")).await.unwrap();
        let lock = db.lock_schema().await.unwrap();
        Migrator::up(db.write(), None).await.unwrap();
        drop(lock);
    };
    tokio::join!(start(), start(), start(), start());
}

/// Who stands still in the middle of a transaction must not keep its rows from the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stands_still_is_ended() {
    let server = Postgres::start().unwrap();
    let (stopped, other) =
        (Db::open(&server.url("postgres")).await.unwrap(), Db::open(&server.url("postgres")).await.unwrap());
    stopped.write().execute_unprepared("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await.unwrap();
    let tx = stopped.begin().await.unwrap();
    tx.conn().execute_unprepared("UPDATE t SET a = 2").await.unwrap();
    let began = Instant::now();
    let error = other.write().execute_unprepared("UPDATE t SET a = 3").await.unwrap_err();
    assert!(is_unavailable(&error), "who waits is told so after five seconds: {error}");
    while other.write().execute_unprepared("UPDATE t SET a = 3").await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    let error = tx.commit().await.unwrap_err();
    assert!(is_unavailable(&error), "{error}");
}
