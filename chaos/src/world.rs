//! What driver and checker both know, handed over as a file: addresses, secrets, accounts, and how much is to be sent.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The app secret that signs what comes for Pages.
pub const META_SECRET: &str = "a-meta-secret-for-the-chaos-run";
/// The app secret that signs what comes for Instagram accounts.
pub const INSTAGRAM_SECRET: &str = "an-instagram-secret-for-the-chaos-run";
/// The words of every automatic reply.
pub const REPLY: &str = "Thanks, we will answer soon!";

/// One of Meta's two products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Instagram professional accounts.
    Instagram,
    /// Facebook Pages.
    Facebook,
}

impl Platform {
    /// As in our own interfaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
        }
    }
}

/// A connected account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Meta's id of it.
    pub id: String,
    /// Whose product it is of.
    pub platform: Platform,
    /// Our id of its owner, as the database has it: 32 hexadecimal digits.
    pub organization: String,
    /// Whether messages to it are answered automatically.
    pub answers: bool,
}

/// How the client in front of the API processes chooses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Balance {
    /// One after the other, whatever state they are in; what fails is delivered again later, to the next one.
    Alternate,
    /// Only those whose /readyz says ready; where a connection is refused, the next one is tried at once.
    Ready,
}

/// The run, as the checker sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    /// Where its logs are.
    pub dir: PathBuf,
    /// For the judge's own statements.
    pub database_url: String,
    /// The local Meta.
    pub sandbox: String,
    /// The API processes.
    pub apis: Vec<SocketAddr>,
    /// How one of them is chosen.
    pub balance: Balance,
    /// Every account.
    pub accounts: Vec<Account>,
    /// Of the traffic.
    pub seed: u64,
    /// How many webhooks.
    pub webhooks: u32,
    /// How many a second.
    pub rate: u32,
    /// Percent of them that come again.
    pub redelivered: u8,
    /// Percent of them for accounts that answer.
    pub answered: u8,
    /// Seconds within which all jobs must be final.
    pub final_within: u64,
    /// Whether Meta tells of every send, so that none of which it does may stay unknown.
    pub echoes: bool,
}

impl World {
    /// Where the checker notes what it did.
    pub fn checker_log(&self) -> PathBuf {
        self.dir.join("checker.log")
    }

    /// Where the driver leaves what it did.
    pub fn deeds(&self) -> PathBuf {
        self.dir.join("deeds.json")
    }

    /// Reads it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        read(path)
    }

    /// Writes it for the checker.
    pub fn write(&self) -> anyhow::Result<PathBuf> {
        let path = self.dir.join("world.json");
        write(&path, self)?;
        Ok(path)
    }
}

/// What the driver did, for the judge's table and verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deeds {
    /// Processes of ours killed.
    pub kills: u32,
    /// FLUSHALL.
    pub redis_flushes: u32,
    /// Redis killed and started.
    pub redis_restarts: u32,
    /// Postgres killed and started.
    pub postgres_restarts: u32,
    /// Workers stopped past their lease.
    pub pauses: u32,
    /// Processes ended by SIGTERM and replaced.
    pub replaced: u32,
    /// The longest a process took to end after SIGTERM, in milliseconds.
    pub slowest_end_ms: u64,
    /// Processes that ended although nobody had asked them to.
    pub ended_by_themselves: u32,
    /// Since when everything runs again, in milliseconds since 1970.
    pub healed_at: i64,
}

impl Deeds {
    /// Reads them.
    pub fn read(world: &World) -> anyhow::Result<Self> {
        read(&world.deeds())
    }

    /// Leaves them for the judge.
    pub fn write(&self, world: &World) -> anyhow::Result<()> {
        write(&world.deeds(), self)
    }
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not what it should be", path.display()))
}

fn write(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    std::fs::write(path, serde_json::to_vec_pretty(value)?)
        .with_context(|| format!("{} cannot be written", path.display()))
}
