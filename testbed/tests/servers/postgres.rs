//! A Postgres server that is killed, stopped and started again.

use testbed::Postgres;

#[test]
fn what_was_committed_outlives_a_crash_and_a_stop() {
    let mut postgres = Postgres::start().unwrap();
    postgres.run("postgres", "CREATE DATABASE shop").unwrap();
    postgres.run("shop", "CREATE TABLE t (a BIGINT)").unwrap();
    let (url, mut before) = (postgres.url("shop"), postgres.pid());
    for round in 1..=3 {
        postgres.run("shop", &format!("INSERT INTO t VALUES ({round})")).unwrap();
        if round == 2 {
            postgres.stop().unwrap()
        } else {
            postgres.kill().unwrap()
        }
        assert!(postgres.pid().is_none() && postgres.run("shop", "SELECT 1").is_err());
        postgres.start_again().unwrap();
        assert_ne!(postgres.pid(), before);
        before = postgres.pid();
        assert_eq!(postgres.run("shop", "SELECT count(*) FROM t").unwrap(), round.to_string());
    }
    assert_eq!(postgres.url("shop"), url, "clients find it again");
}

#[test]
fn it_keeps_what_it_acknowledges_and_is_reached_from_this_machine_only() {
    let postgres = Postgres::start().unwrap();
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("server_encoding", "UTF8"),
        ("max_connections", "400"),
    ] {
        assert_eq!(postgres.run("postgres", &format!("SHOW {name}")).unwrap(), value, "{name}");
    }
}
