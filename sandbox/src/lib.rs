//! A local, faithful Meta: sign-in and tokens, Send API, reads, signed webhooks, files, a model, and a control interface.
//! The demo and the tests talk to it over HTTP only; it shares no type with the client it stands in for.

mod clock;
mod config;
mod connection;
mod control;
mod faults;
mod graph;
mod ids;
mod media;
mod model;
mod oauth;
mod server;
mod webhook;
mod world;

pub use config::{Batch, Casing, Config, SignWith};
pub use server::{Running, Sandbox, run};
