//! A Redis server of our own, on a free port of this machine; with an append-only file if it is to remember through a crash.
//! It has many databases, so that each test has one to itself.

use crate::port;
use crate::server::{LOG, Server, Start};
use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const PROGRAM: &str = "redis-server";
/// How many databases it has; number 0 is where the numbers of the others are given out.
pub(crate) const DATABASES: u32 = 4096;

/// A server, ended and removed when dropped. It also ends when the process that started it is killed.
#[derive(Debug)]
pub struct Redis {
    // Ended before its directory is removed.
    server: Option<Server>,
    remembers: bool,
    port: u16,
    dir: TempDir,
}

impl Redis {
    /// What a server would be started from, e.g. `Redis server v=7.0.15 …`; an error where there is none.
    pub fn installed() -> anyhow::Result<String> {
        let told = Command::new(PROGRAM).arg("--version").output().context("no redis-server in PATH")?;
        Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    }

    /// Starts one that forgets everything when it is killed.
    pub fn start() -> anyhow::Result<Self> {
        Self::new(false)
    }

    /// Starts one that writes down everything before it answers.
    pub fn that_remembers() -> anyhow::Result<Self> {
        Self::new(true)
    }

    fn new(remembers: bool) -> anyhow::Result<Self> {
        let dir = TempDir::with_prefix("testbed-redis-")?;
        let mut redis = Self { server: None, remembers, port: port::free()?, dir };
        for _ in 0..3 {
            // Somebody may take the port between our look and the start.
            match redis.start_again() {
                Err(error) if format!("{error:#}").contains("in use") => redis.port = port::free()?,
                done => return done.map(|()| redis),
            }
        }
        bail!("Redis found no free port")
    }

    /// The address of one of its databases.
    pub fn url(&self, database: u32) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// Runs one command in a database; the parts must have no spaces. Returns the first line of the answer.
    pub fn run(&self, database: u32, command: &str) -> anyhow::Result<String> {
        ask(self.address(), &[&format!("SELECT {database}"), command])
    }

    /// Forgets everything in every database, as an operator's hand could.
    pub fn flush_all(&self) -> anyhow::Result<()> {
        self.run(0, "FLUSHALL").map(|_done| ())
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.server.take().context("Redis is not running")?.crash()
    }

    /// Ends it as an administrator would.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.server.take().context("Redis is not running")?.stop(Signal::TERM)
    }

    /// Starts it where it was killed or stopped: same port, and what it wrote down.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "Redis is running already");
        let dir = self.dir.path();
        let mut command = Command::new(PROGRAM);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]).arg("--dir").arg(dir);
        command.args(["--databases", &DATABASES.to_string(), "--save", "", "--daemonize", "no"]);
        command.args(["--appendonly", if self.remembers { "yes" } else { "no" }, "--appendfsync", "always"]);
        let start = Start { command, dir, quick: Signal::TERM };
        // Asked at its address, another one could answer that was quicker to take it.
        let ready =
            |_| fs::read_to_string(dir.join(LOG)).is_ok_and(|said| said.contains("Ready to accept connections"));
        self.server = Some(Server::start(start, ready)?);
        Ok(())
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// Sends commands one after the other, and returns the first line of the last answer without its mark.
pub(crate) fn ask(address: SocketAddr, commands: &[&str]) -> anyhow::Result<String> {
    const WITHIN: Duration = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).context("Redis does not answer")?;
    stream.set_read_timeout(Some(WITHIN))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut answer = String::new();
    for command in commands {
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        answer.clear();
        answers.read_line(&mut answer)?;
        ensure!(!answer.starts_with('-') && !answer.is_empty(), "Redis: {command}: {}", answer.trim());
        if let Some(length) = answer.strip_prefix('$') {
            let there = !length.starts_with('-');
            answer.clear();
            if there {
                answers.read_line(&mut answer)?;
            }
        }
    }
    Ok(answer.trim_start_matches(['+', ':']).trim().to_owned())
}
