//! A Redis of a test's own, so that the test may kill it and flush it. On a free port of this machine, keeping nothing.

use redis::{Client, FromRedisValue};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut redis = Self { port, child: None };
        redis.start_again().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub async fn start_again(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..500 {
            if let Ok(mut connection) = self.client().get_multiplexed_async_connection().await
                && redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server did not start");
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

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone_already = child.kill();
            let _gone_already = child.wait();
        }
    }
}
