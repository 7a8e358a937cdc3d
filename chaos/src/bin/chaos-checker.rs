//! The checker: delivers webhooks as Meta would and notes every step in a log of its own; then judges by that log, by plain SQL
//! and by what the local Meta counted. A process of its own, so that nothing the driver kills takes its memory with it.

use chaos::world::World;
use chaos::{deliver, judge, output};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::sync::oneshot;

/// Started by the driver.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: What,
    /// The file in which the driver describes the run.
    #[arg(long, global = true, default_value = "world.json")]
    world: PathBuf,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Deliver everything, until it is acknowledged; when standard input closes, nothing more is made.
    Deliver,
    /// Wait until all jobs are final, judge, and print the table.
    Judge,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = async {
        let world = World::read(&cli.world)?;
        match cli.command {
            What::Deliver => deliver::run(world, closed(), || output::line("delivering")).await.map(|()| true),
            What::Judge => judge::run(&world).await,
        }
    };
    match done.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::progress(&format!("checker: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Completes when nobody can write to our standard input any more. A thread of its own waits for that: one of the runtime's would
/// keep it from ending.
async fn closed() {
    let (closed, seen) = oneshot::channel();
    std::thread::spawn(move || {
        let _broken_is_closed = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _gone_already = closed.send(());
    });
    let _closed = seen.await;
}
