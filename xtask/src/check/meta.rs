//! The local Meta's control interface: writing as a customer, switching faults on, and counting what arrived there.

use super::eventually::eventually;
use super::service::items;
use anyhow::{Context as _, ensure};
use reqwest::Client;
use serde_json::{Value, json};

/// The local Meta.
#[derive(Clone, Debug)]
pub struct Meta {
    http: Client,
    base: String,
}

/// Counters at one moment.
#[derive(Debug)]
pub struct Logins(Value);

impl Logins {
    /// A counter by its name.
    pub fn of(&self, name: &str) -> u64 {
        self.0["oauth"][name].as_u64().unwrap_or(0)
    }

    /// A counter of one account: `refreshes`, `subscribes` or `unsubscribes`.
    pub fn by_account(&self, name: &str, account: &str) -> u64 {
        self.0[format!("{name}ByAccount")][account].as_u64().unwrap_or(0)
    }

    /// How much each of these has grown since `before`, which must be exactly so much.
    pub fn grew(&self, before: &Self, wanted: &[(&str, u64)]) -> anyhow::Result<()> {
        for (name, by) in wanted {
            let grown = self.of(name).saturating_sub(before.of(name));
            ensure!(grown == *by, "Meta counted {grown} {name}, expected {by}");
        }
        Ok(())
    }
}

impl Meta {
    pub fn new(http: Client, base: &str) -> Self {
        Self { http, base: base.to_owned() }
    }

    /// POST to the control interface.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}/sandbox/{path}", self.base)).json(&body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the local Meta refused {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// GET from the control interface.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("{}/sandbox/{path}", self.base)).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the local Meta refused {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// A direct message; `content` is what there is besides account and customer. Returns Meta's id of it.
    pub async fn write(&self, account: &str, customer: &str, content: Value) -> anyhow::Result<String> {
        let mut body = json!({ "accountId": account, "customerId": customer });
        if let (Some(body), Value::Object(content)) = (body.as_object_mut(), content) {
            body.extend(content);
        }
        let made = self.post("messages", body).await?;
        Ok(made["mid"].as_str().context("the local Meta gave the message no id")?.to_owned())
    }

    /// A fault for the next time it can happen to an account.
    pub async fn fault(&self, name: &str, account: &str, params: Value) -> anyhow::Result<()> {
        let fault = json!({ "name": name, "count": 1, "accountId": account, "params": params });
        self.post("faults", fault).await.map(|_| ())
    }

    /// What the Send API accepted for a customer.
    pub async fn sent(&self, account: &str, customer: &str) -> anyhow::Result<Vec<Value>> {
        let list = self.get(&format!("sent?accountId={account}&customerId={customer}&limit=1000")).await?;
        Ok(items(&list).to_vec())
    }

    /// How many messages followed a direct message before the customer's next one.
    pub async fn replies_to(&self, mid: &str) -> anyhow::Result<u64> {
        let counters = self.get("counters?detail=true").await?;
        let rows = items(&counters["repliesByInbound"]);
        let row = rows.iter().find(|row| row["mid"] == mid).context("the local Meta does not know the message")?;
        row["replies"].as_u64().context("the local Meta counts no replies")
    }

    /// How many direct messages to other accounts than this one were followed by more than one of ours.
    pub async fn answered_twice_but_at(&self, account: &str) -> anyhow::Result<usize> {
        let counters = self.get("counters?detail=true").await?;
        let twice = |row: &&Value| row["accountId"] != account && row["replies"].as_u64() > Some(1);
        Ok(items(&counters["repliesByInbound"]).iter().filter(twice).count())
    }

    /// Every counter.
    pub async fn counters(&self) -> anyhow::Result<Value> {
        self.get("counters").await
    }

    /// What it counted of logins, tokens and subscriptions.
    pub async fn logins(&self) -> anyhow::Result<Logins> {
        Ok(Logins(self.get("counters?detail=true").await?))
    }

    /// An account as it stands there.
    pub async fn account(&self, id: &str) -> anyhow::Result<Value> {
        let all = self.get("accounts").await?;
        let found = items(&all).iter().find(|account| account["id"] == id).cloned();
        found.with_context(|| format!("the local Meta has no account {id}"))
    }

    /// Waits until an account's webhooks are on or off.
    pub async fn subscribed(&self, id: &str, on: bool) -> anyhow::Result<()> {
        let what = if on { "on" } else { "off" };
        eventually(&format!("{what} at Meta: the webhooks of {id}"), async || {
            Ok((self.account(id).await?["subscribed"] == on).then_some(()))
        })
        .await
    }

    /// Waits until everything it had to deliver is delivered.
    pub async fn quiet(&self) -> anyhow::Result<()> {
        eventually("an end of webhooks to deliver", async || {
            Ok((self.counters().await?["webhooksPending"] == 0).then_some(()))
        })
        .await
    }
}
