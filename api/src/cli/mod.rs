//! The commands of the program, their help and their dispatch; each command has a file.

mod admin;
mod context;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod healthcheck;
mod migrate;
mod openapi;
mod output;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;

use crate::settings::table;
use clap::{Parser, Subcommand};

/// Connects a shop's Instagram accounts and Facebook Pages, receives every direct message, and answers it.
#[derive(Debug, Parser)]
#[command(name = "retail-assist", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: HTTP, workers, or both.
    #[command(after_long_help = table::help())]
    Serve(serve::Serve),
    /// Bring the database's schema up to date; `serve` does it too.
    Migrate(migrate::Migrate),
    /// Print the OpenAPI document.
    Openapi,
    /// Ask the running service whether it is well; exits 0 or 1.
    Healthcheck(healthcheck::Healthcheck),
    /// Look for what is wrong: settings, database, bell, clock, Meta's app, accounts.
    #[command(after_help = doctor::HELP, after_long_help = doctor_help())]
    Doctor(doctor::Doctor),
    /// Run a local Meta for trying things out; never with real credentials.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
    /// Run everything at once to try it out: service, workers, a local Meta, three shops and their customers.
    #[cfg(feature = "sandbox")]
    Demo(demo::Demo),
    /// Users, plans, keys and connections, straight in the database.
    #[command(after_long_help = table::help())]
    Admin(Box<admin::Admin>),
}

/// What it does, and the settings that it looks at.
fn doctor_help() -> String {
    format!("{}\n\n{}", doctor::HELP, table::help())
}

/// Runs the command.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(serve) => serve.run().await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::Openapi => openapi::run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
        Command::Doctor(doctor) => doctor.run().await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(sandbox) => sandbox.run().await,
        #[cfg(feature = "sandbox")]
        Command::Demo(demo) => demo.run().await,
        Command::Admin(admin) => (*admin).run().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_consistent_and_teach_their_settings() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        assert!(help.contains("TOKEN_ENCRYPTION_KEYS") && help.contains("openssl rand"), "{help}");
    }
}
