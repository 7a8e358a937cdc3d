//! Replaces each process by a new one, one after the other, as whoever takes over a new version does: SIGTERM, its end, a new
//! start, and the next only when it is up.

use crate::fleet::{Fleet, READY_WITHIN};
use crate::meta::client::Target;
use crate::output;
use crate::world::Deeds;
use anyhow::ensure;
use std::time::{Duration, Instant};

/// Between one that is up and the next that is ended.
const PAUSE: Duration = Duration::from_millis(500);

/// So many rounds through all processes.
pub async fn run(fleet: &Fleet, rounds: u32) -> anyhow::Result<Deeds> {
    let mut deeds = Deeds::default();
    for round in 1..=rounds {
        for member in &fleet.members {
            let beyond = member.log_length();
            let began = Instant::now();
            let ended = member.replace().await?;
            member.until_up(beyond).await?;
            if let Some(address) = member.address() {
                until_ready(&Target::new(address)).await?;
            }
            output::progress(&format!(
                "round {round}: {} ended within {:.1} s of SIGTERM, its successor is ready after {:.1} s",
                member.name(),
                ended.as_secs_f64(),
                began.elapsed().as_secs_f64(),
            ));
            deeds.replaced += 1;
            deeds.slowest_end_ms = deeds.slowest_end_ms.max(u64::try_from(ended.as_millis()).unwrap_or(u64::MAX));
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(deeds)
}

/// Waits until it says that work gets done.
pub async fn until_ready(target: &Target) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        target.look().await;
        if target.is_ready() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "a process is not ready after {} s", READY_WITHIN.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
