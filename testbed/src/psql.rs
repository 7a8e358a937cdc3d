//! Statements to a Postgres server, by its own client: a test may be in an asynchronous runtime or in none, and a database is
//! dropped where nothing can be awaited.

use crate::programs::psql;
use anyhow::{Context as _, ensure};
use std::process::Stdio;

/// Runs one statement; returns what it selected, columns parted by `|`.
pub fn run(url: &str, statement: &str) -> anyhow::Result<String> {
    let mut command = psql();
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]);
    // Whoever runs the tests may have settings of their own for it.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    let done = command.stdin(Stdio::null()).output().context("psql could not be started")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "psql: {statement}: {}", said.trim());
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
