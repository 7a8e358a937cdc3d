//! Makes the rules' context from settings: opens the database, brings its schema up to date, builds vault and client.

use super::migrate;
use crate::settings::Settings;
use anyhow::Context as _;
use domain::Context;
use domain::clock::{Clock, SystemClock};
use domain::db::Db;
use meta::MediaClient;
use meta::client::MetaClient;
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Duration;

/// For one file.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(20);

/// What is left of the settings once the context has its part.
pub struct Made {
    /// The rules' outside.
    pub ctx: Context,
    /// The rest.
    pub edge: Edge,
}

/// Settings that only the HTTP edge and the workers read.
pub struct Edge {
    /// Where to listen.
    pub bind_addr: std::net::SocketAddr,
    /// Scheme, host and port browsers know us by.
    pub origin: String,
    /// Cookies travel on https only.
    pub secure: bool,
    /// Authenticates list cursors.
    pub cursor_key: secrecy::SecretBox<[u8; 32]>,
    /// How jobs run.
    pub ledger: jobs::LedgerSettings,
    /// Connections at once.
    pub max_connections: usize,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: Vec<std::net::IpAddr>,
}

/// The machine's clock; with fault points also one that a test turns, by the milliseconds in the file that CLOCK_OFFSET_FILE
/// names.
fn clock() -> Arc<dyn Clock> {
    #[cfg(feature = "failpoints")]
    if let Some(file) = std::env::var_os("CLOCK_OFFSET_FILE") {
        return Arc::new(turned::TurnedClock::new(file.into()));
    }
    Arc::new(SystemClock)
}

/// Opens everything.
pub async fn make(settings: Settings) -> anyhow::Result<Made> {
    let (origin, secure) = (settings.origin(), settings.is_secure());
    let meta = MetaClient::new(settings.meta).context("the client for Meta could not be made")?;
    let vault = settings.vault.context("TOKEN_ENCRYPTION_KEYS is not set")?;
    let db = Db::open_with(settings.database_url.expose_secret(), settings.database_connections).await;
    let db = db.context("the database of DATABASE_URL could not be opened")?;
    migrate::up(&db).await?;
    let ctx = Context {
        db,
        vault: Arc::new(vault),
        meta: Arc::new(meta),
        clock: clock(),
        media: MediaClient::new(settings.media_hosts, MEDIA_TIMEOUT)
            .context("the client for files could not be made")?,
        ai: settings.ai,
        settings: Arc::new(settings.domain),
    };
    let edge = Edge {
        bind_addr: settings.bind_addr,
        origin,
        secure,
        cursor_key: settings.cursor_key,
        ledger: settings.ledger,
        max_connections: settings.max_connections,
        trusted_proxies: settings.trusted_proxies,
    };
    Ok(Made { ctx, edge })
}

#[cfg(feature = "failpoints")]
mod turned {
    use domain::clock::{Clock, Millis, SystemClock};
    use std::path::PathBuf;

    /// The machine's clock, turned as far as a file says at this moment: every process that reads the file turns with it.
    #[derive(Debug)]
    pub struct TurnedClock {
        file: PathBuf,
    }

    impl TurnedClock {
        pub fn new(file: PathBuf) -> Self {
            Self { file }
        }
    }

    impl Clock for TurnedClock {
        fn now(&self) -> Millis {
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            SystemClock.now() + text.trim().parse::<Millis>().unwrap_or(0)
        }
    }
}
