//! The queues: each has slots of its own in every worker, so that none starves another.

/// A queue of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// A person waits for the result.
    Interactive,
    /// Deliveries from Meta.
    Webhooks,
    /// What leaves through the Send API, and what decides it.
    Send,
    /// Everything that may wait.
    Maintenance,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Interactive, Self::Webhooks, Self::Send, Self::Maintenance];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Webhooks => "webhooks",
            Self::Send => "send",
            Self::Maintenance => "maintenance",
        }
    }

    /// Reads the stored form.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}
