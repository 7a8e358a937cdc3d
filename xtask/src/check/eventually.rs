//! Waiting for what jobs do in the background: looking again and again until it is there, and saying what was missed.

use anyhow::bail;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(50);
const WITHIN: Duration = Duration::from_secs(20);

/// What `look` finds, once it finds something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > WITHIN {
            bail!("after {} s there is still not {what}", WITHIN.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
