//! The local Meta's control interface, as far as the demo needs it: accounts and customers to play with.
//! It is spoken to over HTTP like everything else there, for the sandbox shares no type with us.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(5);

/// The control interface of one sandbox.
pub(super) struct Stage {
    http: reqwest::Client,
    base: String,
}

impl Stage {
    /// The sandbox at this address.
    pub(super) fn at(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(WITHIN).build()?;
        Ok(Self { http, base: base.to_owned() })
    }

    /// Makes an account of this id; returns its token.
    pub(super) async fn account(
        &self,
        platform: &str,
        id: &str,
        name: &str,
        username: Option<&str>,
    ) -> anyhow::Result<String> {
        let wanted = json!({ "platform": platform, "id": id, "name": name, "username": username });
        let made = self.post("accounts", &wanted).await?;
        let token =
            made.get("accessToken").and_then(Value::as_str).context("the sandbox made an account without a token")?;
        Ok(token.to_owned())
    }

    /// Makes a customer of this id, who has not written yet.
    pub(super) async fn customer(&self, account: &str, id: &str, name: &str, username: &str) -> anyhow::Result<()> {
        let wanted = json!({ "accountId": account, "id": id, "name": name, "username": username });
        self.post("customers", &wanted).await.map(|_| ())
    }

    /// Whether an address answers 200.
    pub(super) async fn is_well(&self, url: &str) -> bool {
        self.http.get(url).send().await.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
    }

    async fn post(&self, path: &str, wanted: &Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}/sandbox/{path}", self.base)).json(wanted).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "the sandbox refused {path}: {body}");
        Ok(body)
    }
}
