//! The two ways between processes: a channel of Redis where an address is set, else one of Postgres. Both tell everybody who
//! listens at that moment and keep nothing, and both are tried when they have been silent for a while.

use crate::settings::LedgerSettings;
use domain::db::{Db, ListenError};
use futures::StreamExt as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, RedisError};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Of Postgres and of Redis. Redis has one for all its databases, so installations that share a server hear each other's ids,
/// which are nobody's there.
const CHANNEL: &str = "retail_assist_feed";
/// The connection that listens, as Postgres lists it.
const LISTED: &str = "retail-assist feed";
/// One note, from its connection to the answer.
const SEND_WITHIN: Duration = Duration::from_secs(1);
/// To begin to listen.
const LISTEN_WITHIN: Duration = Duration::from_secs(2);
/// After so long without a word a listener tells itself something.
const CHECK_AFTER: Duration = Duration::from_secs(15);
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// Why nothing was sent, or is heard any more. Never holds an address: that may hold a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum WayError {
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("the database: {0}")]
    Db(#[from] sea_orm::DbErr),
    #[error("the database: {0}")]
    Listen(#[from] ListenError),
    #[error("the connection was closed")]
    Closed,
    #[error("no answer in time")]
    Late,
}

/// How this process reaches the others.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Redis(Arc<RedisWay>),
    Postgres(Db),
}

impl Way {
    /// `None` where there is none: processes that share a SQLite file without Redis.
    pub(super) fn choose(settings: &LedgerSettings, db: &Db) -> Option<Self> {
        if let Some(url) = &settings.redis_url {
            match Client::open(url.expose_secret()) {
                Ok(client) => return Some(Self::Redis(Arc::new(RedisWay { client, kept: Mutex::new(None) }))),
                // The settings were checked, so this is a defect.
                Err(error) => tracing::error!(%error, "the address of Redis cannot be used; changes are not told"),
            }
        }
        db.can_notify().then(|| Self::Postgres(db.clone()))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Redis(_) => "redis",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Tells everybody who listens. On Postgres outside of every other transaction: those that notify commit one after the
    /// other.
    pub(super) async fn send(&self, text: &str) -> Result<(), WayError> {
        let sent = async {
            match self {
                Self::Redis(way) => way.send(text).await,
                Self::Postgres(db) => Ok(db.notify(CHANNEL, text).await?),
            }
        };
        let sent = timeout(SEND_WITHIN, sent).await.unwrap_or(Err(WayError::Late));
        if let (Err(_), Self::Redis(way)) = (&sent, self) {
            *way.kept.lock().await = None;
        }
        sent
    }

    /// Listens until that fails. `begun` is called when everything that is sent from then on is heard.
    pub(super) async fn listen(&self, beacon: &str, begun: impl FnOnce(), heard: impl Fn(&str)) -> WayError {
        let ended = match self {
            Self::Redis(way) => self.listen_to_redis(way, beacon, begun, heard).await,
            Self::Postgres(db) => listen_to_postgres(db, begun, heard).await,
        };
        ended.err().unwrap_or(WayError::Closed)
    }

    async fn listen_to_redis(
        &self,
        way: &RedisWay,
        beacon: &str,
        begun: impl FnOnce(),
        heard: impl Fn(&str),
    ) -> Result<(), WayError> {
        let subscribing = async {
            let mut listener = way.client.get_async_pubsub().await?;
            listener.subscribe(CHANNEL).await?;
            Ok::<_, WayError>(listener)
        };
        let mut listener = timeout(LISTEN_WITHIN, subscribing).await.map_err(|_late| WayError::Late)??;
        begun();
        let mut notes = listener.on_message();
        loop {
            let note = match timeout(CHECK_AFTER, notes.next()).await {
                Ok(note) => note,
                // A silent channel cannot be told from a cable pulled out.
                Err(_silence) => {
                    self.send(beacon).await?;
                    timeout(CHECK_WITHIN, notes.next()).await.map_err(|_late| WayError::Late)?
                }
            };
            let note = note.ok_or(WayError::Closed)?;
            heard(&note.get_payload::<String>().unwrap_or_default());
        }
    }
}

/// The listener tries its connection by itself.
async fn listen_to_postgres(db: &Db, begun: impl FnOnce(), heard: impl Fn(&str)) -> Result<(), WayError> {
    let Some(mut listener) = db.listener(CHANNEL, LISTED).await? else { return Err(WayError::Closed) };
    begun();
    loop {
        heard(&listener.heard().await?);
    }
}

/// Redis, with the connection that notes are sent on: dropped at the first error and made anew for the next.
pub(super) struct RedisWay {
    client: Client,
    kept: Mutex<Option<MultiplexedConnection>>,
}

/// Without the address, which may hold a password.
impl std::fmt::Debug for RedisWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisWay").finish_non_exhaustive()
    }
}

impl RedisWay {
    async fn send(&self, text: &str) -> Result<(), WayError> {
        let mut kept = self.kept.lock().await;
        let mut connection = match &*kept {
            Some(connection) => connection.clone(),
            None => {
                let limits = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(SEND_WITHIN))
                    .set_response_timeout(Some(SEND_WITHIN));
                let fresh = self.client.get_multiplexed_async_connection_with_config(&limits).await?;
                kept.insert(fresh).clone()
            }
        };
        drop(kept);
        connection.publish::<_, _, ()>(CHANNEL, text).await?;
        Ok(())
    }
}
