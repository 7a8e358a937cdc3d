//! The bell between processes against real servers, and the reason why Redis only rings. Each test starts the server that it
//! breaks; a "process" is a ledger of its own with its own workers and connections over the same database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crowd;
mod feed;
mod hygiene;
mod jam;
mod lane;
mod outages;
mod postgres;
mod rings;
mod server;
mod site;
