//! The program `retail-assist`. Errors end here, as one sentence with its cure on standard error and exit code 1.

use api::cli::{self, Cli};
use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(cli::run(cli)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _unheard = writeln!(std::io::stderr(), "retail-assist: {error:#}");
            ExitCode::FAILURE
        }
    }
}
