//! A Redis of a test's own, so that the test may kill it and flush it. On a free port of this machine, keeping nothing.

use redis::{Client, FromRedisValue};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
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

/// A Postgres of a test's own, so that the test may kill it.
pub struct Postgres {
    port: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

impl Postgres {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(dir.path(), Some(user()), None).unwrap();
        let made = Command::new(format!("{PROGRAMS}/initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(dir.path().join("data"))
            .uid(user())
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Self { port, dir, child: None };
        postgres.start_again().await;
        postgres
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        // Its children end by themselves, and quickly.
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(500));
    }

    pub async fn start_again(&mut self) {
        let child = Command::new(format!("{PROGRAMS}/postgres"))
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.dir.path().display()))
            .uid(user())
            .current_dir(self.dir.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..500 {
            if sea_orm::Database::connect(self.url()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("Postgres did not start");
    }

    /// Runs one statement; returns its first value, if that is a number.
    pub async fn run(&self, sql: &str) -> Option<i64> {
        use sea_orm::{ConnectionTrait, DbBackend, Statement};
        let db = sea_orm::Database::connect(self.url()).await.unwrap();
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
        row.and_then(|row| row.try_get_by_index(0).ok())
    }

    pub async fn until_listened(&self, listeners: i64) {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'retail-assist bell' AND query LIKE 'LISTEN%'";
        for _ in 0..1_000 {
            if self.run(count).await.unwrap() >= listeners {
                return tokio::time::sleep(Duration::from_millis(200)).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are no {listeners} listeners");
    }
}

fn user() -> u32 {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).unwrap();
    line.split(':').nth(2).unwrap().parse().unwrap()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone_already = child.kill();
            let _gone_already = child.wait();
        }
    }
}
