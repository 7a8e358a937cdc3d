//! The one way to Meta over HTTP: no redirects, no repetition, no proxy, tokens in headers only.
//! Every interface of this crate goes through it, so that what must never happen is prevented in one place.

mod answer;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, redirect, retry};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use answer::Answer;
pub use settings::{GRAPH_VERSION, Settings, SettingsError, Timeouts};

use crate::error::{Cause, GraphError};
use crate::signature::appsecret_proof;

/// Idle connections are given up before Meta closes them: a request that meets a closing connection has an unknown
/// outcome, and an unknown outcome is never repeated.
const IDLE: Duration = Duration::from_secs(20);

/// The versioned interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    FacebookGraph,
    InstagramGraph,
}

/// A client of all of Meta's interfaces. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct MetaClient {
    http: reqwest::Client,
    settings: Arc<Settings>,
}

impl MetaClient {
    /// Checks the settings and builds the client.
    ///
    /// # Errors
    /// [`SettingsError`] when an address or the version is not usable, or when no TLS roots are found on the machine.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let settings = settings.checked()?;
        // Another part of the program may have installed a provider before; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("retail-assist/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeouts.connect)
            .timeout(settings.timeouts.total)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| SettingsError::Http(error.without_url().to_string()))?;
        Ok(Self { http, settings: Arc::new(settings) })
    }

    /// The settings this client was built with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A call to a versioned path with a token, which goes into a header, and with its `appsecret_proof` (§10) on
    /// graph.facebook.com when the app secret is known.
    pub(crate) fn request(&self, method: Method, host: Host, path: &str, token: &SecretString) -> RequestBuilder {
        let settings = &self.settings;
        let (base, secret) = match host {
            Host::FacebookGraph => (&settings.facebook_graph_url, settings.meta_app_secret.as_ref()),
            // The proof is not described for graph.instagram.com.
            Host::InstagramGraph => (&settings.instagram_graph_url, None),
        };
        let url = format!("{base}/{}/{path}", settings.graph_version);
        let request = self.http.request(method, url).bearer_auth(token.expose_secret());
        match secret {
            Some(secret) => request.query(&[("appsecret_proof", appsecret_proof(secret, token))]),
            None => request,
        }
    }

    /// A call to an address as it stands, without a token of an account: for the calls that make tokens, which take theirs
    /// as parameters (§2).
    pub(crate) fn plain(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Makes the call, once, and reads the answer whatever its status.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Result<Answer, GraphError> {
        let response = request.send().await.map_err(|error| transport(error, None))?;
        Answer::read(response).await
    }
}

impl fmt::Debug for MetaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetaClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How far a call came that has no (complete) answer.
fn transport(error: reqwest::Error, http_status: Option<u16>) -> GraphError {
    let error = error.without_url();
    // In this order: a connection that took too long to open is both, and nothing was written.
    let cause = match &error {
        error if http_status.is_none() && (error.is_connect() || error.is_builder()) => Cause::Connect,
        error if error.is_timeout() => Cause::Timeout,
        _ => Cause::Interrupted,
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        message = format!("{message}: {inner}");
        source = inner.source();
    }
    GraphError::new(cause, http_status, &message)
}
