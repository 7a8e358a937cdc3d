//! `chaos`: builds the program and the crate of the same name, and hands everything else on to it. Its options are its own, so
//! that whoever reads them there finds them here.

use crate::suite::{run, servers};
use crate::workspace;
use anyhow::Context as _;
use clap::Args;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use testbed::Setup;

/// Options are those of the crate chaos; --release builds everything optimised before.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Chaos {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

impl Chaos {
    pub fn run(self) -> anyhow::Result<bool> {
        let (release, options): (Vec<_>, Vec<_>) = self.options.into_iter().partition(|option| option == "--release");
        let mut arguments = vec!["-p", "api", "-p", "chaos", "--bins"];
        if !release.is_empty() {
            arguments.push("--release");
        }
        if !options.iter().any(|option| option.ends_with("sqlite") || option == "--help" || option == "-h") {
            servers::require_for(Setup::PostgresRedis)?;
        }
        let mut chaos = command(&workspace::build(&arguments)?);
        // Becomes it, so that signals reach it and its table goes where ours would.
        Err(chaos.args(options).exec()).context("chaos could not be started")
    }
}

/// Runs it as a step of the suite.
pub fn run(program: &Path, options: &[&str]) -> anyhow::Result<bool> {
    run::succeeds(command(program).args(options))
}

/// With the program `retail-assist`, beside which it was built.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program.with_file_name("chaos"));
    command.arg("--program").arg(program);
    command
}
