//! The ledger against a real database, and the product's jobs against the sandbox.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod echoes;
mod faults;
mod harness;
mod inbox;
mod lanes;
mod lapse;
mod many;
mod operate;
mod outcomes;
mod plans;
mod schedule;
mod scheduled;
mod sends;
mod shop;
mod story;
