//! `demo`: builds the program and becomes it, so that signals reach it directly; with `--check` it is run as a child and
//! judged from outside instead.

use crate::{check, workspace};
use anyhow::Context as _;
use clap::Args;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// Without --check, runs until Ctrl-C and prints addresses, logins and lines to copy.
#[derive(Debug, Args)]
#[command(
    after_help = "The journey of --check: sign-in, connections, webhook handshake and signatures, a direct message stored \
                  and answered once, its echo, redelivery, kinds of message, a Facebook Page, a lost answer, another \
                  shop, the refusal of Instagram on the plan starter, Meta's login in a browser (cancelled, with a \
                  personal account, for Instagram, for two of three Pages), messages to the accounts so connected, the \
                  refresh of a token that is about to end, disconnecting, a rate limit, health and shutdown. The demo \
                  runs on the machine's clock: for the refresh it begins with a token that is 55 days old, and an \
                  operator's key runs the daily job at once."
)]
pub struct Demo {
    /// Run the journey without a person against the started program, on free ports, judged by what the local Meta
    /// counted; exits 0 or 1.
    #[arg(long, conflicts_with_all = ["dir", "port", "sandbox_port"])]
    check: bool,
    /// Where its files go [default: target/demo].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Port of the service; 0 takes a free one [default: 8080].
    #[arg(long)]
    port: Option<u16>,
    /// Port of the local Meta; 0 takes a free one [default: 8090].
    #[arg(long)]
    sandbox_port: Option<u16>,
}

impl Demo {
    pub fn run(self) -> anyhow::Result<bool> {
        let program = workspace::build(&["-p", "api"])?;
        if self.check {
            return Ok(check::run(&program)?.is_passed());
        }
        let mut command = Command::new(&program);
        command.arg("demo");
        if let Some(dir) = self.dir {
            command.arg("--dir").arg(dir);
        } else {
            // The default directory and the lines to copy are meant from the root.
            command.current_dir(workspace::root());
        }
        for (option, port) in [("--port", self.port), ("--sandbox-port", self.sandbox_port)] {
            if let Some(port) = port {
                command.arg(option).arg(port.to_string());
            }
        }
        Err(command.exec()).with_context(|| format!("{} could not be started", program.display()))
    }
}
