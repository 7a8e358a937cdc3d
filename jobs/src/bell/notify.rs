//! The bell through Postgres: `NOTIFY` on the ledger's own database, where no Redis is set. A ring wakes every process that
//! works, which costs each a look and needs no passing on.

use super::Bell;
use super::ringing::{RingError, Rung};
use crate::queue::Queue;
use domain::db::Db;
use tokio_util::sync::CancellationToken;

/// Postgres as the far bell.
#[derive(Debug)]
pub(crate) struct NotifyBell {}

impl NotifyBell {
    /// `None` where the database cannot notify.
    pub(super) fn over(_db: &Db) -> Option<Self> {
        None
    }

    pub(super) async fn ring(&self, _queue: Queue) -> Result<Rung, RingError> {
        Ok(Rung::Enough)
    }

    pub(super) fn listen(&self, _bell: Bell, _stopping: CancellationToken) {}
}
