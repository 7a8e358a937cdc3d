//! The local Meta's control interface, as far as the demo needs it: accounts, people and customers to play with, and the app's
//! own subscriptions. It is spoken to over HTTP like everything else there, for the sandbox shares no type with us.

use super::cast::Account;
use anyhow::{Context as _, bail, ensure};
use domain::connections::Platform;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(5);
/// For what jobs do meanwhile.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(30);
const DAY_SECONDS: i64 = 24 * 3_600;

/// The control interface of one sandbox.
pub(super) struct Stage {
    http: reqwest::Client,
    base: String,
}

/// What Meta knows of an account and we must.
pub(super) struct Made {
    pub token: SecretString,
    /// The id that deauthorize and data-deletion callbacks carry.
    pub app_scoped_id: Option<String>,
}

impl Stage {
    /// The sandbox at this address.
    pub(super) fn at(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(WITHIN).build()?;
        Ok(Self { http, base: base.to_owned() })
    }

    /// Makes an account whose webhooks are off.
    pub(super) async fn account(&self, account: &Account) -> anyhow::Result<Made> {
        let mut wanted = json!({
            "platform": account.platform.as_str(), "id": account.id, "name": account.name,
            "username": account.username, "subscribed": false,
        });
        if account.platform == Platform::Instagram {
            wanted["accountType"] = json!(if account.personal { "PERSONAL" } else { "BUSINESS" });
        }
        // A token is as old as the sandbox's clock has it: turned back for this one, and forward again.
        let back = account.token_days.unwrap_or(0) * DAY_SECONDS;
        if back > 0 {
            self.post("clock", &json!({ "advanceSeconds": -back })).await?;
        }
        let made = self.post("accounts", &wanted).await?;
        if back > 0 {
            self.post("clock", &json!({ "advanceSeconds": back })).await?;
        }
        let token = made["accessToken"].as_str().context("the sandbox made an account without a token")?;
        Ok(Made { token: token.into(), app_scoped_id: made["appScopedId"].as_str().map(ToOwned::to_owned) })
    }

    /// Makes a person of this id who manages these Pages; returns the id the app knows them by.
    pub(super) async fn person(&self, id: &str, name: &str, pages: &[&str]) -> anyhow::Result<String> {
        let pages: Vec<_> = pages.iter().map(|id| json!({ "id": id })).collect();
        let made = self.post("people", &json!({ "id": id, "name": name, "pages": pages })).await?;
        Ok(made["appScopedId"].as_str().context("the sandbox made a person without an app-scoped id")?.to_owned())
    }

    /// Makes a customer of this id, who has not written yet.
    pub(super) async fn customer(&self, account: &str, id: &str, name: &str, username: &str) -> anyhow::Result<()> {
        let wanted = json!({ "accountId": account, "id": id, "name": name, "username": username });
        self.post("customers", &wanted).await.map(|_| ())
    }

    /// Subscribes the app to fields of an object. The sandbox asks the address for the challenge, so it must be answering.
    pub(super) async fn subscribe_app(&self, app: &App<'_>, object: &str, fields: &[&str]) -> anyhow::Result<()> {
        let url = format!("{}/facebook-graph/{}/subscriptions", self.base, app.id);
        let form = [
            ("access_token", app.token.to_owned()),
            ("object", object.to_owned()),
            ("callback_url", app.callback_url.to_owned()),
            ("verify_token", app.verify_token.to_owned()),
            ("fields", fields.join(",")),
        ];
        let answer = self.http.post(url).form(&form).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the sandbox did not subscribe the app to {object}: {text}");
        Ok(())
    }

    /// Waits until an account's webhooks are on.
    pub(super) async fn is_subscribed(&self, id: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let all = self.http.get(format!("{}/sandbox/accounts", self.base)).send().await?.json::<Value>().await?;
            let mut accounts = all["items"].as_array().into_iter().flatten();
            if accounts.any(|account| account["id"] == id && account["subscribed"] == true) {
                return Ok(());
            }
            if began.elapsed() > SUBSCRIBED_WITHIN {
                bail!("{} s have passed", SUBSCRIBED_WITHIN.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
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

/// The app, and where its webhooks of an object go.
pub(super) struct App<'a> {
    pub id: &'a str,
    /// Speaks for the app itself.
    pub token: &'a str,
    pub callback_url: &'a str,
    pub verify_token: &'a str,
}
