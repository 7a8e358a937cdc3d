//! The job ledger as an apalis backend, and the job kinds of the product, one file each under `jobs/`. A job is a row that is
//! written in the transaction that makes it necessary; workers claim rows, and settle them with the effects of their work.

mod backend;
pub mod bell;
mod claimer;
pub mod failpoint;
pub mod ingest;
pub mod jobs;
pub mod ledger;
pub mod outcome;
pub mod policy;
pub mod queue;
mod relay;
mod run;
pub mod settings;
pub mod worker;

pub use ledger::Ledger;
pub use queue::Queue;
pub use settings::LedgerSettings;
pub use worker::Workers;
