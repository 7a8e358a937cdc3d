//! The processes of a run: the ones that answer, the ones that work, and the local Meta. Their commands are those of
//! docker-compose.yml, and a test holds the two together.

mod member;

pub use member::{Member, READY_WITHIN};

use crate::options::Options;
use crate::sandbox::Sandbox;
use crate::servers::Servers;
use crate::world::{INSTAGRAM_SECRET, META_SECRET};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

/// Names and commands of the processes.
pub const SERVICES: [(&str, &[&str]); 4] = [
    ("api-1", &["serve", "--role", "api"]),
    ("api-2", &["serve", "--role", "api"]),
    ("worker-1", &["serve", "--role", "worker"]),
    ("worker-2", &["serve", "--role", "worker"]),
];
/// What runs once before them.
pub const MIGRATE: &[&str] = &["migrate"];

/// For the local Meta to say where it listens.
const SANDBOX_WITHIN: Duration = Duration::from_secs(20);

/// An environment.
pub type Environment = Vec<(String, String)>;

/// Everything that runs.
#[derive(Debug)]
pub struct Fleet {
    /// The processes of the service, in the order of [`SERVICES`].
    pub members: Vec<Arc<Member>>,
    /// The local Meta's control interface.
    pub sandbox: Sandbox,
    /// Its address.
    pub sandbox_url: String,
    program: std::path::PathBuf,
    environment: Environment,
    _sandbox_process: Child,
}

impl Fleet {
    /// Starts the local Meta and brings the database up to date; the service's own processes are only prepared.
    pub async fn prepare(options: &Options, servers: &Servers, dir: &Path) -> anyhow::Result<Self> {
        let mut environment = environment(options, servers);
        let (sandbox_process, sandbox_url) = sandbox(&options.program, &environment, dir).await?;
        for (name, host) in HOSTS {
            environment.push((name.to_owned(), format!("{sandbox_url}/{host}")));
        }
        let members = SERVICES
            .iter()
            .map(|(name, command)| {
                let mut environment = environment.clone();
                let listens = command.contains(&"api");
                let port = listens.then(testbed::free_port).transpose()?;
                let address = port.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
                if let Some(address) = address {
                    environment.push(("BIND_ADDR".to_owned(), address.to_string()));
                    environment.push(("PUBLIC_URL".to_owned(), format!("http://{address}")));
                }
                let log = dir.join(format!("{name}.log"));
                Ok(Arc::new(Member::new(name, &options.program, command, environment, address, log)))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let fleet = Self {
            members,
            sandbox: Sandbox::at(&sandbox_url)?,
            sandbox_url,
            program: options.program.clone(),
            environment,
            _sandbox_process: sandbox_process,
        };
        fleet.command(MIGRATE, "").await?;
        Ok(fleet)
    }

    /// Where the API processes listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().filter_map(|member| member.address()).collect()
    }

    /// Runs an `admin` command and reads its JSON.
    pub async fn admin(&self, arguments: &[&str], input: &str) -> anyhow::Result<Value> {
        let all: Vec<_> = ["admin"].iter().chain(arguments).chain(&["--json"]).copied().collect();
        let said = self.command(&all, input).await?;
        let line = said.lines().last().unwrap_or_default();
        serde_json::from_str(line).with_context(|| format!("{arguments:?} answered {said}"))
    }

    /// Runs a command of the program to its end; returns what it said.
    async fn command(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{} could not be started", self.program.display()))?;
        let mut pipe = child.stdin.take().context("a child without standard input")?;
        pipe.write_all(input.as_bytes()).await?;
        drop(pipe);
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            bail!("{arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The settings that name Meta's hosts, and the paths under which the local Meta serves them.
const HOSTS: [(&str, &str); 5] = [
    ("FACEBOOK_WEB_URL", "facebook-web"),
    ("FACEBOOK_GRAPH_URL", "facebook-graph"),
    ("INSTAGRAM_WEB_URL", "instagram-web"),
    ("INSTAGRAM_API_URL", "instagram-api"),
    ("INSTAGRAM_GRAPH_URL", "instagram-graph"),
];

fn environment(options: &Options, servers: &Servers) -> Environment {
    let lease = format!("{}s", options.lease);
    let redis = servers.redis_url();
    let all = [
        ("DATABASE_URL", Some(servers.database_url())),
        ("REDIS_URL", redis.as_deref()),
        ("META_APP_ID", Some("100000000000001")),
        ("META_APP_SECRET", Some(META_SECRET)),
        ("INSTAGRAM_APP_ID", Some("200000000000002")),
        ("INSTAGRAM_APP_SECRET", Some(INSTAGRAM_SECRET)),
        ("META_WEBHOOK_VERIFY_TOKEN", Some("a-verify-token")),
        ("TOKEN_ENCRYPTION_KEYS", Some("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")),
        ("JOB_LEASE", Some(&lease)),
        ("JOB_TICK", Some("500ms")),
        ("LOG_FORMAT", Some("json")),
        // A line for each of many thousand requests and jobs would hide what matters.
        ("RUST_LOG", Some("info,access=warn,jobs::run=warn")),
    ];
    let set = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    set.collect()
}

/// Starts the local Meta; returns its address.
async fn sandbox(program: &Path, environment: &Environment, dir: &Path) -> anyhow::Result<(Child, String)> {
    let mut command = Command::new(program);
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--json"]).env_clear().envs(environment.iter().cloned());
    // It refuses to run where the real Meta's addresses stand beside secrets.
    command.envs(HOSTS.map(|(name, _)| (name, "http://127.0.0.1:9")));
    let log = std::fs::File::create(dir.join("sandbox.log"))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("{} could not be started", program.display()))?;
    let out = child.stdout.take().context("a child without standard output")?;
    let mut lines = BufReader::new(out).lines();
    let url = tokio::time::timeout(SANDBOX_WITHIN, async {
        while let Some(line) = lines.next_line().await? {
            if let Ok(said) = serde_json::from_str::<Value>(&line)
                && let Some(url) = said["url"].as_str()
            {
                return Ok(url.to_owned());
            }
        }
        bail!("the local Meta ended at once; {} says why", dir.join("sandbox.log").display())
    });
    let url = url.await.context("the local Meta does not say where it listens")??;
    // Its log goes to the same pipe, which must not fill up.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_those_of_the_compose_file() {
        let file = include_str!("../../../docker-compose.yml");
        let mut of_file = Vec::new();
        let (mut name, mut ours) = ("", false);
        for line in file.lines() {
            if let Some(service) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) {
                (name, ours) = (service, false);
            }
            ours |= line.trim() == "<<: *service";
            if let Some(command) = line.strip_prefix("    command: ").filter(|_| ours) {
                of_file.push((name.to_owned(), serde_json::from_str::<Vec<String>>(command).unwrap()));
            }
        }
        let mut of_run: Vec<_> = SERVICES.iter().map(|(name, command)| ((*name).to_owned(), *command)).collect();
        of_run.push(("migrate".to_owned(), MIGRATE));
        assert_eq!(of_file.len(), of_run.len());
        for ((name, command), (expected, arguments)) in of_file.iter().zip(&of_run) {
            assert_eq!((name, command.iter().map(String::as_str).collect::<Vec<_>>()), (expected, arguments.to_vec()));
        }
    }
}
