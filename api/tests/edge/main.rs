//! The HTTP edge as a stranger meets it: the real server on a port of its own, over TCP, with a real database file and a
//! clock that is turned by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod accounts;
mod admin;
mod connections;
mod events;
mod health;
mod inbox;
mod limits;
mod logins;
mod rows;
mod talks;
mod tenants;
mod webhooks;
mod world;
