//! `demo --check`: the journey of a shop, over HTTP, against the built program as a process of its own. What was sent is
//! judged by what the local Meta counted, not by what the program says of itself.

mod browser;
mod eventually;
mod form;
mod journey;
mod meta;
mod program;
mod report;
mod service;
mod steps;

pub use report::Report;

use crate::output;
use journey::Journey;
use program::Program;
use std::path::Path;
use std::time::{Duration, Instant};

/// One step; the sandbox answers in milliseconds, so this is for slow machines only.
const STEP_WITHIN: Duration = Duration::from_secs(60);

/// Runs the journey and prints its table.
pub fn run(program: &Path) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(journey(program))
}

async fn journey(path: &Path) -> anyhow::Result<Report> {
    let mut report = Report::begin();
    let began = Instant::now();
    let (mut program, facts) = match Program::start(path).await {
        Ok(started) => started,
        Err(error) => {
            report.add("start", Err(error), began.elapsed());
            return Ok(report);
        }
    };
    let mut journey = Journey::new(facts)?;
    for (name, step) in steps::STEPS {
        let began = Instant::now();
        let outcome = match tokio::time::timeout(STEP_WITHIN, step(&mut journey)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(anyhow::anyhow!("it took longer than {} s", STEP_WITHIN.as_secs())),
        };
        report.add(name, outcome, began.elapsed());
    }
    let began = Instant::now();
    report.add("shutdown", program.stop().await, began.elapsed());
    if !report.is_passed() {
        output::line("\nThe last lines of the program's log:");
        program.log().last(30).iter().for_each(|line| output::line(line));
    }
    report.end();
    Ok(report)
}
