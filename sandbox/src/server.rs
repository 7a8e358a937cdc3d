//! Binding, running and stopping a sandbox.
//! A test holds a `Running`; a program calls `run` with what tells it to stop.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{Endpoint, Request, Response, Server, error::ReadBodyError, http::StatusCode};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

use crate::{
    config::Config,
    connection::{Connections, CuttableListener},
    control,
    graph::{self, call::Call},
    media, model, webhook,
    world::Shared,
};

/// The largest request body.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// The way to start a sandbox.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a sandbox on that address (port 0: any free port).
    pub async fn bind(addr: SocketAddr, config: Config) -> io::Result<Running> {
        if let Some(problem) = config.problem() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let connections = Connections::default();
        let listener = CuttableListener::bind(addr, connections.clone()).await?;
        let addr = listener.addr();
        let shared = Arc::new(Shared::new(config, connections).map_err(io::Error::other)?);
        // A set, because dropping it ends the task.
        let mut deliverer = JoinSet::new();
        deliverer.spawn(webhook::deliverer::deliver(Arc::clone(&shared)));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::new_with_acceptor(listener).name("sandbox");
        let front = Front { shared };
        let server = tokio::spawn(server.run_with_graceful_shutdown(
            front,
            async {
                // Dropping the other end stops the server as well as a message does.
                let _ = stopped.await;
            },
            // Answers that are held or hang would never end by themselves.
            Some(Duration::from_millis(200)),
        ));
        Ok(Running { addr, stop, server, deliverer })
    }
}

/// A sandbox under way; dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
    deliverer: JoinSet<()>,
}

impl Running {
    /// The page for a person, and the base of the control interface.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Closes the port and forgets everything.
    pub async fn stop(self) {
        drop(self.deliverer);
        // It may have ended already; that is what is wanted.
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}

/// Runs a sandbox until `shutdown` completes.
pub async fn run(addr: SocketAddr, config: Config, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let running = Sandbox::bind(addr, config).await?;
    shutdown.await;
    running.stop().await;
    Ok(())
}

/// Every request: the control interface under `/sandbox`, a model under `/ai`, files under `/media`, Meta's hosts everywhere else.
struct Front {
    shared: Arc<Shared>,
}

impl Endpoint for Front {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = match request.take_body().into_bytes_limit(BODY_LIMIT).await {
            Ok(body) => body,
            Err(ReadBodyError::PayloadTooLarge) => {
                return Ok(control::error::too_large(BODY_LIMIT));
            }
            Err(_) => return Ok(Response::from(StatusCode::BAD_REQUEST)),
        };
        let path = request.original_uri().path();
        if path == "/sandbox" || path.starts_with("/sandbox/") {
            return Ok(control::answer(&self.shared, &request, &body).await);
        }
        if path.starts_with("/media/") {
            return Ok(media::answer(&self.shared, &request).await);
        }
        if path.starts_with("/ai/") {
            return Ok(model::answer(&self.shared, &request, &body).await);
        }
        Ok(graph::answer(&self.shared, Call::new(&request, &body)).await)
    }
}
