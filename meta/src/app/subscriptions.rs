//! Where Meta delivers the webhooks of a whole app, and which fields of them (fact sheet §4.1).
//! It is one of three layers that must agree; the other two are the answer to the handshake and each account's own.

use super::{token_of, without_secret};
use crate::client::{Host, MetaClient};
use crate::error::GraphError;
use crate::json::{self, Fields};
use crate::oauth::App;

/// The webhooks of one kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSubscription {
    /// `page`, `instagram`, or what else the app listens to.
    pub object: String,
    /// Where they are delivered.
    pub callback_url: Option<String>,
    /// False while Meta delivers nothing.
    pub active: bool,
    /// Which fields of the object.
    pub fields: Vec<String>,
}

impl MetaClient {
    /// The webhooks that a Meta app (Facebook Login) is subscribed to.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadApp, …)`; its message never holds the secret.
    pub async fn app_subscriptions(&self, app: &App) -> Result<Vec<AppSubscription>, GraphError> {
        let path = format!("{}/subscriptions", app.id);
        let found = self.list(Host::FacebookGraph, &path, &token_of(app), &[], subscription).await;
        found.map_err(|error| without_secret(app, error))
    }
}

fn subscription(fields: &Fields<'_>) -> Option<AppSubscription> {
    let name = |raw| json::text(raw).or_else(|| Fields::of(raw)?.text("name"));
    Some(AppSubscription {
        object: fields.text("object")?,
        callback_url: fields.text("callback_url"),
        active: !fields.has("active") || fields.flag("active"),
        fields: fields
            .get("fields")
            .and_then(json::elements)
            .map(|all| all.into_iter().filter_map(name).collect())
            .unwrap_or_default(),
    })
}
