//! The servers of a set-up, for the time of a run: our own ones, on free ports and in directories that go with them. What is not
//! installed is installed where that needs nobody's password, and otherwise it is said what to install.

use super::run;
use crate::output;
use anyhow::{Context as _, ensure};
use std::process::{Command, Stdio};
use testbed::{Chromium, POSTGRES_URL, Postgres, REDIS_URL, Redis, SETUP, Setup};

/// What a server is installed from.
#[derive(Clone, Copy)]
struct Package {
    name: &'static str,
    about: &'static str,
    /// Its version, where it is there.
    version: fn() -> anyhow::Result<String>,
}

const POSTGRES: Package = Package { name: "postgresql", about: "PostgreSQL 15 or later", version: Postgres::installed };
const REDIS: Package = Package { name: "redis-server", about: "redis-server", version: Redis::installed };

const BROWSER: Package =
    Package { name: "chromium-driver", about: "Chromium with its chromedriver", version: Chromium::installed };

/// The running servers of a set-up; they end when dropped.
#[derive(Debug)]
pub struct Servers {
    setup: Setup,
    postgres: Option<Postgres>,
    redis: Option<Redis>,
}

impl Servers {
    /// Starts what the set-up needs.
    pub fn start(setup: Setup) -> anyhow::Result<Self> {
        require_for(setup)?;
        let postgres = setup.has_postgres().then(Postgres::start_in_memory).transpose()?;
        let redis = setup.has_redis().then(Redis::start).transpose()?;
        Ok(Self { setup, postgres, redis })
    }

    /// How tests find them.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let postgres = self.postgres.iter().map(|server| (POSTGRES_URL, server.url("postgres")));
        let redis = self.redis.iter().map(|server| (REDIS_URL, server.url(0)));
        [(SETUP, self.setup.name().to_owned())].into_iter().chain(postgres).chain(redis).collect()
    }
}

/// Makes sure that what the set-up needs can be started.
pub fn require_for(setup: Setup) -> anyhow::Result<()> {
    let needed = [(setup.has_postgres(), POSTGRES), (setup.has_redis(), REDIS)];
    require(needed.into_iter().filter_map(|(needed, package)| needed.then_some(package)))
}

/// Makes sure that there is a browser.
pub fn require_browser() -> anyhow::Result<()> {
    require([BROWSER].into_iter())
}

/// Makes sure that they are there.
fn require(packages: impl Iterator<Item = Package>) -> anyhow::Result<()> {
    let (mut missing, mut names) = (Vec::new(), Vec::new());
    for package in packages {
        match (package.version)() {
            Ok(version) => output::progress(&version),
            Err(_not_there) => missing.push(package),
        }
    }
    for Package { name, about, .. } in &missing {
        output::progress(&format!("{about} is missing"));
        names.push(*name);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let advice = || {
        let wanted: Vec<_> = missing.iter().map(|package| package.about).collect();
        let wanted = wanted.join(" and ");
        format!("install {wanted}, e.g. as root on Debian: apt-get install --no-install-recommends {}", names.join(" "))
    };
    install(&names).with_context(advice)?;
    for Package { about, version, .. } in &missing {
        version().with_context(|| format!("{about} is still missing")).with_context(advice)?;
    }
    Ok(())
}

/// Installs packages of the system, where we may.
pub fn install(packages: &[&str]) -> anyhow::Result<()> {
    ensure!(answers("apt-get", &["--version"]), "this system has no apt-get");
    let id = Command::new("id").arg("-u").output().context("id could not be started")?;
    let before: &[&str] = if id.stdout.trim_ascii() == b"0" {
        &[]
    } else {
        ensure!(answers("sudo", &["-n", "true"]), "we are not root, and sudo wants a password");
        &["sudo", "-n"]
    };
    output::progress(&format!("installing {}, once", packages.join(" and ")));
    // A list of packages that is not fresh may still do.
    let _stale = run::succeeds(&mut apt(before, &["update"]))?;
    let done = run::succeeds(apt(before, &["install", "-y", "--no-install-recommends"]).args(packages))?;
    ensure!(done, "apt-get could not install {}", packages.join(" "));
    Ok(())
}

fn apt(before: &[&str], arguments: &[&str]) -> Command {
    // By env, for sudo hands on nothing of ours.
    let line = [before, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    let mut command = Command::new(line[0]);
    command.args(&line[1..]);
    command
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_installed_as_root_or_by_sudo_without_a_question() {
        let shown = |command: Command| format!("{command:?}").replace('"', "");
        assert_eq!(shown(apt(&[], &["update"])), "env DEBIAN_FRONTEND=noninteractive apt-get update");
        let by_sudo = shown(apt(&["sudo", "-n"], &["update"]));
        assert_eq!(by_sudo, "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update");
    }

    #[test]
    fn the_set_up_on_one_file_needs_no_server() {
        let servers = Servers::start(Setup::Sqlite).unwrap();
        assert_eq!(servers.environment(), [(SETUP, "sqlite".to_owned())]);
    }
}
