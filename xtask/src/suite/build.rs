//! The program, built once for the steps that run it, with the features the tests are built with: a second set of features
//! would compile most dependencies a second time.

use crate::workspace;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// What has been built.
#[derive(Debug, Default)]
pub struct Built {
    program: OnceCell<PathBuf>,
}

impl Built {
    /// The program `retail-assist`.
    pub fn program(&self) -> anyhow::Result<&Path> {
        if let Some(program) = self.program.get() {
            return Ok(program);
        }
        let program = workspace::build(&["--workspace", "--all-targets", "--locked"])?;
        Ok(self.program.get_or_init(|| program))
    }
}
