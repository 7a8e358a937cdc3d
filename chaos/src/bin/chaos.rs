//! The driver: starts everything, lets the checker deliver, and meanwhile kills or replaces processes and servers. The verdict
//! is the checker's, and so is the exit code.

use anyhow::{Context as _, anyhow, ensure};
use chaos::faults;
use chaos::fleet::Fleet;
use chaos::meta::client::Target;
use chaos::options::Options;
use chaos::servers::Servers;
use chaos::world::{Balance, Deeds, World};
use chaos::{output, rolling, shops};
use clap::Parser;
use serde_json::json;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Instant;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask chaos",
    bin_name = "cargo xtask chaos",
    about = "Run everything in many processes, kill them and their servers under load, and judge what became of every message.",
    override_usage = "cargo xtask chaos [--release] [OPTIONS]",
    after_help = "With --release everything is built optimised before; long runs need it."
)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::progress(&format!("chaos: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs in a directory that is kept when the run fails.
async fn run(options: Options) -> anyhow::Result<bool> {
    let (mut dir, mut terminate) = (TempDir::with_prefix("retail-assist-chaos-")?, signal(SignalKind::terminate())?);
    // Whoever asks us to end has the children ended too, which they are when the run's future is dropped.
    let passed = tokio::select! {
        passed = in_directory(&options, dir.path()) => passed,
        _ = terminate.recv() => Err(anyhow!("asked to end")),
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    if options.keep || !matches!(passed, Ok(true)) {
        dir.disable_cleanup(true);
        output::progress(&format!("the logs are in {}", dir.path().display()));
    }
    passed
}

async fn in_directory(options: &Options, dir: &Path) -> anyhow::Result<bool> {
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    output::progress(&format!("seed {seed}; logs in {}", dir.display()));
    let servers = {
        let (setup, dir) = (options.setup, dir.to_owned());
        tokio::task::spawn_blocking(move || Servers::start(setup, &dir)).await??
    };
    let fleet = Fleet::prepare(options, &servers, dir).await?;
    let accounts = shops::open(&fleet).await?;
    if options.pauses > 0 {
        // Many calls are open at any time, so that a worker that is stopped has some of them; and for half of what was sent
        // then, its late answer is the only news.
        let slow = json!({ "name": "slow_answer", "params": { "ms": 500 } });
        for fault in [slow, json!({ "name": "no_echo", "rate": 0.5 })] {
            fleet.sandbox.post("faults", fault).await?;
        }
    }
    for (name, percent, params) in [
        ("answer_lost", options.lost_answers, json!({ "how": "reset" })),
        ("timeout_after_accept", options.late_answers, json!({ "ms": 60_000 })),
    ] {
        if percent > 0 {
            let fault = json!({ "name": name, "rate": f64::from(percent) / 100.0, "params": params });
            fleet.sandbox.post("faults", fault).await?;
        }
    }
    for member in &fleet.members {
        member.start().await?;
    }
    for address in fleet.addresses() {
        rolling::until_ready(&Target::new(address)).await?;
    }
    output::progress("two API processes and two workers are ready");
    let world = World {
        dir: dir.to_owned(),
        database_url: servers.database_url().to_owned(),
        sandbox: fleet.sandbox_url.clone(),
        apis: fleet.addresses(),
        balance: if options.rolling > 0 { Balance::Ready } else { Balance::Alternate },
        accounts,
        seed,
        webhooks: options.webhooks,
        rate: options.rate,
        redelivered: options.redelivered,
        answered: options.answered,
        final_within: options.final_within,
        echoes: options.pauses == 0,
    };
    let path = world.write()?;
    let mut checker = Checker::deliver(&path).await?;
    let mut deeds = if options.rolling > 0 {
        let began = Instant::now();
        let deeds = checker.beside(rolling::run(&fleet, options.rolling)).await?;
        ensure!(
            began.elapsed() < options.span(),
            "the webhooks ran out before the last round was over; raise --webhooks"
        );
        checker.stop();
        deeds
    } else {
        let planned = faults::plan(options, seed);
        checker.beside(faults::run(&fleet, &servers, &planned)).await?
    };
    checker.finish().await?;
    finish(&fleet, &mut deeds).await;
    deeds.write(&world)?;
    judged(&path).await
}

/// All has been put right again; what ended meanwhile without being asked to is counted.
async fn finish(fleet: &Fleet, deeds: &mut Deeds) {
    for member in &fleet.members {
        deeds.ended_by_themselves += member.ended_by_itself().await;
    }
    deeds.healed_at = output::now();
    output::progress("everything is acknowledged, and everything runs");
}

/// The checker while it delivers.
struct Checker {
    child: Child,
    /// Held apart from the child, which would close it while it is waited for.
    input: Option<ChildStdin>,
}

impl Checker {
    /// Starts it, and returns when it begins to deliver.
    async fn deliver(world: &Path) -> anyhow::Result<Self> {
        let mut child = checker("deliver", world)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().context("the checker has no standard output")?;
        let told = BufReader::new(out).lines().next_line().await?;
        ensure!(told.is_some(), "the checker ended before it began");
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Does something while it delivers. It may finish first; but when it fails, nothing else matters.
    async fn beside<T>(&mut self, deeds: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut deeds = std::pin::pin!(deeds);
        tokio::select! {
            done = &mut deeds => done,
            ended = self.child.wait() => {
                let status = ended?;
                ensure!(status.success(), "the checker could not deliver everything");
                deeds.await
            }
        }
    }

    /// Nothing more is made.
    fn stop(&mut self) {
        drop(self.input.take());
    }

    /// Waits until everything is acknowledged.
    async fn finish(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait().await?;
        ensure!(status.success(), "the checker could not deliver everything");
        Ok(())
    }
}

/// The verdict.
async fn judged(world: &Path) -> anyhow::Result<bool> {
    Ok(checker("judge", world)?.stdin(Stdio::null()).status().await?.success())
}

fn checker(what: &str, world: &Path) -> anyhow::Result<Command> {
    let beside = std::env::current_exe()?.with_file_name("chaos-checker");
    let mut command = Command::new(&beside);
    command.args([what, "--world"]).arg(world).env(output::BEGAN_AT, output::began().to_string()).kill_on_drop(true);
    Ok(command)
}
