//! The built programs as processes of their own, spoken to over HTTP and judged by what the sandbox counted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod bell;
mod browser;
mod canaries;
mod crashes;
mod disk;
mod doctor;
mod journey;
mod logins;
mod process;
mod system;
mod webhooks;
