//! A code becomes a token, a short-lived token a long-lived one, and a long-lived one gets a new life (fact sheet §2.1–2.5).
//! Both shapes of Instagram's answer are read, ids stay text, and an answer without a token is an error, never an empty token.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};

use super::{App, Login};
use crate::client::{Answer, MetaClient};
use crate::error::GraphError;
use crate::json::{self, Fields};

const NO_TOKEN: &str = "the answer has no access token";

/// What a code was worth.
#[derive(Debug, Clone)]
pub struct CodeToken {
    /// Lives an hour on Instagram; on Facebook minutes or weeks.
    pub token: SecretString,
    /// Instagram's app-scoped id of the account; **not** the id that webhooks carry (§2.1).
    pub user_id: Option<String>,
    /// What was granted, where the answer says so (Instagram).
    pub permissions: Option<Vec<String>>,
    /// Seconds, where the answer says so.
    pub expires_in: Option<i64>,
}

/// A token that lasts about sixty days.
#[derive(Debug, Clone)]
pub struct LongLivedToken {
    /// The same as before or another one.
    pub token: SecretString,
    /// Seconds from now; `None` when Meta does not say.
    pub expires_in: Option<i64>,
}

impl MetaClient {
    /// Turns a code into a token, with one call. `redirect_uri` is byte for byte that of the login.
    ///
    /// # Errors
    /// [`GraphError`]; `classify(Operation::CodeExchange, …)` tells whether the login must be started again. Only a
    /// [`crate::Cause::Connect`] leaves the code unspent.
    pub async fn exchange_code(
        &self,
        login: Login,
        app: &App,
        code: &SecretString,
        redirect_uri: &str,
    ) -> Result<CodeToken, GraphError> {
        let settings = self.settings();
        let mut form = vec![
            ("client_id", app.id.as_str()),
            ("client_secret", app.secret.expose_secret()),
            ("redirect_uri", redirect_uri),
            ("code", code.expose_secret()),
        ];
        let url = match login {
            Login::Instagram => {
                form.push(("grant_type", "authorization_code"));
                format!("{}/oauth/access_token", settings.instagram_api_url)
            }
            Login::Facebook => format!("{}/{}/oauth/access_token", settings.facebook_graph_url, settings.graph_version),
        };
        let answer = self.answer(self.plain(Method::POST, &url).form(&form)).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        read(&answer, code_token).ok_or_else(|| answer.lacks(NO_TOKEN))
    }

    /// Turns a short-lived token, while it lives, into a long-lived one. Doing it twice does no harm.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::TokenExchange, …)`.
    pub async fn long_lived_token(
        &self,
        login: Login,
        app: &App,
        short: &SecretString,
    ) -> Result<LongLivedToken, GraphError> {
        let settings = self.settings();
        let secret = app.secret.expose_secret();
        let short = short.expose_secret();
        let call = match login {
            Login::Instagram => self
                .plain(Method::GET, &format!("{}/access_token", settings.instagram_graph_url))
                .query(&[("grant_type", "ig_exchange_token"), ("client_secret", secret), ("access_token", short)]),
            Login::Facebook => {
                let url = format!("{}/{}/oauth/access_token", settings.facebook_graph_url, settings.graph_version);
                self.plain(Method::GET, &url).query(&[
                    ("grant_type", "fb_exchange_token"),
                    ("client_id", app.id.as_str()),
                    ("client_secret", secret),
                    ("fb_exchange_token", short),
                ])
            }
        };
        self.lasting(call).await
    }

    /// Gives a long-lived token of Instagram Login a new life (§2.3): it must live still, and be a day old.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::TokenRefresh, …)`. The token given stays good, whatever the error.
    pub async fn refresh_token(&self, token: &SecretString) -> Result<LongLivedToken, GraphError> {
        let url = format!("{}/refresh_access_token", self.settings().instagram_graph_url);
        let call = self
            .plain(Method::GET, &url)
            .query(&[("grant_type", "ig_refresh_token"), ("access_token", token.expose_secret())]);
        self.lasting(call).await
    }

    async fn lasting(&self, call: reqwest::RequestBuilder) -> Result<LongLivedToken, GraphError> {
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        read(&answer, |fields| Some(LongLivedToken { token: token(fields)?, expires_in: seconds(fields) }))
            .ok_or_else(|| answer.lacks(NO_TOKEN))
    }
}

/// Reads an answer flat, or out of the first element of its `data` (§2.1).
fn read<T>(answer: &Answer, read: impl Fn(&Fields<'_>) -> Option<T>) -> Option<T> {
    Fields::parse(&answer.body).and_then(|fields| read(&fields).or_else(|| read(&json::first(&fields)?)))
}

fn code_token(fields: &Fields<'_>) -> Option<CodeToken> {
    Some(CodeToken {
        token: token(fields)?,
        user_id: fields.id("user_id"),
        permissions: permissions(fields),
        expires_in: seconds(fields),
    })
}

fn token(fields: &Fields<'_>) -> Option<SecretString> {
    fields.text("access_token").filter(|text| !text.trim().is_empty()).map(SecretString::from)
}

/// A life of no length, or a negative one, is none that was given.
fn seconds(fields: &Fields<'_>) -> Option<i64> {
    fields.integer("expires_in").filter(|seconds| *seconds > 0)
}

/// An array of names, or one text with commas.
fn permissions(fields: &Fields<'_>) -> Option<Vec<String>> {
    let raw = fields.get("permissions")?;
    match json::elements(raw) {
        Some(names) => Some(names.into_iter().filter_map(json::text).collect()),
        None => {
            let names = json::text(raw)?;
            Some(names.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }
    }
}
