//! What the routes share: the rules' context, the way in for deliveries, the hashing pool, cursors and figures.
//! One value per process, made at start and handed to every request.

use crate::cursor::Cursors;
use crate::routes::events::Streams;
use domain::Context;
use domain::password::Passwords;
use jobs::Ledger;
use jobs::ingest::Ingest;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::IpAddr;

/// Shared by every request.
#[derive(Debug)]
pub struct App {
    /// The rules' outside.
    pub ctx: Context,
    /// Stores deliveries.
    pub ingest: Ingest,
    /// Takes jobs, and tells when they are done.
    pub ledger: Ledger,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Makes list cursors.
    pub cursors: Cursors,
    /// Scheme, host and port browsers know us by.
    pub origin: String,
    /// Cookies travel on https only.
    pub secure: bool,
    /// Proxies in front, which say where a request came from.
    pub trusted_proxies: Vec<IpAddr>,
    /// Limits of streams of events.
    pub streams: Streams,
    /// Renders the figures.
    pub figures: PrometheusHandle,
}
