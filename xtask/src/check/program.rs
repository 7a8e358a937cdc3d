//! The built program as a child: started on free ports in a directory of its own, stopped by SIGTERM, and never left behind.
//! It ends when its standard input closes, so it ends with us even when we are killed.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// From the start to the line that says it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// From SIGTERM to the end.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// The same, when nothing is under way that would have to be waited for.
const IDLE_STOP_WITHIN: Duration = Duration::from_secs(10);

/// The running program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: Log,
    _dir: TempDir,
}

/// What it wrote on standard error.
#[derive(Debug)]
pub struct Log(PathBuf);

impl Log {
    /// Its last lines, while the program's directory is there.
    pub fn last(&self, lines: usize) -> Vec<String> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let all: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }
}

impl Program {
    /// Starts it; returns what it says once it is ready.
    pub async fn start(path: &Path) -> anyhow::Result<(Self, Value)> {
        let dir = TempDir::with_prefix("retail-assist-check-")?;
        let log = dir.path().join("log");
        let mut child = Command::new(path)
            .args(["demo", "--json", "--until-stdin-closes", "--port", "0", "--sandbox-port", "0", "--dir"])
            .arg(dir.path())
            // Settings of whoever runs the check are not the demo's.
            .env_clear()
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .context("the program could not be started")?;
        let out = child.stdout.take().context("the program has no standard output")?;
        let mut lines = BufReader::new(out).lines();
        let log = Log(log);
        let line = match tokio::time::timeout(READY_WITHIN, lines.next_line()).await {
            Ok(line) => line?,
            Err(_elapsed) => bail!("the program is not ready after {} s", READY_WITHIN.as_secs()),
        };
        let Some(line) = line else { bail!("the program ended at once: {}", log.last(5).join(" / ")) };
        let facts = serde_json::from_str(&line).context("the program's first line is not JSON")?;
        Ok((Self { child, log, _dir: dir }, facts))
    }

    /// What it wrote on standard error so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Asks it to end, as a service manager would, and waits. It is idle by now, so it has no reason to take its time.
    pub async fn stop(&mut self) -> anyhow::Result<String> {
        let id = self.child.id().context("the program had ended before it was asked to")?;
        let asked = Instant::now();
        let told = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id.to_string()]).status().await?;
        ensure!(told.success(), "the signal could not be sent");
        let Ok(status) = tokio::time::timeout(STOP_WITHIN, self.child.wait()).await else {
            self.child.kill().await?;
            bail!("it was still running {} s after SIGTERM and was killed", STOP_WITHIN.as_secs());
        };
        let (status, took) = (status?, asked.elapsed());
        ensure!(status.success(), "it ended with {status} after SIGTERM");
        ensure!(took <= IDLE_STOP_WITHIN, "it was idle, and yet took {:.1} s to end after SIGTERM", took.as_secs_f64());
        Ok(format!("SIGTERM ended the idle program with exit code 0 after {:.1} s.", took.as_secs_f64()))
    }
}
