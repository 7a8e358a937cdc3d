//! The state of a sandbox, behind one mutex that is only ever taken inside a closure.
//! So it can never be held across an await, and every change wakes the one task that delivers webhooks.

pub(crate) mod accounts;
pub(crate) mod bots;
pub(crate) mod counters;
pub(crate) mod inbound;
pub(crate) mod managers;
pub(crate) mod oauth_counters;
pub(crate) mod people;
pub(crate) mod rate;
pub(crate) mod subjects;
pub(crate) mod tokens;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::sync::{Notify, watch};

use crate::{
    clock::Clock, config::Config, connection::Connections, faults::Faults, ids::Ids, model::Model, oauth::codes::Code,
    webhook::queue::Queue,
};

use self::{accounts::Accounts, bots::Bots, counters::Counters, managers::Manager, people::Sent, tokens::Tokens};

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) rng: StdRng,
    pub(crate) ids: Ids,
    pub(crate) accounts: Accounts,
    /// People with a Facebook login.
    pub(crate) managers: Vec<Manager>,
    pub(crate) tokens: Tokens,
    /// Authorization codes by their text.
    pub(crate) codes: HashMap<String, Code>,
    /// App-level fields by webhook object; none: every field, as the dashboard has it.
    pub(crate) app_fields: HashMap<&'static str, Vec<String>>,
    pub(crate) sent: Vec<Sent>,
    /// Every DM from a customer, with the replies it got.
    pub(crate) inbound: Vec<inbound::Inbound>,
    pub(crate) queue: Queue,
    pub(crate) bots: Bots,
    pub(crate) faults: Faults,
    pub(crate) model: Model,
    pub(crate) counters: Counters,
    /// Counts resets, so that what was under way before one is not taken for the new world's.
    pub(crate) epoch: u64,
}

impl World {
    fn new(config: Config) -> Self {
        let rng = StdRng::seed_from_u64(config.seed);
        Self {
            config,
            clock: Clock::default(),
            rng,
            ids: Ids::default(),
            accounts: Accounts::default(),
            managers: Vec::new(),
            tokens: Tokens::default(),
            codes: HashMap::new(),
            app_fields: HashMap::new(),
            sent: Vec::new(),
            inbound: Vec::new(),
            queue: Queue::default(),
            bots: Bots::default(),
            faults: Faults::default(),
            model: Model::default(),
            counters: Counters::default(),
            epoch: 0,
        }
    }

    /// An empty world with the same settings, and if wanted the same accounts and customers.
    pub(crate) fn reset(&mut self, keep_accounts: bool) {
        let mut fresh = Self::new(self.config.clone());
        fresh.epoch = self.epoch + 1;
        if keep_accounts {
            fresh.accounts = std::mem::take(&mut self.accounts);
            fresh.accounts.forget_messages();
            fresh.managers = std::mem::take(&mut self.managers);
            fresh.tokens = std::mem::take(&mut self.tokens);
            // Ids go on counting: a message id of before must not come again.
            fresh.ids = std::mem::take(&mut self.ids);
        }
        *self = fresh;
    }
}

/// The world and what surrounds it.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    /// Wakes the deliverer.
    pub(crate) wake: Notify,
    /// Counts releases of held answers.
    pub(crate) release: watch::Sender<u64>,
    pub(crate) connections: Connections,
    /// Sends webhooks: no proxy, no redirects.
    pub(crate) http: reqwest::Client,
}

impl Shared {
    pub(crate) fn new(config: Config, connections: Connections) -> Result<Self, reqwest::Error> {
        // Another part of the program may have chosen a provider already; any will do, only http is spoken.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("facebookexternalua")
            .pool_max_idle_per_host(64)
            .build()?;
        Ok(Self {
            world: Mutex::new(World::new(config)),
            wake: Notify::new(),
            release: watch::Sender::new(0),
            connections,
            http,
        })
    }

    /// Looks at the world.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world and wakes the deliverer.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let result = self.read(change);
        self.wake.notify_one();
        result
    }
}
