//! Databases on servers: each test has its own, and nothing stays of it.

use testbed::{Database, Postgres, Redis, Setup};

#[test]
fn every_test_has_a_database_of_its_own_that_is_gone_after_it() {
    let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
    let (server, bell) = (postgres.url("postgres"), redis.url(0));
    let make = |setup| Database::on(setup, Some(&server), Some(&bell)).unwrap();
    let count = || postgres.run("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 't\\_%'").unwrap();
    let (one, other) = (make(Setup::PostgresRedis), make(Setup::PostgresRedis));
    assert_eq!(count(), "2");
    assert!(one.url() != other.url() && one.redis_url() != other.redis_url());
    let settings = [("DATABASE_URL", one.url()), ("REDIS_URL", one.redis_url().unwrap())];
    assert_eq!(one.settings(), settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(make(Setup::Postgres).redis_url(), None);
    assert_eq!(make(Setup::Sqlite).settings().len(), 1);
    drop((one, other));
    assert_eq!(count(), "0");
}

#[test]
fn a_database_refuses_writes_until_it_is_told_otherwise() {
    let postgres = Postgres::start().unwrap();
    let database = Database::on(Setup::Postgres, Some(&postgres.url("postgres")), None).unwrap();
    let (_, name) = database.url().rsplit_once('/').unwrap();
    postgres.run(name, "CREATE TABLE t (a BIGINT)").unwrap();
    let write = || postgres.run(name, "INSERT INTO t VALUES (1)");
    database.refuse_writes().unwrap();
    let refused = write().unwrap_err().to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");
    assert_eq!(postgres.run(name, "SELECT count(*) FROM t").unwrap(), "0", "it can still be read");
    database.allow_writes().unwrap();
    write().unwrap();
}
