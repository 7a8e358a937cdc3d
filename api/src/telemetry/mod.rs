//! What others see of this process: log lines and figures.

pub mod database;
pub mod ledger;
pub mod log;
pub mod metrics;
