//! For operators: what Meta delivered, the jobs, the queues, and what recurs. Everything here is a statement on the ledger, and every
//! change has its audit row in the same transaction.

pub mod deliveries;
pub mod jobs;
pub mod messages;
pub mod queues;
mod reason;
pub mod schedules;
