//! A Postgres server of our own, on a free port of this machine and in a directory that goes with it.
//! It keeps what it acknowledged through a crash (`fsync` stays on), because that is part of what is tested.

use crate::programs::{Programs, user};
use crate::server::{Server, Start};
use crate::{port, psql};
use anyhow::{Context as _, bail, ensure};
use rustix::fs::statvfs;
use rustix::process::{Signal, geteuid};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a server in memory may come to need, in bytes.
const MEMORY: u64 = 6 << 30;

/// A server, ended and removed when dropped. It also ends when the process that started it is killed.
#[derive(Debug)]
pub struct Postgres {
    // Ended before its directory is removed.
    server: Option<Server>,
    programs: Programs,
    port: u16,
    settings: Vec<String>,
    dir: TempDir,
}

impl Postgres {
    /// What a server would be started from, e.g. `postgres (PostgreSQL) 15.18`; an error where there is none.
    pub fn installed() -> anyhow::Result<String> {
        Programs::find().map(|programs| programs.version)
    }

    /// Makes a new cluster and starts a server on it.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// The same with settings of its own, e.g. `fsync=off`.
    pub fn start_with(settings: &[&str]) -> anyhow::Result<Self> {
        Self::start_in(std::env::temp_dir().as_path(), settings)
    }

    /// The same with its files in memory, where this machine gives enough of it away: for hundreds of short-lived databases,
    /// whose tests would otherwise mostly wait for the disk.
    pub fn start_in_memory() -> anyhow::Result<Self> {
        let memory = Path::new("/dev/shm");
        let room = statvfs(memory).map_or(0, |room| room.f_bavail * room.f_frsize);
        if room < MEMORY { Self::start() } else { Self::start_in(memory, &[]) }
    }

    fn start_in(place: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let programs = Programs::find()?;
        let dir = TempDir::with_prefix_in("testbed-postgres-", place)?;
        if let Some((user, group)) = owner()? {
            chown(dir.path(), Some(user), Some(group))?;
        }
        initialize(&programs, dir.path())?;
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut postgres = Self { server: None, programs, port: port::free()?, settings, dir };
        for _ in 0..3 {
            // Somebody may take the port between our look and the start.
            match postgres.start_again() {
                Err(error) if format!("{error:#}").contains("in use") => postgres.port = port::free()?,
                done => return done.map(|()| postgres),
            }
        }
        bail!("Postgres found no free port")
    }

    /// The address of one of its databases; `postgres` is there from the start. Anybody on this machine may come in.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Its main process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// Runs one statement in one of its databases; returns what it selected.
    pub fn run(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        psql::run(&self.url(database), statement)
    }

    /// Kills it with all its processes, as a crash would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.server.take().context("Postgres is not running")?.crash()
    }

    /// Ends it as an administrator would: open transactions are rolled back, and what is committed is written down.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.server.take().context("Postgres is not running")?.stop(Signal::INT)
    }

    /// Starts it where it was killed or stopped: same port, same data.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "Postgres is running already");
        let (dir, data) = (self.dir.path(), data(self.dir.path()));
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(&data).arg("-p").arg(self.port.to_string());
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", dir.display()),
            // Many processes with pools of their own are part of what is tested.
            "max_connections=400".to_owned(),
            "shared_buffers=128MB".to_owned(),
            "max_wal_size=1GB".to_owned(),
            "fsync=on".to_owned(),
            "synchronous_commit=on".to_owned(),
            "full_page_writes=on".to_owned(),
        ];
        // The last one of a name counts.
        for setting in settings.iter().chain(&self.settings) {
            command.arg("-c").arg(setting);
        }
        let command = as_owner(command, dir)?;
        self.server = Some(Server::start(Start { command, dir, quick: Signal::QUIT }, |id| is_ready(&data, id))?);
        Ok(())
    }
}

fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// The server does not run as root; then it runs as the user that its package made.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    geteuid().is_root().then(|| user("postgres")).transpose()
}

fn as_owner(mut command: Command, dir: &Path) -> anyhow::Result<Command> {
    command.current_dir(dir);
    if let Some((user, group)) = owner()? {
        // Our other groups are left behind with this.
        command.gid(group).uid(user);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// The server writes into its file what it is doing; "ready" of one that was killed names another process.
fn is_ready(data: &Path, id: u32) -> bool {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = file.lines();
    lines.next().is_some_and(|line| line.trim() == id.to_string()) && lines.nth(6).is_some_and(|s| s.trim() == "ready")
}

/// A new cluster that sorts text as people do and not by its bytes, as most servers out there: a statement that relies on the
/// order of bytes must not pass here and fail there.
fn initialize(programs: &Programs, dir: &Path) -> anyhow::Result<()> {
    const LOCALES: [&[&str]; 3] = [
        &["--locale=en_US.UTF-8"],
        &["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"],
        &["--locale=C.UTF-8"],
    ];
    let mut said = String::new();
    for locale in LOCALES {
        let mut command = programs.command("initdb");
        command.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "-D"]).arg(data(dir)).args(locale);
        let done = as_owner(command, dir)?.stdin(Stdio::null()).output().context("initdb could not be started")?;
        if done.status.success() {
            return Ok(());
        }
        // It leaves nothing behind when it fails.
        said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    }
    bail!("initdb: {said}")
}
