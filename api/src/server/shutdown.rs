//! What ends the program: SIGTERM from whoever runs it, or an interrupt from the keyboard.

use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first signal; fails when signals cannot be listened to.
pub fn signalled() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop"),
            _ = interrupt.recv() => tracing::info!("interrupted"),
        }
    })
}
