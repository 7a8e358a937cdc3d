//! Everything a rule needs from outside, passed as one value: database, vault, Meta, clock and settings.
//! There is no global: two contexts in one process (as in tests) do not see each other.

use crate::clock::{Clock, Millis};
use crate::db::Db;
use crate::settings::Settings;
use crate::vault::Vault;
use meta::MediaClient;
use meta::client::MetaClient;
use std::sync::Arc;

/// The injected outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// Seals and opens tokens.
    pub vault: Arc<Vault>,
    /// Speaks to Meta.
    pub meta: Arc<MetaClient>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Reads the files that people send.
    pub media: MediaClient,
    /// Asks the chat model, where the operator has set one.
    pub ai: Option<ai::Client>,
    /// What the operator chose.
    pub settings: Arc<Settings>,
}

impl Context {
    /// The present moment by the injected clock.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }
}
