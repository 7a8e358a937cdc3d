//! One call without a token: it is refused, and the head of the refusal tells which version serves us and what time Meta has.
//! So it works before any app, secret or account does.

use reqwest::Method;

use crate::client::MetaClient;
use crate::error::GraphError;
use crate::oauth::Login;

/// What the head of an answer tells, whatever was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The version that answered. Meta serves a version that has ended with the oldest that lives, without refusing it.
    pub version: Option<String>,
    /// Meta's time at the answer, in milliseconds since 1970 UTC, to the second.
    pub at: Option<i64>,
}

impl MetaClient {
    /// Whether the Graph of a login product answers at all, with which version, and at what time.
    ///
    /// # Errors
    /// [`GraphError`] only when there is no complete answer; a refusal is an answer.
    pub async fn probe(&self, login: Login) -> Result<Probe, GraphError> {
        let settings = self.settings();
        let base = match login {
            Login::Instagram => &settings.instagram_graph_url,
            Login::Facebook => &settings.facebook_graph_url,
        };
        let url = format!("{base}/{}/me", settings.graph_version);
        let answer = self.answer(self.plain(Method::GET, &url)).await?;
        Ok(Probe { version: answer.api_version, at: answer.date })
    }
}
