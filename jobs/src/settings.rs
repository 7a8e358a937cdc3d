//! How the ledger and its workers behave: leases, ticks, slots and retention. The defaults are those of the ledger's design;
//! tests use shorter ones.

use secrecy::SecretString;
use std::time::Duration;

/// Valid ledger settings.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// How long a claim holds without being renewed; renewed after a third of it.
    pub lease: Duration,
    /// How often a worker looks for due jobs when no bell rings.
    pub tick: Duration,
    /// Rings the workers of other processes through this Redis; may hold a password.
    pub redis_url: Option<SecretString>,
    /// Slots of each queue in this process.
    pub slots: Slots,
    /// How many webhook deliveries one slot takes at once.
    pub webhook_batch: usize,
    /// How long completed jobs are kept.
    pub keep_completed: Duration,
    /// How long discarded and cancelled jobs are kept.
    pub keep_discarded: Duration,
    /// How long a delivery's body is kept when some of its events found no connection.
    pub keep_bodies: Duration,
    /// How long a delivery's hash and outcomes are kept.
    pub keep_deliveries: Duration,
}

/// Jobs of each queue that run at once in one process.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// A person waits for these.
    pub interactive: usize,
    /// Batches of deliveries; two keep one ready while the other commits.
    pub webhooks: usize,
    /// Calls to Meta's Send API and what leads to them.
    pub send: usize,
    /// Everything that may wait.
    pub maintenance: usize,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        const HOUR: u64 = 3_600;
        Self {
            lease: Duration::from_secs(60),
            tick: Duration::from_secs(1),
            redis_url: None,
            slots: Slots { interactive: 8, webhooks: 2, send: 32, maintenance: 4 },
            webhook_batch: 100,
            keep_completed: Duration::from_secs(24 * HOUR),
            keep_discarded: Duration::from_secs(30 * 24 * HOUR),
            keep_bodies: Duration::from_secs(24 * HOUR),
            keep_deliveries: Duration::from_secs(7 * 24 * HOUR),
        }
    }
}
