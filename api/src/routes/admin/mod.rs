//! For operators: what Meta delivered, the jobs, and the queues. Everything here is a statement on the ledger, and every
//! change has its audit row in the same transaction.

pub mod deliveries;
pub mod jobs;
pub mod queues;
