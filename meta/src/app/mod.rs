//! What Meta knows of our app itself (fact sheet §2.6, §4.1), and what the head of every answer tells: version and time.
//! Whoever looks for what is wrong asks it; no message depends on it.

mod identity;
mod probe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod versions;

pub use identity::AppIdentity;
pub use probe::Probe;
pub use subscriptions::AppSubscription;
pub use versions::{VersionEnd, version_end};

use secrecy::{ExposeSecret, SecretString};

use crate::error::GraphError;
use crate::oauth::App;

/// The app's own token: `id|secret`. It needs no exchange and never expires.
fn token_of(app: &App) -> SecretString {
    format!("{}|{}", app.id, app.secret.expose_secret()).into()
}

/// What looks like a token is taken out of every error already; a secret that does not look like one is taken out here.
fn without_secret(app: &App, mut error: GraphError) -> GraphError {
    let secret = app.secret.expose_secret();
    if !secret.is_empty() && error.message.contains(secret) {
        error.message = error.message.replace(secret, "[redacted]");
    }
    error
}
