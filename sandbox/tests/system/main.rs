//! Drives a sandbox over real HTTP, with a receiver of webhooks that the tests watch.
//! What a client of Meta would see is asserted, down to raw sockets where an answer is lost.

#![expect(clippy::unwrap_used, reason = "the lint knows test functions, not what they call")]

mod bots;
mod consent;
mod control;
mod facebook_login;
mod faults;
mod handover;
mod harness;
mod instagram_login;
mod lifecycle;
mod load;
mod media;
mod model;
mod oauth_faults;
mod raw;
mod reads;
mod receiver;
mod sends;
mod signing;
mod subscriptions;
mod webhooks;
