//! What can be turned up: how much is sent, and what is killed meanwhile. The defaults are the everyday run of the test suite.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use testbed::Setup;

/// Kill processes and servers of a whole system under load, and judge what became of every message.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Webhooks to deliver, of 1 to 10 messages each.
    #[arg(long, default_value_t = 2_000)]
    pub webhooks: u32,
    /// Webhooks a second, redeliveries not counted.
    #[arg(long, default_value_t = 100)]
    pub rate: u32,
    /// Percent of the acknowledged webhooks that are delivered again, one to five times.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub redelivered: u8,
    /// Percent of the webhooks that are for accounts with an automatic reply.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub answered: u8,
    /// Percent of the sends that Meta takes and whose answer is lost: the connection is reset.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub lost_answers: u8,
    /// Percent of the sends that Meta takes without ever answering: the call ends by its own time limit, half a minute later.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub late_answers: u8,
    /// kill -9 of an API or worker process, at random.
    #[arg(long, default_value_t = 4)]
    pub kills: u32,
    /// FLUSHALL of Redis, where there is one.
    #[arg(long, default_value_t = 1)]
    pub redis_flushes: u32,
    /// kill -9 of Redis, where there is one, a pause, and a new start with nothing in it.
    #[arg(long, default_value_t = 1)]
    pub redis_restarts: u32,
    /// Immediate stop of Postgres (no tidying up), where there is one, a pause, and a new start.
    #[arg(long, default_value_t = 1)]
    pub postgres_restarts: u32,
    /// SIGSTOP of a worker for longer than its lease, then SIGCONT.
    #[arg(long, default_value_t = 0)]
    pub pauses: u32,
    /// Instead of faults: so many rounds in which each process is ended by SIGTERM and replaced, one after the other, behind
    /// a client that balances as a proxy would. A round takes some seven seconds; webhooks must suffice until the last one is
    /// over, and no more are sent then.
    #[arg(long, default_value_t = 0)]
    pub rolling: u32,
    /// Seconds a worker holds a job without a sign of life.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub lease: u64,
    /// Seconds within which every job must be final once all is healed.
    #[arg(long, default_value_t = 120)]
    pub final_within: u64,
    /// Repeats the traffic and the choice of faults of an earlier run, though not its timing [default: random, printed].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where everything is kept: sqlite, postgres or postgres+redis, with servers of the run's own.
    #[arg(long, default_value = "postgres+redis")]
    pub setup: Setup,
    /// The program `retail-assist`.
    #[arg(long, hide = true)]
    pub program: PathBuf,
    /// Keep the logs of a run that succeeded, too.
    #[arg(long)]
    pub keep: bool,
}

impl Options {
    /// How long delivering takes when nothing holds it up.
    pub fn span(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.webhooks) / f64::from(self.rate.max(1)))
    }

    /// The lease.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease)
    }
}
