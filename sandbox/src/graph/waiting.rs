//! Answers that do not come: hanging for a while, or held until someone lets them go.
//! A caller that hangs up ends the wait, so that nothing is done for somebody who is gone.

use std::{net::SocketAddr, time::Duration};

use crate::world::Shared;

use super::call::Call;

/// Waits that long; false when the caller hung up before.
pub(crate) async fn hang(shared: &Shared, peer: Option<SocketAddr>, ms: u64) -> bool {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(ms)) => true,
        () = shared.connections.hung_up(peer) => false,
    }
}

/// Waits for the next release, and is counted meanwhile; false when the caller hung up before.
pub(crate) async fn held(shared: &Shared, call: &Call) -> bool {
    struct Counted<'a>(&'a Shared);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.read(|world| world.counters.held = world.counters.held.saturating_sub(1));
        }
    }
    let mut release = shared.release.subscribe();
    shared.read(|world| world.counters.held += 1);
    let _counted = Counted(shared);
    tokio::select! {
        // The sender lives as long as the sandbox; if it is gone, nothing is held any more.
        _ = release.changed() => true,
        () = shared.connections.hung_up(call.peer) => false,
    }
}
