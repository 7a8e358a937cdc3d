//! Where the workspace is, and building the program `retail-assist` with the cargo that runs us.
//! The path of what was built is taken from cargo's own messages, so a target directory elsewhere is found too.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's root.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A call of cargo, in the root.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Where cargo builds to.
pub fn target_directory() -> anyhow::Result<PathBuf> {
    let told = cargo(&["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit()).output()?;
    let metadata: Value = serde_json::from_slice(&told.stdout).context("cargo metadata did not answer with JSON")?;
    let directory = metadata.get("target_directory").and_then(Value::as_str);
    Ok(PathBuf::from(directory.context("cargo metadata names no target directory")?))
}

/// Builds what the arguments of `cargo build` say and returns the path of the program.
pub fn build(arguments: &[&str]) -> anyhow::Result<PathBuf> {
    let mut command = cargo(&["build", "--message-format", "json-render-diagnostics"]);
    let built = command.args(arguments).stderr(Stdio::inherit()).output().context("cargo could not be started")?;
    ensure!(built.status.success(), "the program could not be built");
    for line in String::from_utf8_lossy(&built.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let is_program = message["target"]["name"] == "retail-assist" && message["profile"]["test"] == false;
        if let Some(path) = message["executable"].as_str().filter(|_| is_program) {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("cargo built no program retail-assist")
}
