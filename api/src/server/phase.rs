//! What a connection is doing, and until when it may: between requests, in a head, at an answer, or at one that stays open.
//! A route that answers with a stream holds its connection for as long as that goes on.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests.
    Quiet(Instant),
    /// A head is arriving.
    Head(Instant),
    /// A request is being answered; it has limits of its own.
    Busy,
    /// An answer that stays open. The time is there while the caller does not take what is written.
    Open(Option<Instant>),
}

impl Phase {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Quiet(until) | Self::Head(until) => Some(until),
            Self::Busy => None,
            Self::Open(stuck) => stuck,
        }
    }

    /// Whether what arrives belongs to a head.
    pub(super) fn reads_heads(self) -> bool {
        matches!(self, Self::Quiet(_) | Self::Head(_))
    }

    /// Something was to be written; true when that changes the phase.
    pub(super) fn wrote(&mut self, polled: &Poll<io::Result<usize>>, limit: Duration) -> bool {
        match (*self, polled) {
            (Self::Open(None), Poll::Pending) => *self = Self::Open(Some(Instant::now() + limit)),
            (Self::Open(Some(_)), Poll::Ready(_)) => *self = Self::Open(None),
            _ => return false,
        }
        true
    }
}

/// The connection of a request, for a route whose answer stays open.
#[derive(Clone, Debug)]
pub struct Line {
    pub(super) phase: Arc<watch::Sender<Phase>>,
    pub(super) quiet: Duration,
    /// The server is about to end.
    pub(super) stopping: CancellationToken,
}

impl Line {
    /// From now on the connection belongs to this answer, until what is returned is dropped.
    pub fn hold(&self) -> Held {
        self.phase.send_replace(Phase::Open(None));
        Held(self.clone())
    }

    /// Cancelled when the server is told to stop: then the answer is to end at once.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }
}

/// Keeps a connection from being taken for a quiet one.
#[derive(Debug)]
pub struct Held(Line);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.phase.send_replace(Phase::Quiet(Instant::now() + self.0.quiet));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_answer_that_is_not_taken_has_a_deadline() {
        let limit = Duration::from_secs(1);
        let mut phase = Phase::Busy;
        assert!(!phase.wrote(&Poll::Pending, limit) && phase == Phase::Busy);
        phase = Phase::Open(None);
        assert!(!phase.wrote(&Poll::Ready(Ok(1)), limit) && phase.deadline().is_none());
        assert!(phase.wrote(&Poll::Pending, limit));
        let until = phase.deadline();
        assert!(until.is_some() && !phase.wrote(&Poll::Pending, limit) && phase.deadline() == until);
        assert!(phase.wrote(&Poll::Ready(Ok(1)), limit) && phase.deadline().is_none());
    }
}
