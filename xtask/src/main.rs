//! The commands of README.md: `demo` to try everything out, `test` to run every test, `chaos` to kill processes and count what
//! is left, `openapi` for the document.
//! They need a Rust toolchain; what more they need they install where they may, and else say how.

mod chaos;
mod check;
mod demo;
mod openapi;
mod output;
mod suite;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The commands of this project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the program and run everything at once on embedded defaults: service, workers, a local Meta, three shops.
    Demo(demo::Demo),
    /// Run every test, and say how many of which kind ran.
    Test(suite::Test),
    /// Run everything in many processes, kill them under load, and judge what became of every message.
    Chaos(chaos::Chaos),
    /// Write openapi/openapi.json anew from the program.
    Openapi(openapi::Openapi),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
        Command::Chaos(chaos) => chaos.run(),
        Command::Openapi(openapi) => openapi.run(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::progress(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
