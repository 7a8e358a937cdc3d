//! A server as a child process: started with its output in a file, killed as by a crash or ended in order, never left behind.
//! Beside it runs a shell that ends it when our end of a pipe closes, which it does however we come to our end.

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a server to be there, and for it to end.
const WITHIN: Duration = Duration::from_secs(30);

/// Waits for a line. Gets none, but the end of its input, when whoever started it is gone without a word.
const WATCH: &str = r#"
read -r _told && exit
kill -"$2" "$1" || exit
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; kill -0 "$1" || break; done
kill -KILL "$1"
rm -rf "$3"
"#;

/// Where in its directory it writes what it has to say, from its latest start on.
pub const LOG: &str = "log";

/// How a server is started, and how it is told to end at once.
#[derive(Debug)]
pub struct Start<'a> {
    /// What runs it.
    pub command: Command,
    /// Where it keeps everything; gone after it if nobody else removes it.
    pub dir: &'a Path,
    /// Ends it quickly, and lets it take what it holds of the machine with it.
    pub quick: Signal,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    watch: Child,
    quick: Signal,
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until `ready` says so.
    pub fn start(start: Start<'_>, ready: impl Fn(u32) -> bool) -> anyhow::Result<Self> {
        let Start { mut command, dir, quick } = start;
        let log = dir.join(LOG);
        let name = command.get_program().display().to_string();
        let out = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        // Signals that a terminal sends to whoever runs the tests are not for it.
        let child = command.process_group(0).spawn().with_context(|| format!("{name} could not be started"))?;
        let watch = match watch(&child, quick, dir) {
            Ok(watch) => watch,
            Err(error) => {
                end(child)?;
                return Err(error);
            }
        };
        let mut server = Self { child, watch, quick, log };
        let deadline = Instant::now() + WITHIN;
        while !ready(server.id()) {
            let ended = server.child.try_wait()?;
            ensure!(ended.is_none(), "{name} ended at once: {}", server.said());
            ensure!(Instant::now() < deadline, "{name} is not ready after {WITHIN:?}: {}", server.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to end, and waits.
    pub fn stop(mut self, signal: Signal) -> anyhow::Result<()> {
        self.signal(signal)?;
        ensure!(self.ended_within(WITHIN)?, "the server did not end within {WITHIN:?}: {}", self.said());
        Ok(())
    }

    /// Kills it and what it started, none of which can tidy up.
    pub fn crash(mut self) -> anyhow::Result<()> {
        // It stands still, so that it starts nothing while we look for what it started.
        self.signal(Signal::STOP)?;
        let children = children(self.child.id());
        self.signal(Signal::KILL)?;
        for child in &children {
            let _gone_already = kill_process(*child, Signal::KILL);
        }
        self.child.wait()?;
        let deadline = Instant::now() + WITHIN;
        while children.iter().any(|child| parent(child.as_raw_nonzero().get()).is_some()) {
            ensure!(Instant::now() < deadline, "a process of the killed server is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), signal).context("the server could not be signalled")
    }

    fn ended_within(&mut self, time: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + time;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(true)
    }

    /// The end of what it wrote.
    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join(" / ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let asked = self.signal(self.quick);
            if asked.is_err() || !self.ended_within(Duration::from_secs(10)).unwrap_or(false) {
                let _gone_already = self.child.kill();
                let _gone_already = self.child.wait();
            }
        }
        if let Some(mut told) = self.watch.stdin.take() {
            let _gone_already = told.write_all(b"\n");
        }
        let _gone_already = self.watch.wait();
    }
}

fn watch(child: &Child, quick: Signal, dir: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCH, "sh", &child.id().to_string(), &quick.as_raw().to_string()]).arg(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().context("sh could not be started")
}

fn end(mut child: Child) -> anyhow::Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// What the process started and is still there. Where there is no /proc, nothing: those of Postgres end by themselves when
/// they see that it is gone.
fn children(of: u32) -> Vec<Pid> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| parent(*id).is_some_and(|parent| parent == of)).filter_map(Pid::from_raw).collect()
}

/// The process that started this one, or whoever took its place; none for one that is gone or only waits to be counted.
fn parent(id: i32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind the name in parentheses, which may hold anything: state, parent.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.next()?.parse().ok() }
}
