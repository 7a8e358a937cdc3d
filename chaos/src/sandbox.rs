//! The local Meta's control interface: accounts, open windows, the clock, and what it counted.

use anyhow::{Context as _, ensure};
use futures::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Requests at once while windows are opened.
const AT_ONCE: usize = 32;
/// Messages of one page of what was sent.
const PAGE: usize = 10_000;

/// The local Meta.
#[derive(Clone, Debug)]
pub struct Sandbox {
    http: Client,
    base: String,
}

/// A message that Meta accepted from us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Meta's id of it.
    pub mid: String,
    /// Meta's id of the account.
    pub account: String,
    /// Meta's id of the customer.
    pub customer: String,
    /// What we had written beside it: our own id, where Meta takes one.
    pub metadata: Option<String>,
    /// We cannot have learnt from the answer that Meta took it.
    pub answer_lost: bool,
}

impl Sandbox {
    /// At this address.
    pub fn at(base: &str) -> anyhow::Result<Self> {
        // Another part of the program may have chosen a provider already; any will do, only http is spoken.
        let _chosen_already = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { http, base: base.to_owned() })
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

    /// Where it delivers the echoes of what we send; nowhere without an address.
    pub async fn deliver_to(&self, instagram: Option<String>, facebook: Option<String>) -> anyhow::Result<()> {
        let settings = json!({ "webhookUrlInstagram": instagram, "webhookUrlFacebook": facebook });
        self.post("settings", settings).await.map(|_| ())
    }

    /// Lets each customer have written to the account just now. Nothing is delivered if there is no address to deliver to.
    pub async fn open_windows(&self, customers: &BTreeSet<(String, String)>) -> anyhow::Result<()> {
        let opened = customers.iter().map(|(account, customer)| async move {
            let body = json!({ "accountId": account, "customerId": customer, "text": "hello" });
            self.post("messages", body).await
        });
        let mut opened = futures::stream::iter(opened).buffer_unordered(AT_ONCE);
        while let Some(opened) = opened.next().await {
            opened?;
        }
        Ok(())
    }

    /// Turns its clock on, so that what it would deliver again in some minutes is delivered now.
    pub async fn advance(&self, time: Duration) -> anyhow::Result<()> {
        self.post("clock", json!({ "advanceSeconds": time.as_secs() })).await.map(|_| ())
    }

    /// What it still has to deliver.
    pub async fn pending(&self) -> anyhow::Result<u64> {
        let counters = self.get("counters").await?;
        counters["webhooksPending"].as_u64().context("the local Meta does not say what it has to deliver")
    }

    /// Everything it accepted from us.
    pub async fn accepted(&self) -> anyhow::Result<Vec<Accepted>> {
        let mut accepted = Vec::new();
        loop {
            let page = self.get(&format!("sent?offset={}&limit={PAGE}", accepted.len())).await?;
            let items = page["items"].as_array().context("the local Meta lists nothing")?;
            for item in items {
                let text = |name: &str| {
                    let value = item[name].as_str().map(str::to_owned);
                    value.with_context(|| format!("the local Meta lists a message without {name}"))
                };
                accepted.push(Accepted {
                    mid: text("mid")?,
                    account: text("accountId")?,
                    customer: text("recipientId")?,
                    metadata: item["metadata"].as_str().map(str::to_owned),
                    answer_lost: item["answerLost"].as_bool().unwrap_or(false),
                });
            }
            if items.is_empty() {
                return Ok(accepted);
            }
        }
    }
}
