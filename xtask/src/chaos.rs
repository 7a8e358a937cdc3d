//! `chaos`: builds the program and the crate of the same name, and hands everything else on to it. Its options are its own, so
//! that whoever reads them there finds them here.

use crate::suite::{run, servers};
use crate::workspace;
use clap::Args;
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
        if !options.iter().any(|option| option.ends_with("sqlite") || option == "--help") {
            servers::require_for(Setup::PostgresRedis)?;
        }
        run(&workspace::build(&arguments)?, options.iter().map(String::as_str))
    }
}

/// Runs it with the program `retail-assist`, beside which it was built.
pub fn run<'a>(program: &Path, options: impl Iterator<Item = &'a str>) -> anyhow::Result<bool> {
    run::succeeds(Command::new(program.with_file_name("chaos")).arg("--program").arg(program).args(options))
}
