//! The servers do what the tests above them rely on: they remember what they must, forget what they may, and never stay behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod database;
mod left_behind;
mod postgres;
mod redis;
