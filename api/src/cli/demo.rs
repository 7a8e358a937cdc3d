//! Runs everything in one process on embedded defaults: a fresh SQLite file, a local Meta, four shops with their accounts
//! and customers, the service and its workers. Every secret is made at start, and nothing it does leaves this machine.

mod cast;
mod facts;
mod guide;
mod place;
mod secrets;
mod shops;
mod stage;

use super::{context, output, sandbox as alone, serve};
use crate::server;
use crate::telemetry::{log, metrics};
use anyhow::{Context as _, bail};
use clap::Args;
use facts::Facts;
use jobs::Ledger;
use place::Place;
use sandbox::Sandbox;
use secrets::Secrets;
use stage::Stage;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// From the open port to a service that gets work done.
const READY_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Demo {
    /// Where its files go; those of the demo before it are deleted at start.
    #[arg(long, default_value = "target/demo")]
    dir: PathBuf,
    /// Port of the service; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of the local Meta; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    sandbox_port: u16,
    /// Answer as JSON: one line, once it is ready.
    #[arg(long)]
    json: bool,
    /// End when standard input closes too, as it does when the program that started this one is gone.
    #[arg(long)]
    until_stdin_closes: bool,
}

impl Demo {
    pub async fn run(self) -> anyhow::Result<()> {
        let environment = alone::environment_without_credentials()?;
        // People read the guide; what goes wrong on purpose is still told.
        let filter = if environment.is_set("RUST_LOG") { environment.get("RUST_LOG") } else { None };
        log::start(environment.get("LOG_FORMAT").unwrap_or("pretty"), filter.unwrap_or("warn"));
        metrics::recorder();
        let stop = self.stop()?;
        // Both ports are taken before anything is deleted: a second demo beside the first changes nothing.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        let listener = listener.with_context(|| taken("port", self.port))?;
        let (address, secrets) = (listener.local_addr()?, Secrets::make()?);
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, self.sandbox_port));
        let meta = Sandbox::bind(here, secrets.of_sandbox(address)).await;
        let meta = meta.with_context(|| taken("sandbox-port", self.sandbox_port))?;
        let played = self.play(listener, address, &secrets, &meta.url(), stop).await;
        meta.stop().await;
        played
    }

    async fn play(
        &self,
        listener: TcpListener,
        address: SocketAddr,
        secrets: &Secrets,
        meta: &str,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let place = Place::take(&self.dir)?;
        let made = context::make(secrets.settings(&place, address, meta)?).await?;
        let stage = Stage::at(meta)?;
        // Only enqueues: the jobs are found by the workers of the service below.
        let ledger = Ledger::new(made.ctx.clone(), made.edge.ledger.clone());
        let shops = shops::open(&made.ctx, &ledger, &stage).await?;
        drop(ledger);
        let operator_key = shops::operator_key(&made.ctx).await?;
        let facts = Facts {
            api: format!("http://{address}"),
            docs: format!("http://{address}/docs"),
            sandbox: meta.to_owned(),
            page: format!("{meta}/sandbox"),
            directory: place.shown(),
            verify_token: secrets.verify_token().to_owned(),
            operator_key,
            shops,
        };
        let mut serving = pin!(serve::answer(made, listener, true, stop));
        tokio::select! {
            ended = &mut serving => return ended,
            ready = ready(&stage, secrets, &facts.api) => ready?,
        }
        output::say(self.json, &guide::text(&facts), &serde_json::to_value(&facts)?)?;
        serving.await
    }

    /// What ends the demo.
    fn stop(&self) -> anyhow::Result<impl Future<Output = ()> + use<>> {
        let signalled = server::signalled().context("signals cannot be listened to")?;
        let (gone, parent) = oneshot::channel::<()>();
        if self.until_stdin_closes {
            // A thread of its own, for one of the runtime's would be waited for at the end.
            std::thread::spawn(move || {
                // Closed or broken, nobody is there any more.
                let _either_way = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
                let _ended_already = gone.send(());
            });
        } else {
            // Never completes: only signals end it.
            std::mem::forget(gone);
        }
        Ok(async move {
            tokio::select! {
                () = signalled => {}
                _ = parent => {}
            }
        })
    }
}

/// Waits until the service works, and until Meta sends it what it should.
async fn ready(stage: &Stage, secrets: &Secrets, api: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    while !stage.is_well(&format!("{api}/readyz")).await {
        if began.elapsed() > READY_WITHIN {
            bail!("the service is not ready after {} s; its log says why", READY_WITHIN.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    secrets.subscribe_app(stage, api).await?;
    shops::subscribed(stage).await
}

fn taken(option: &str, port: u16) -> String {
    format!(
        "port {port} of 127.0.0.1 is not free; end what listens there, or choose another one with --{option} (0: any)"
    )
}
