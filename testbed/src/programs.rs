//! Where the programs of Postgres are. Linux distributions keep the server's out of PATH, several versions side by side.

use anyhow::{Context as _, anyhow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest version that the product is tested with.
const OLDEST: u32 = 15;
const INSTALLED: &str = "/usr/lib/postgresql";

/// The directory of one version's programs.
#[derive(Clone, Debug)]
pub struct Programs {
    dir: PathBuf,
    /// What the server says of itself, e.g. `postgres (PostgreSQL) 15.18`.
    pub version: String,
}

impl Programs {
    /// The first in PATH, or else the newest that is installed.
    pub fn find() -> anyhow::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).collect::<Vec<_>>();
        in_path.into_iter().chain(installed()).find_map(|dir| Self::of(&dir)).ok_or_else(|| {
            anyhow!(
                "no Postgres of version {OLDEST} or later: neither initdb and postgres in PATH nor {INSTALLED}/*/bin"
            )
        })
    }

    /// One of them.
    pub fn command(&self, name: &str) -> Command {
        Command::new(self.dir.join(name))
    }

    fn of(dir: &Path) -> Option<Self> {
        // A link in PATH leads to where the others are.
        let program = dir.join("postgres").canonicalize().ok()?;
        let dir = program.parent()?.to_owned();
        dir.join("initdb").is_file().then_some(())?;
        let told = Command::new(program).arg("--version").output().ok()?;
        let version = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        major(&version).is_some_and(|major| major >= OLDEST).then_some(Self { dir, version })
    }
}

/// The client, which may be installed without the server.
pub fn psql() -> Command {
    let beside = Programs::find().ok().map(|programs| programs.dir.join("psql")).filter(|psql| psql.is_file());
    Command::new(beside.unwrap_or_else(|| "psql".into()))
}

fn installed() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(INSTALLED).into_iter().flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        Some((path.file_name()?.to_str()?.parse::<u32>().ok()?, path.join("bin")))
    });
    let sorted: BTreeMap<u32, PathBuf> = versions.collect();
    sorted.into_values().rev().collect()
}

/// `17` of `postgres (PostgreSQL) 17beta1 (some build)`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// User and group of a name, from the list that every unix has.
pub fn user(name: &str) -> anyhow::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
    let found = users.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let [of, _, user, group, ..] = fields.as_slice() else { return None };
        if *of == name { Some((user.parse().ok()?, group.parse().ok()?)) } else { None }
    });
    found.with_context(|| format!("there is no user {name}, which Postgres needs where we are root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major("postgres: no"), None);
    }
}
