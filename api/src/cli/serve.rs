//! Runs the service: opens the database, starts workers and the HTTP server as the role says, and ends them in an order in
//! which nobody's request is cut off.

use super::context::{self, Made};
use crate::app::App;
use crate::cursor::Cursors;
use crate::routes::events::Streams;
use crate::server::{self, Limits, Server};
use crate::settings::{Need, Settings};
use crate::telemetry::{log, metrics};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use domain::Context;
use domain::password::Passwords;
use domain::plans;
use jobs::{Ledger, Workers};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// From the signal to the end of the process.
const STOP_WITHIN: Duration = Duration::from_secs(29);
/// For telling other processes what was committed last.
const FLUSH_WITHIN: Duration = Duration::from_millis(500);
/// Passwords hashed at once; each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 2;

/// Which part of the service this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// HTTP and workers.
    All,
    /// HTTP only; workers run elsewhere.
    Api,
    /// Workers only; listens nowhere.
    Worker,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Which part of the service this process is.
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
}

impl Serve {
    pub async fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load(Need::Service)?;
        log::start(&settings.log_format, &settings.log_filter);
        // Held to the end: dropping it would disarm them.
        let _fault_points = jobs::failpoint::arm_from_environment();
        let stop = server::signalled().context("signals cannot be listened to")?;
        // Installed before anything is counted.
        metrics::recorder();
        let made = context::make(settings).await?;
        if self.role == Role::Worker {
            return work(made, stop).await;
        }
        let listener = TcpListener::bind(made.edge.bind_addr).await;
        let listener = listener.context("the address of BIND_ADDR is not free, or not one of this machine's")?;
        answer(made, listener, self.role == Role::All, stop).await
    }
}

/// Works until `stop` completes; listens nowhere.
async fn work(made: Made, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let Made { ctx, edge } = made;
    let ledger = Ledger::new(ctx, edge.ledger);
    let workers = Workers::start(&ledger);
    tracing::info!("working");
    stop.await;
    end(ledger, Some(workers), Instant::now()).await
}

/// Answers on `listener`, and works where wanted, until `stop` completes; then ends both in order.
pub(super) async fn answer(
    made: Made,
    listener: TcpListener,
    with_workers: bool,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let Made { ctx, edge } = made;
    check_signup_plan(&ctx).await?;
    let figures = metrics::recorder();
    let ledger = Ledger::new(ctx.clone(), edge.ledger);
    let workers = with_workers.then(|| Workers::start(&ledger));
    let app = App {
        ctx: ctx.clone(),
        ingest: ledger.ingest(),
        ledger: ledger.clone(),
        passwords: Passwords::new(HASHES_AT_ONCE)?,
        cursors: Cursors::new(edge.cursor_key),
        origin: edge.origin,
        secure: edge.secure,
        trusted_proxies: edge.trusted_proxies,
        streams: Streams::default(),
        figures,
    };
    let limits = Limits { connections: edge.max_connections, ..Limits::default() };
    let server = Server::on(listener, server::endpoint(Arc::new(app)), limits);
    tracing::info!(address = %server.address()?, "listening");
    let (asked, stopping) = tokio::sync::oneshot::channel();
    let stop = async {
        stop.await;
        let _server_is_gone = asked.send(Instant::now());
    };
    server.run(stop).await;
    end(ledger, workers, stopping.await.unwrap_or_else(|_| Instant::now())).await
}

/// The catalogue is data, so this setting can only be checked against the database.
async fn check_signup_plan(ctx: &Context) -> anyhow::Result<()> {
    let Some(plan) = ctx.settings.signup_plan.as_deref() else { return Ok(()) };
    let known = plans::find(ctx.db.read(), plan).await?.is_some();
    anyhow::ensure!(known, "SIGNUP_PLAN is not a plan of the catalogue; use starter, pro, team, enterprise or closed");
    Ok(())
}

/// Workers stop after the last request, which may have waited for one of their jobs.
async fn end(ledger: Ledger, workers: Option<Workers>, asked: Instant) -> anyhow::Result<()> {
    if let Some(workers) = workers {
        // Time for closing the database, and for the last sign of life, is kept back.
        let left = STOP_WITHIN.saturating_sub(asked.elapsed()).saturating_sub(Duration::from_secs(4));
        workers.stop(left).await;
    }
    // The last of what they have written is told to other processes.
    let db = ledger.context().db.clone();
    db.feed().flushed(FLUSH_WITHIN).await;
    drop(ledger);
    if tokio::time::timeout(Duration::from_secs(2), db.close()).await.is_err() {
        tracing::warn!("the database was still in use at the end");
    }
    tracing::info!("stopped");
    Ok(())
}
