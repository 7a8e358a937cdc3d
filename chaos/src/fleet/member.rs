//! One process of the service: started again when it ends by itself, as a container's restart policy would, and killed, stopped
//! or replaced by the driver.

use super::Environment;
use crate::output;
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// From a start to being ready.
pub const READY_WITHIN: Duration = Duration::from_secs(60);
/// From SIGTERM to the end.
const END_WITHIN: Duration = Duration::from_secs(30);
/// Between looks whether it still runs.
const LOOK: Duration = Duration::from_millis(100);
/// Before it is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// A process of the service.
#[derive(Debug)]
pub struct Member {
    name: &'static str,
    program: PathBuf,
    command: &'static [&'static str],
    environment: Environment,
    address: Option<SocketAddr>,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    /// Standing still.
    paused: bool,
    /// Nobody asked it to end, and it did.
    ended_by_itself: u32,
}

impl Member {
    pub(super) fn new(
        name: &'static str,
        program: &Path,
        command: &'static [&'static str],
        environment: Environment,
        address: Option<SocketAddr>,
        log: PathBuf,
    ) -> Self {
        Self { name, program: program.to_owned(), command, environment, address, log, state: Mutex::default() }
    }

    /// As in [`super::SERVICES`].
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether it works rather than answers.
    pub fn is_worker(&self) -> bool {
        self.address.is_none()
    }

    /// How often it ended although nobody had asked it to.
    pub async fn ended_by_itself(&self) -> u32 {
        self.state.lock().await.ended_by_itself
    }

    /// Starts it, and from then on again whenever it ends by itself.
    pub async fn start(self: &Arc<Self>) -> anyhow::Result<()> {
        self.state.lock().await.child = Some(self.spawn()?);
        let member = self.clone();
        tokio::spawn(async move { member.watch().await });
        Ok(())
    }

    async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let mut state = self.state.lock().await;
            let Some(Ok(Some(status))) = state.child.as_mut().map(Child::try_wait) else { continue };
            state.ended_by_itself += 1;
            output::progress(&format!("{} ended by itself ({status}); {} says why", self.name, self.log.display()));
            tokio::time::sleep(RESTART_PAUSE).await;
            match self.spawn() {
                Ok(child) => state.child = Some(child),
                Err(error) => output::progress(&format!("{error:#}")),
            }
        }
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(self.command).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        command.spawn().with_context(|| format!("{} could not be started", self.name))
    }

    /// kill -9, a pause, and a new start. False, and nothing done, when it is down or standing still already.
    pub async fn kill(&self, pause: Duration) -> anyhow::Result<bool> {
        // Held throughout: nobody else touches it before it is up again.
        let Ok(mut state) = self.state.try_lock() else { return Ok(false) };
        if state.paused {
            return Ok(false);
        }
        let Some(mut child) = state.child.take() else { return Ok(false) };
        output::progress(&format!("kill -9 {}, for {:.1} s", self.name, pause.as_secs_f64()));
        child.kill().await?;
        tokio::time::sleep(pause).await;
        state.child = Some(self.spawn()?);
        Ok(true)
    }

    /// SIGSTOP, and SIGCONT after `pause`. False, and nothing done, when it is down or standing still already.
    pub async fn pause(&self, pause: Duration) -> anyhow::Result<bool> {
        let Ok(mut state) = self.state.try_lock() else { return Ok(false) };
        let Some(id) = state.child.as_ref().and_then(Child::id).filter(|_| !state.paused) else { return Ok(false) };
        output::progress(&format!("SIGSTOP {}, for {:.1} s", self.name, pause.as_secs_f64()));
        signal(id, Signal::STOP)?;
        state.paused = true;
        drop(state);
        tokio::time::sleep(pause).await;
        let mut state = self.state.lock().await;
        state.paused = false;
        signal(id, Signal::CONT)?;
        Ok(true)
    }

    /// SIGTERM, and a new start once it has ended; returns how long the end took.
    pub async fn replace(&self) -> anyhow::Result<Duration> {
        let mut state = self.state.lock().await;
        let mut child = state.child.take().context("it is not running")?;
        let asked = Instant::now();
        signal(child.id().context("it had ended")?, Signal::TERM)?;
        let Ok(status) = tokio::time::timeout(END_WITHIN, child.wait()).await else {
            child.kill().await?;
            bail!("{} was still running {} s after SIGTERM", self.name, END_WITHIN.as_secs());
        };
        let (status, took) = (status?, asked.elapsed());
        ensure!(status.success(), "{} ended with {status} after SIGTERM", self.name);
        state.child = Some(self.spawn()?);
        Ok(took)
    }

    /// What its log holds so far, in bytes.
    pub fn log_length(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |file| file.len())
    }

    /// Waits until it says, beyond so many bytes of its log, that it listens or works.
    pub async fn until_up(&self, beyond: u64) -> anyhow::Result<()> {
        let words = if self.is_worker() { r#""working""# } else { r#""listening""# };
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let log = std::fs::read(&self.log).unwrap_or_default();
            let said = log.get(usize::try_from(beyond).unwrap_or(usize::MAX)..).unwrap_or_default();
            if String::from_utf8_lossy(said).contains(words) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} is not up after {} s", self.name, READY_WITHIN.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn signal(id: u32, signal: Signal) -> anyhow::Result<()> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).context("no process has this id")?;
    kill_process(id, signal).context("the signal could not be sent")
}
