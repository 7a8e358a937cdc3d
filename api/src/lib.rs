//! The HTTP edge of Retail Assist and the program `retail-assist`: settings, commands, server, routes.
//! Rules live in `domain`, the ledger in `jobs`; here is only what speaks to the outside.

pub mod app;
pub mod auth;
pub mod cli;
pub mod cursor;
pub mod problem;
pub mod routes;
pub mod server;
pub mod settings;
pub mod telemetry;
