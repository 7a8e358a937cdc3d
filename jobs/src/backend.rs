//! The ledger as an apalis backend: yields the batches that the queue's claimer has claimed. It has no error of its own, so an
//! apalis worker never dies of the database; when the claimer has ended, so does the worker, after its last batch.

use crate::claimer::{Batch, Claimer};
use apalis::prelude::*;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::worker::context::WorkerContext;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tower_layer::Identity;

/// One queue's source of work.
pub(crate) struct LedgerBackend {
    batches: mpsc::Receiver<Batch>,
}

impl LedgerBackend {
    /// Starts the claimer in a task of its own: whether apalis polls or not must not decide how long a transaction is open.
    pub(crate) fn new(claimer: Claimer) -> Self {
        Self { batches: claimer.start() }
    }
}

impl Backend for LedgerBackend {
    type Task = Task<Batch>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Batch>, Infallible>>> {
        self.batches.poll_recv(cx).map(|next| next.map(|batch| Ok(TaskBuilder::new(batch).build())))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LedgerBackend {
    type Args = Batch;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}
