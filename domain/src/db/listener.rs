//! Listens to Postgres' `NOTIFY` on a connection of its own, outside the pool. It notices a connection that died without a
//! word, and leaves coming back to its caller, who has to know that something may have been missed.

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use std::time::Duration;
use tokio::time::timeout;

/// To a server that is there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// After so long without a word the connection is tried: the driver cannot tell a silent channel from a cable pulled out.
const CHECK_AFTER: Duration = Duration::from_secs(15);
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// Why nothing is heard any more; a new listener is needed.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The server closed the connection, or the way to it did.
    #[error("the connection was closed")]
    Closed,
    /// No answer in time.
    #[error("the database did not answer in time")]
    Late,
    /// Another error of the driver.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
}

/// What listens to one channel.
#[derive(Debug)]
pub struct Listener {
    inner: PgListener,
}

impl Listener {
    pub(super) async fn connect(options: &PgConnectOptions, channel: &str, name: &str) -> Result<Self, ListenError> {
        let options = options.clone().application_name(name);
        let connecting = async {
            // A pool of one and for ever: the driver wants one, and a connection that is closed for its age misses notes.
            let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
            let mut inner = PgListener::connect_with(&pool.connect_with(options).await?).await?;
            inner.ignore_pool_close_event(true);
            // It would come back by itself, and nobody would learn of the gap.
            inner.eager_reconnect(false);
            inner.listen(channel).await?;
            Ok(Self { inner })
        };
        timeout(CONNECT_WITHIN, connecting).await.unwrap_or(Err(ListenError::Late))
    }

    /// Waits for the next note and returns its text. After an error nothing more is heard.
    pub async fn heard(&mut self) -> Result<String, ListenError> {
        loop {
            match timeout(CHECK_AFTER, self.inner.try_recv()).await {
                Ok(Ok(Some(note))) => return Ok(note.payload().to_owned()),
                Ok(Ok(None)) => return Err(ListenError::Closed),
                Ok(Err(error)) => return Err(error.into()),
                Err(_silence) => self.check().await?,
            }
        }
    }

    async fn check(&mut self) -> Result<(), ListenError> {
        let answer = sqlx::query("SELECT 1").execute(&mut self.inner);
        timeout(CHECK_WITHIN, answer).await.map_err(|_late| ListenError::Late)??;
        Ok(())
    }
}
