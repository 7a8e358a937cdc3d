//! One webhook POST with its attempts, as the queue keeps it and the control interface shows it.
//! Its bytes never change; only the signature is made anew for each attempt.

use serde_json::{Value, json};

use crate::{clock::rfc3339, world::accounts::Login};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    InFlight,
    Retrying,
    Delivered,
    /// Given up.
    Dropped,
    /// There was nobody to deliver to.
    Skipped,
    /// Gone without a trace, by a fault.
    Lost,
}

impl State {
    pub(crate) const ALL: [Self; 7] =
        [Self::Waiting, Self::InFlight, Self::Retrying, Self::Delivered, Self::Dropped, Self::Skipped, Self::Lost];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InFlight => "inFlight",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Skipped => "skipped",
            Self::Lost => "lost",
        }
    }
}

/// What keeps its order: one conversation, or one address while batching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Thread { account: usize, person: Option<usize> },
    Batch { object: &'static str, app: Login },
}

/// One try.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) at: i64,
    pub(crate) status: Option<u16>,
    pub(crate) ms: u64,
    pub(crate) error: Option<String>,
    pub(crate) signature: &'static str,
}

/// One POST.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) object: &'static str,
    pub(crate) app: Login,
    pub(crate) changes: bool,
    pub(crate) accounts: Vec<usize>,
    pub(crate) updates: usize,
    pub(crate) body: Vec<u8>,
    pub(crate) state: State,
    pub(crate) created_at: i64,
    pub(crate) first_attempt_at: Option<i64>,
    pub(crate) next_attempt_at: Option<i64>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) duplicate: bool,
    pub(crate) error: Option<String>,
    pub(crate) lane: Option<Lane>,
}

/// The id in the control interface.
pub(crate) fn public_id(index: usize) -> String {
    format!("d-{}", index + 1)
}

impl Delivery {
    pub(crate) fn to_json(&self, index: usize, account_ids: &[&str], body: bool) -> Value {
        let attempts: Vec<Value> = self
            .attempts
            .iter()
            .map(|attempt| {
                json!({
                    "at": rfc3339(attempt.at), "status": attempt.status, "ms": attempt.ms,
                    "error": attempt.error, "signature": attempt.signature,
                })
            })
            .collect();
        json!({
            "id": public_id(index), "object": self.object, "kind": if self.changes { "changes" } else { "messaging" },
            "app": self.app.name(), "accountIds": account_ids, "updates": self.updates, "state": self.state.name(),
            "createdAt": rfc3339(self.created_at), "nextAttemptAt": self.next_attempt_at.map(rfc3339),
            "duplicate": self.duplicate, "error": self.error,
            "body": body.then(|| String::from_utf8_lossy(&self.body)), "attempts": attempts,
        })
    }
}
