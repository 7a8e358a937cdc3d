//! The tools the tests need besides the toolchain; what is missing is installed, and said.

use super::run;
use crate::{output, workspace};
use anyhow::ensure;
use std::process::Stdio;

/// A cargo subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    subcommand: &'static str,
    /// The version that is installed where there is none; any other that is there already will do.
    version: &'static str,
}

/// Runs tests, each in a process of its own.
pub const NEXTEST: Tool = Tool { subcommand: "nextest", version: "0.9.143" };
/// Checks dependencies.
pub const DENY: Tool = Tool { subcommand: "deny", version: "0.20.2" };

impl Tool {
    /// Makes sure that it is there.
    pub fn require(self) -> anyhow::Result<()> {
        let mut asked = workspace::cargo(&[self.subcommand, "--version"]);
        if asked.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            return Ok(());
        }
        let (package, version) = (format!("cargo-{}", self.subcommand), self.version);
        output::progress(&format!(
            "{package} is missing; installing version {version}, once, which takes some minutes"
        ));
        let mut install = workspace::cargo(&["install", "--locked", "--debug", &package, "--version", version]);
        // Elsewhere than where the tests build, which cargo would otherwise fill with another workspace's artifacts.
        install.env_remove("CARGO_TARGET_DIR");
        ensure!(
            run::succeeds(&mut install)?,
            "{package} could not be installed; try: cargo install --locked {package}"
        );
        Ok(())
    }
}
