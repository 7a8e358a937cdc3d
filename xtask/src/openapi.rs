//! The OpenAPI document as the program prints it, written to `openapi/openapi.json` or compared with it.
//! Clients are generated from the file, so a change of the routes that is not in it fails the tests.

use crate::{output, workspace};
use anyhow::{Context as _, ensure};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Args)]
pub struct Openapi {
    /// Change nothing; exit 1 when the file is not what the program prints.
    #[arg(long)]
    check: bool,
}

impl Openapi {
    pub fn run(self) -> anyhow::Result<bool> {
        let program = workspace::build(&["-p", "api"])?;
        if self.check {
            return match drift(&program)? {
                None => {
                    output::line("openapi/openapi.json is what the program prints.");
                    Ok(true)
                }
                Some(difference) => {
                    output::line(&difference);
                    Ok(false)
                }
            };
        }
        let (path, document) = (path(), printed(&program)?);
        std::fs::create_dir_all(workspace::root().join("openapi"))?;
        std::fs::write(&path, document).with_context(|| format!("{} could not be written", path.display()))?;
        output::line("openapi/openapi.json is written.");
        Ok(true)
    }
}

/// A sentence about the first difference, if there is one.
pub fn drift(program: &Path) -> anyhow::Result<Option<String>> {
    const CURE: &str = "run: cargo xtask openapi";
    let printed = printed(program)?;
    let Ok(kept) = std::fs::read_to_string(path()) else {
        return Ok(Some(format!("openapi/openapi.json is not there; {CURE}")));
    };
    if kept == printed {
        return Ok(None);
    }
    let at = kept.lines().zip(printed.lines()).position(|(kept, printed)| kept != printed);
    let line = at.unwrap_or_else(|| kept.lines().count().min(printed.lines().count())) + 1;
    Ok(Some(format!("openapi/openapi.json differs from what the program prints, first in line {line}; {CURE}")))
}

fn path() -> PathBuf {
    workspace::root().join("openapi").join("openapi.json")
}

fn printed(program: &Path) -> anyhow::Result<String> {
    let told = Command::new(program).arg("openapi").stderr(Stdio::inherit()).output()?;
    ensure!(told.status.success(), "retail-assist openapi failed");
    String::from_utf8(told.stdout).context("the document is not UTF-8")
}
