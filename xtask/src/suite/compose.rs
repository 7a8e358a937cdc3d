//! The file of containers: valid for whichever Compose this machine has, complete in what it asks for, and made of commands
//! and settings that the program knows. Containers themselves are not started: a builder without a Docker daemon runs this.

use super::rows::Row;
use super::{Asked, run, servers};
use crate::{output, workspace};
use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::NamedTempFile;

const FILE: &str = "docker-compose.yml";
const HOW: &str = "install Docker with its Compose plugin, or: apt-get install docker-compose";

/// Checks it.
pub fn run(asked: &Asked) -> anyhow::Result<Vec<Row>> {
    const KIND: &str = "compose";
    let program = asked.built.program()?;
    let began = Instant::now();
    let text = std::fs::read_to_string(workspace::root().join(FILE)).context("there is no docker-compose.yml")?;
    for command in commands(&text)? {
        ensure!(is_understood(program, &command)?, "the program does not know the command {command:?} of {FILE}");
    }
    let unknown = unknown_settings(program, &text)?;
    ensure!(unknown.is_empty(), "{FILE} sets what the program does not know: {}", unknown.join(", "));
    let compose = match Compose::find() {
        Ok(compose) => compose,
        Err(why) => return Ok(vec![Row::not_run(KIND, format!("NOT RUN: {why:#}; {HOW}"), began.elapsed())]),
    };
    let needed = needed(&text);
    ensure!(compose.accepts(&needed)?, "{FILE} is not valid");
    for left_out in &needed {
        let others: Vec<_> = needed.iter().copied().filter(|name| name != left_out).collect();
        ensure!(!compose.accepts_quietly(&others)?, "{FILE} starts without {left_out}");
    }
    Ok(vec![Row::check(KIND, true, began.elapsed())])
}

/// The Compose of this machine.
#[derive(Clone, Copy, Debug)]
struct Compose(&'static [&'static str]);

impl Compose {
    const KNOWN: [Self; 2] = [Self(&["docker", "compose"]), Self(&["docker-compose"])];

    /// The one that is there; where none is and packages can be installed, it is.
    fn find() -> anyhow::Result<Self> {
        let there = || Self::KNOWN.into_iter().find(|compose| is_there(compose.command().arg("version")));
        if let Some(compose) = there() {
            return Ok(compose);
        }
        output::progress("there is no Compose on this machine");
        servers::install(&["docker-compose"])?;
        there().context("there is still no Compose")
    }

    fn command(self) -> Command {
        let mut command = Command::new(self.0[0]);
        command.args(&self.0[1..]);
        command
    }

    /// The file with these variables set to something, and no others: not those of a developer's own `.env` either.
    fn config(self, set: &[&str], empty: &NamedTempFile) -> Command {
        let mut command = self.command();
        command.arg("--env-file").arg(empty.path()).args(["-f", FILE, "config", "-q"]).current_dir(workspace::root());
        command.env_clear().envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(set.iter().map(|name| (name, "check")));
        command
    }

    fn accepts(self, set: &[&str]) -> anyhow::Result<bool> {
        run::succeeds(&mut self.config(set, &NamedTempFile::new()?))
    }

    fn accepts_quietly(self, set: &[&str]) -> anyhow::Result<bool> {
        Ok(self.config(set, &NamedTempFile::new()?).stdin(Stdio::null()).output()?.status.success())
    }
}

fn is_there(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The commands of our own services, which stand on one line each.
fn commands(text: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let mut commands = Vec::new();
    let mut ours = false;
    for line in text.lines() {
        if line.starts_with("  ") && !line.starts_with("   ") {
            ours = false;
        }
        ours |= line.trim() == "<<: *service";
        if let Some(command) = line.strip_prefix("    command: ").filter(|_| ours) {
            commands.push(serde_json::from_str(command).with_context(|| format!("{FILE}: {command} is not a list"))?);
        }
    }
    ensure!(!commands.is_empty(), "{FILE} names no command of ours");
    Ok(commands)
}

/// Whether the program can read the command; nothing is started, for help comes before everything else.
fn is_understood(program: &Path, command: &[String]) -> anyhow::Result<bool> {
    let told = Command::new(program).args(command).arg("--help").stdin(Stdio::null()).output()?;
    Ok(told.status.success())
}

/// What is set for our services and stands in no table of settings.
fn unknown_settings(program: &Path, text: &str) -> anyhow::Result<Vec<String>> {
    let told = Command::new(program).args(["serve", "--help"]).stdin(Stdio::null()).output()?;
    let help = String::from_utf8_lossy(&told.stdout).into_owned();
    let known: BTreeSet<_> = help.lines().map(str::trim).collect();
    let inside = text.split_once("environment: &settings\n").context("the settings of the services are not found")?.1;
    let names = inside.lines().take_while(|line| line.starts_with("    ")).map(str::trim);
    let names = names.filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(": ")?.0));
    Ok(names.filter(|name| !known.contains(name)).map(str::to_owned).collect())
}

/// The variables without which it does not start.
fn needed(text: &str) -> Vec<&str> {
    let variables = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once(":?")?.0));
    let names = variables.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
x-service: &service
  environment: &settings
    # why
    ONE: ${A_ONE:?say it}-${B:-x}
    TWO: ${A_TWO:?say it}
  logging: x
services:
  api:
    <<: *service
    command: ["serve", "--role", "api"]
  postgres:
    command: ["postgres"]
    environment:
      X: ${A_ONE:?say it}
"#;

    #[test]
    fn the_file_is_read() {
        assert_eq!(commands(TEXT).unwrap(), [["serve", "--role", "api"]]);
        assert_eq!(needed(TEXT), ["A_ONE", "A_TWO"]);
        assert!(commands("").is_err());
    }
}
