//! The accept loop: so many connections at once and no more, and an end in which nobody's request is cut off.

use super::connection::{self, Ending};
use poem::endpoint::BoxEndpoint;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// While no place is free: how often quiet connections are told that theirs is wanted.
const CROWDED_EVERY: Duration = Duration::from_millis(100);

/// How long and how many.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait to be accepted, and quiet ones make room for them.
    pub connections: usize,
    /// For the head of a request.
    pub head: Duration,
    /// Between two requests of a connection.
    pub quiet: Duration,
    /// For a caller who does not take what an open answer writes.
    pub stuck: Duration,
    /// While stopping: how long answers announce the end before quiet connections are closed.
    pub announce: Duration,
    /// While stopping: how long requests may still take.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head: Duration::from_secs(5),
            quiet: Duration::from_secs(60),
            stuck: Duration::from_secs(30),
            announce: Duration::from_millis(500),
            drain: Duration::from_secs(20),
        }
    }
}

/// A server that has its port.
pub struct Server {
    listener: TcpListener,
    endpoint: Arc<BoxEndpoint<'static>>,
    limits: Limits,
    /// Somebody waits for a place.
    crowded: Arc<Notify>,
}

impl Server {
    /// Serves on a port already taken: who must know the port's number before the endpoint exists takes it first.
    pub fn on(listener: TcpListener, endpoint: BoxEndpoint<'static>, limits: Limits) -> Self {
        Self { listener, endpoint: Arc::new(endpoint), limits, crowded: Arc::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes, then finishes what was begun.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (places, serving) = (Arc::new(Semaphore::new(self.limits.connections)), TaskTracker::new());
        let ending = Ending::default();
        tokio::select! {
            () = stop => {}
            () = self.accept(&places, &serving, &ending) => {}
        }
        ending.announced.cancel();
        // Who connected before the port closes is served too: keep accepting while answers announce the end.
        let _announced = tokio::time::timeout(self.limits.announce, self.accept(&places, &serving, &ending)).await;
        let Self { listener, endpoint, limits, crowded } = self;
        for (stream, remote) in let_in_already(listener) {
            let served = connection::serve(stream, remote, endpoint.clone(), limits, ending.clone(), crowded.clone());
            serving.spawn(served);
        }
        ending.begun.cancel();
        serving.close();
        if tokio::time::timeout(limits.drain, serving.wait()).await.is_err() {
            tracing::warn!(connections = serving.len(), "stopping with requests still being answered");
        }
    }

    async fn accept(&self, places: &Arc<Semaphore>, serving: &TaskTracker, ending: &Ending) {
        loop {
            let Some(place) = self.place(places).await else { return };
            let (stream, remote) = self.next().await;
            let (endpoint, ending, crowded) = (self.endpoint.clone(), ending.clone(), self.crowded.clone());
            let served = connection::serve(stream, remote, endpoint, self.limits, ending, crowded);
            serving.spawn(async move {
                served.await;
                drop(place);
            });
        }
    }

    /// The next free place. Who keeps one without asking for anything gives it up: a stranger could take them all for the
    /// price of one request each.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let mut free = pin!(places.clone().acquire_owned());
        loop {
            match tokio::time::timeout(CROWDED_EVERY, &mut free).await {
                Ok(place) => return place.ok(),
                Err(_elapsed) => self.crowded.notify_waiters(),
            }
        }
    }

    async fn next(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, remote)) => {
                    // Answers are small and written at once; waiting for more to send only delays them.
                    let _without_it_only_slower = stream.set_nodelay(true);
                    give_up_after(&stream, self.limits.stuck);
                    return (stream, remote);
                }
                Err(error) => {
                    // Out of file handles, mostly: they come back when connections end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// What nobody acknowledges ends the connection after so long, and not after the quarter of an hour for which the kernel would
/// try: a machine that went to sleep does not keep its place.
#[cfg(target_os = "linux")]
fn give_up_after(stream: &TcpStream, limit: Duration) {
    let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    let _without_it_only_later = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
}

#[cfg(not(target_os = "linux"))]
fn give_up_after(_stream: &TcpStream, _limit: Duration) {}

/// Whoever the kernel has let in but nobody has accepted: closing the port would reset them. Asked of the kernel itself, for
/// the runtime may not have heard of them yet.
fn let_in_already(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let next = || {
        let (stream, remote) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, remote))
    };
    std::iter::from_fn(next).collect()
}
