//! The short runs of `cargo xtask chaos` that belong to every test run; the long ones are its options. On Postgres and Redis,
//! where there is most that can be lost.

use super::rows::Row;
use super::{Asked, servers};
use crate::{chaos, output};
use std::time::Instant;
use testbed::Setup;

/// What is run, and how. Few of the messages are answered, so that all of it takes a minute or two on two cores.
const RUNS: [(&str, &[&str]); 3] = [
    (
        "chaos: killed",
        &[
            "--webhooks=2000",
            "--rate=80",
            "--answered=30",
            "--lost-answers=5",
            "--lease=5",
            "--kills=4",
            "--redis-flushes=1",
            "--redis-restarts=1",
            "--postgres-restarts=1",
        ],
    ),
    (
        "chaos: stopped past their lease",
        &[
            "--webhooks=150",
            "--rate=10",
            "--lease=3",
            "--pauses=4",
            "--kills=0",
            "--redis-flushes=0",
            "--redis-restarts=0",
            "--postgres-restarts=0",
        ],
    ),
    ("chaos: replaced in order", &["--rolling=1", "--webhooks=20000", "--rate=200", "--answered=5", "--redelivered=0"]),
];

/// Runs each; every one is a test.
pub fn run(asked: &Asked) -> anyhow::Result<Vec<Row>> {
    if !asked.setups.contains(&Setup::PostgresRedis) {
        let why = format!("NOT RUN: needs the set-up {}", Setup::PostgresRedis.name());
        return Ok(vec![Row::not_run("chaos", why, Default::default())]);
    }
    servers::require_for(Setup::PostgresRedis)?;
    let program = asked.built.program()?;
    let mut rows = Vec::with_capacity(RUNS.len());
    for (kind, options) in RUNS {
        output::progress(&format!("--> {kind}: cargo xtask chaos {}", options.join(" ")));
        let began = Instant::now();
        let passed = chaos::run(program, options)?;
        rows.push(Row::check(kind, passed, began.elapsed()));
    }
    Ok(rows)
}
