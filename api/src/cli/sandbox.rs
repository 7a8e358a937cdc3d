//! Runs a local Meta. It refuses to start where real credentials are set: what is sent to it must never be meant for Meta.

use super::output;
use crate::server;
use crate::settings::problem::Problems;
use crate::settings::source::Source;
use crate::settings::{has_real_credentials, log_filter, table};
use crate::telemetry::log;
use anyhow::{Context as _, bail};
use clap::Args;
use sandbox::{Config, Sandbox};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::net::SocketAddr;

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where webhooks of Instagram accounts go, e.g. http://127.0.0.1:8080/api/webhooks/instagram.
    #[arg(long)]
    webhook_url_instagram: Option<String>,
    /// Where webhooks of Pages go, e.g. http://127.0.0.1:8080/api/webhooks/facebook.
    #[arg(long)]
    webhook_url_facebook: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

impl SandboxArgs {
    pub async fn run(self) -> anyhow::Result<()> {
        let source = environment_without_credentials()?;
        log::start(source.get("LOG_FORMAT").unwrap_or("pretty"), source.get("RUST_LOG").unwrap_or("info"));
        let mut config = Config {
            webhook_url_instagram: self.webhook_url_instagram,
            webhook_url_facebook: self.webhook_url_facebook,
            ..Config::default()
        };
        let places = [
            ("META_APP_ID", &mut config.meta_app_id),
            ("META_APP_SECRET", &mut config.meta_app_secret),
            ("INSTAGRAM_APP_ID", &mut config.instagram_app_id),
            ("INSTAGRAM_APP_SECRET", &mut config.instagram_app_secret),
        ];
        for (name, place) in places {
            debug_assert!(table::find(name).is_some());
            if let Some(value) = source.secret(name) {
                value.expose_secret().clone_into(place);
            }
        }
        let stop = server::signalled().context("signals cannot be listened to")?;
        let running = Sandbox::bind(self.listen, config).await.context("the sandbox could not be started")?;
        let url = format!("http://{}", running.addr);
        output::say(self.json, &format!("The sandbox listens on {url}"), &json!({ "url": url }))?;
        stop.await;
        running.stop().await;
        Ok(())
    }
}

/// The environment's settings; an error when they hold real credentials.
pub(super) fn environment_without_credentials() -> anyhow::Result<Source> {
    let mut problems = Problems::default();
    let source = Source::read(&mut problems);
    log_filter(&source, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if has_real_credentials(&source) {
        bail!(
            "META_APP_SECRET or INSTAGRAM_APP_SECRET is set while Meta's addresses are the real ones; \
             the sandbox never runs beside real credentials: unset them, or point FACEBOOK_GRAPH_URL, \
             INSTAGRAM_GRAPH_URL and INSTAGRAM_API_URL at the sandbox"
        );
    }
    Ok(source)
}
