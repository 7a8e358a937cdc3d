//! Servers of a test's own, so that the test may kill and flush them, and what there is to see of a bell in each.

use redis::{Client, FromRedisValue};
use std::time::Duration;

/// A Redis that keeps nothing.
pub struct Redis(testbed::Redis);

impl Redis {
    pub fn start() -> Self {
        Self(testbed::Redis::start().unwrap())
    }

    pub fn url(&self) -> String {
        self.0.url(0)
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    pub fn start_again(&mut self) {
        self.0.start_again().unwrap();
    }

    pub fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    /// Runs one command.
    pub async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = self.client().get_multiplexed_async_connection().await.unwrap();
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name).arg(arguments).query_async(&mut connection).await.unwrap()
    }

    /// Rings of the queue `send` that nobody has taken.
    pub async fn waiting(&self) -> usize {
        self.ask::<usize>(&["ZCARD", "retail-assist:bell:send:scheduled"]).await
            + self.ask::<usize>(&["LLEN", "retail-assist:bell:send:active"]).await
    }

    /// Waits until no ring is on its way any more: one that a job did not need wakes for the next.
    pub async fn until_quiet(&self) {
        while self.waiting().await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }

    /// Waits until so many listeners of the queue `send` are registered.
    pub async fn until_listened(&self, listeners: usize) {
        for _ in 0..1_000 {
            if self.ask::<usize>(&["ZCARD", "retail-assist:bell:send:workers"]).await >= listeners {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are no {listeners} listeners");
    }
}

/// A Postgres.
pub struct Postgres(testbed::Postgres);

impl Postgres {
    pub fn start() -> Self {
        Self(testbed::Postgres::start().unwrap())
    }

    pub fn url(&self) -> String {
        self.0.url("postgres")
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    pub fn start_again(&mut self) {
        self.0.start_again().unwrap();
    }

    /// Runs one statement.
    pub fn run(&self, statement: &str) -> String {
        self.0.run("postgres", statement).unwrap()
    }

    /// Waits until so many processes listen, and a moment longer, for what they look for when they begin to.
    pub async fn until_listened(&self, listeners: usize) {
        let count = "SELECT count(*) FROM pg_stat_activity \
                     WHERE application_name = 'retail-assist bell' AND query LIKE 'LISTEN%'";
        for _ in 0..1_000 {
            if self.run(count).trim().parse::<usize>().unwrap() >= listeners {
                return tokio::time::sleep(Duration::from_millis(200)).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are no {listeners} listeners");
    }
}
