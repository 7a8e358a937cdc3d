//! The table at the end: what was done, what came of it, and the verdict in one line.

use super::findings::{Evidence, Finding};
use crate::output;
use crate::world::World;
use anyhow::Context as _;

/// Leaves what is too long for the table beside the logs: jobs and attempts by kind and outcome.
pub fn leave(world: &World, evidence: &Evidence) -> anyhow::Result<()> {
    let mut text = String::new();
    for job in &evidence.rows.jobs {
        text.push_str(&format!("job: {job}\n"));
    }
    for (kind, outcome, class, count) in &evidence.rows.attempts {
        text.push_str(&format!("attempt: {count} {kind} {outcome} {class}\n"));
    }
    for (state, count) in &evidence.rows.deliveries {
        text.push_str(&format!("delivery: {count} {state}\n"));
    }
    for (how, count) in &evidence.history.cut_off {
        text.push_str(&format!("cut off: {count} {how}\n"));
    }
    std::fs::write(world.dir.join("judge.txt"), text).context("the judge's notes cannot be written")
}

/// Prints it.
pub fn print(world: &World, evidence: &Evidence, took: Option<f64>, findings: &[Finding]) {
    output::line("");
    for (name, value) in rows(world, evidence, took) {
        output::line(&format!("{name:<46} {value:>10}"));
    }
    output::line("");
    for Finding { what, count, examples } in findings {
        output::line(&format!("FOUND {what}: {count}; {}", examples.join("; ")));
    }
    let word =
        |what: &str| findings.iter().filter(|one| one.what.starts_with(what)).map(|one| one.count).sum::<usize>();
    output::line(&format!(
        "{}: {} lost, {} not stored in time, {} doubled, {} invented, {} with two replies, {} findings in all (seed {})",
        if findings.is_empty() { "PASSED" } else { "FAILED" },
        word("lost"),
        word("not stored in time"),
        word("doubled"),
        word("invented"),
        word("two replies"),
        findings.len(),
        world.seed,
    ));
}

fn rows(world: &World, evidence: &Evidence, took: Option<f64>) -> Vec<(&'static str, String)> {
    let Evidence { history, rows, deeds, accepted, .. } = evidence;
    let status = |wanted: u16| history.statuses.get(&wanted).copied().unwrap_or(0);
    let inbound = rows.messages.iter().filter(|row| row.direction == "inbound").count();
    let replies = |status: &str| {
        rows.messages.iter().filter(|row| row.origin == "auto" && row.status.as_deref() == Some(status)).count()
    };
    let jobs = |state: &str| rows.jobs.iter().filter(|job| job.state == state).map(|job| job.count).sum::<i64>();
    let seconds = f64::from(i32::try_from(history.took_ms).unwrap_or(i32::MAX)) / 1_000.0;
    let mut table = vec![
        ("webhooks made", history.webhooks.to_string()),
        ("webhooks acknowledged", history.acknowledged.len().to_string()),
        ("seconds of delivering", format!("{seconds:.1}")),
        ("attempts", history.attempts.to_string()),
        ("  of webhooks acknowledged before", history.redelivered.to_string()),
        ("  answered 200", status(200).to_string()),
        ("  answered 503", status(503).to_string()),
        ("  not connected", history.not_connected.to_string()),
        ("  cut off without an answer", history.cut_off.values().sum::<u64>().to_string()),
        ("  no answer within 5 s", history.timed_out.to_string()),
    ];
    let others = history.statuses.iter().filter(|(status, _)| ![200, 503].contains(*status));
    table.extend(others.map(|(status, count)| ("  answered otherwise", format!("{count} × {status}"))));
    let done = [
        ("processes killed", u64::from(deeds.kills)),
        ("Redis flushed", u64::from(deeds.redis_flushes)),
        ("Redis killed", u64::from(deeds.redis_restarts)),
        ("Postgres killed", u64::from(deeds.postgres_restarts)),
        ("workers stopped past their lease", u64::from(deeds.pauses)),
        ("processes replaced", u64::from(deeds.replaced)),
        ("  slowest end after SIGTERM, in ms", deeds.slowest_end_ms),
    ];
    table.extend(done.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name, count.to_string())));
    table.extend([
        ("messages sent to us", history.messages.len().to_string()),
        ("messages stored", inbound.to_string()),
        ("replies taken by Meta", accepted.len().to_string()),
        ("  whose answer was lost", accepted.iter().filter(|send| send.answer_lost).count().to_string()),
        ("replies shown as sent", replies("sent").to_string()),
        ("replies shown as unknown", replies("unknown").to_string()),
        ("replies shown as failed", replies("failed").to_string()),
        ("jobs completed", jobs("completed").to_string()),
        ("jobs discarded or cancelled", (jobs("discarded") + jobs("cancelled")).to_string()),
        ("leases lapsed", rows.lapsed().to_string()),
        (
            "seconds from healed to all jobs final",
            took.map_or(format!("> {}", world.final_within), |s| format!("{s:.1}")),
        ),
    ]);
    table
}
