//! Judges a run: waits until nothing is left to do, then holds the checker's own log against the database and against what the
//! local Meta counted. It knows the tables and nothing of the code that fills them.

mod findings;
mod history;
mod replies;
mod rows;
mod table;

pub use findings::{Evidence, Finding, judge};
pub use history::History;
pub use rows::{Job, Message, Rows};

use crate::log;
use crate::output;
use crate::sandbox::Sandbox;
use crate::world::{Deeds, World};
use rows::Database;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(500);
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// What Meta would deliver again later than this is delivered again at once.
const MINUTES: Duration = Duration::from_secs(200);

/// Waits, judges and prints the table; whether nothing was found.
pub async fn run(world: &World) -> anyhow::Result<bool> {
    let deeds = Deeds::read(world)?;
    let (database, sandbox) = (Database::open(&world.database_url).await?, Sandbox::at(&world.sandbox)?);
    let (took, rows) = until_final(world, &deeds, &database, &sandbox).await?;
    let history = History::of(&log::read(&world.checker_log())?);
    let evidence = Evidence {
        accounts: world.accounts.clone(),
        rolling: deeds.replaced > 0,
        echoes: world.echoes,
        rows,
        accepted: sandbox.accepted().await?,
        history,
        deeds,
    };
    let mut findings = judge(&evidence);
    if took.is_none() {
        let case = format!("{} s after all was healed, jobs or webhooks were still under way", world.final_within);
        findings.extend(Finding::of("not over in time", vec![case]));
    }
    table::leave(world, &evidence)?;
    table::print(world, &evidence, took, &findings);
    Ok(findings.is_empty())
}

/// Waits until every job is final and Meta has nothing left to tell; returns the seconds since all was healed, and what is
/// stored then. What is not final in time is found by the judge in the rows.
async fn until_final(
    world: &World,
    deeds: &Deeds,
    database: &Database,
    sandbox: &Sandbox,
) -> anyhow::Result<(Option<f64>, Rows)> {
    sandbox.advance(MINUTES).await?;
    let (began, within) = (Instant::now(), Duration::from_secs(world.final_within));
    let mut told = Instant::now();
    loop {
        let (unfinished, pending) = (database.unfinished().await?, sandbox.pending().await?);
        let since_healed = Duration::from_millis(u64::try_from(output::now() - deeds.healed_at).unwrap_or(0));
        if unfinished.is_empty() && pending == 0 {
            // What Meta told between the two looks may have made new work; only the rows of one moment say that there is none.
            let rows = database.rows().await?;
            if !rows.jobs.iter().any(Job::is_unfinished) {
                return Ok((Some(since_healed.as_secs_f64()), rows));
            }
        }
        if since_healed.max(began.elapsed()) > within {
            return Ok((None, database.rows().await?));
        }
        if told.elapsed() > PROGRESS_EVERY {
            told = Instant::now();
            let kinds: Vec<_> = unfinished.iter().map(Job::to_string).collect();
            output::progress(&format!("not final: {}; Meta has {pending} webhooks to deliver", kinds.join(", ")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
