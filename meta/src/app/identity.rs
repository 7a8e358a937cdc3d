//! Whether Meta accepts the app's id and secret, asked with the app's own token about that token (fact sheet §2.6).
//! Only Facebook Login's app can be asked for: graph.instagram.com has no such call.

use reqwest::Method;
use secrecy::ExposeSecret;

use super::{token_of, without_secret};
use crate::client::{Host, MetaClient};
use crate::error::{Cause, GraphError};
use crate::json::Fields;
use crate::oauth::App;

/// An app, as Meta names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppIdentity {
    /// Meta's id of it.
    pub id: String,
    /// Shown to people at login.
    pub name: Option<String>,
}

impl MetaClient {
    /// Which app the id and the secret of a Meta app (Facebook Login) belong to.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadApp, …)`; its message never holds the secret.
    pub async fn app_identity(&self, app: &App) -> Result<AppIdentity, GraphError> {
        let token = token_of(app);
        let call = self.request(Method::GET, Host::FacebookGraph, "debug_token", &token);
        let call = call.query(&[("input_token", token.expose_secret())]);
        let answer = self.answer(call).await.map_err(|error| without_secret(app, error))?;
        if let Some(error) = answer.error() {
            return Err(without_secret(app, error));
        }
        let fields = Fields::parse(&answer.body).unwrap_or_default();
        // A token that is not valid is told inside a good answer.
        if let Some(error) = fields.get("data").and_then(|raw| GraphError::from_body(answer.status, raw.get())) {
            return Err(without_secret(app, error));
        }
        let data = fields.object("data").unwrap_or_default();
        if data.has("is_valid") && !data.flag("is_valid") {
            return Err(GraphError::new(Cause::NotJson, Some(answer.status), "the app's own token is not valid"));
        }
        let id = data.id("app_id").ok_or_else(|| answer.lacks("the answer has no app_id"))?;
        Ok(AppIdentity { id, name: data.text("application") })
    }
}
