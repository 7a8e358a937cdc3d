//! What the steps share: both sides' addresses, who is who in the demo, and what an earlier step found.

use super::browser::Browser;
use super::eventually::eventually;
use super::meta::Meta;
use super::service::{Caller, Service, items};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::time::Duration;

/// The journey so far.
#[derive(Debug)]
pub struct Journey {
    pub service: Service,
    pub meta: Meta,
    /// What the program said of itself.
    pub facts: Value,
    /// The Pro shop's user, once signed in.
    pub pro: Caller,
    /// Somebody of the shop whose plan has everything, once signed in.
    team: Option<Caller>,
    /// Reads deliveries and jobs.
    pub operator: Caller,
    /// The first customer's conversation and messages.
    pub first: Option<First>,
    /// Somebody of the shop that connects its accounts, once signed in.
    pub newcomer: Option<Browser>,
    /// What that shop has connected on Instagram.
    pub instagram: Option<Connected>,
    /// What it has connected on Facebook.
    pub pages: Vec<Connected>,
    /// Logins that became nothing, as they should.
    pub refused_logins: usize,
}

/// An account that was connected by a login.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Of the login.
    pub handle: String,
    /// Meta's id of the account.
    pub account: String,
    /// Our id of the connection.
    pub connection: String,
}

/// The first message and its answer.
#[derive(Clone, Debug)]
pub struct First {
    pub conversation: String,
    pub inbound: String,
    pub mid: String,
    pub outbound: Option<String>,
}

impl Journey {
    pub fn new(facts: Value) -> anyhow::Result<Self> {
        // Another part of the program may have chosen a provider already; any will do, only http is spoken.
        let _chosen_already = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let (service, meta) = (address(&facts, "api")?, address(&facts, "sandbox")?);
        let key = facts["operatorKey"].as_str().context("the program names no operator key")?;
        Ok(Self {
            service: Service::new(http.clone(), service),
            meta: Meta::new(http, meta),
            pro: Caller::Nobody,
            team: None,
            operator: Caller::Key(key.to_owned()),
            first: None,
            newcomer: None,
            instagram: None,
            pages: Vec::new(),
            refused_logins: 0,
            facts,
        })
    }

    /// The shop of a plan.
    pub fn shop(&self, plan: &str) -> anyhow::Result<&Value> {
        let shops = self.facts["shops"].as_array().context("the program names no shops")?;
        shops.iter().find(|shop| shop["plan"] == plan).with_context(|| format!("there is no shop with the plan {plan}"))
    }

    /// A shop's account on a platform: as the program named it.
    pub fn account(&self, plan: &str, platform: &str) -> anyhow::Result<Value> {
        let accounts = self.shop(plan)?["accounts"].as_array().context("a shop without accounts")?;
        let found = accounts.iter().find(|account| account["platform"] == platform).cloned();
        found.with_context(|| format!("the shop with the plan {plan} has no account on {platform}"))
    }

    /// Meta's id of the Pro shop's account on a platform.
    pub fn account_id(&self, platform: &str) -> anyhow::Result<String> {
        text(&self.account("pro", platform)?, "accountId")
    }

    /// Somebody of the shop whose plan has everything.
    pub async fn team(&mut self) -> anyhow::Result<Caller> {
        if let Some(team) = &self.team {
            return Ok(team.clone());
        }
        let shop = self.shop("team")?;
        let (email, password) = (text(shop, "email")?, text(shop, "password")?);
        let (caller, _) = self.service.sign_in(&email, &password).await?;
        Ok(self.team.insert(caller).clone())
    }

    /// What an earlier step found; without it a step cannot show anything.
    pub fn first(&self) -> anyhow::Result<First> {
        self.first.clone().context("the first message was not stored, so there is nothing to look at")
    }

    /// The shop that has accounts to connect.
    pub fn newcomers_shop(&self) -> anyhow::Result<&Value> {
        let shops = self.facts["shops"].as_array().context("the program names no shops")?;
        let open = |shop: &&Value| shop["toConnect"].as_array().is_some_and(|accounts| !accounts.is_empty());
        shops.iter().find(open).context("no shop has accounts to connect")
    }

    /// Its accounts on a platform that can be connected, or those that cannot.
    pub fn to_connect(&self, platform: &str, personal: bool) -> anyhow::Result<Vec<Value>> {
        let accounts = self.newcomers_shop()?["toConnect"].as_array().cloned().unwrap_or_default();
        let fits = |one: &Value| one["platform"] == platform && one["personal"] == personal;
        let found: Vec<_> = accounts.into_iter().filter(fits).collect();
        ensure!(!found.is_empty(), "there is no account to connect on {platform}");
        Ok(found)
    }

    /// The browser of somebody of that shop.
    pub async fn browser(&mut self) -> anyhow::Result<&mut Browser> {
        if self.newcomer.is_none() {
            let shop = self.newcomers_shop()?;
            let (email, password) = (text(shop, "email")?, text(shop, "password")?);
            let (caller, _) = self.service.sign_in(&email, &password).await?;
            self.newcomer = Some(Browser::of(caller, address(&self.facts, "api")?)?);
        }
        self.newcomer.as_mut().context("nobody is signed in")
    }

    /// Whoever sits at that browser, as a caller.
    pub fn newcomer(&self) -> anyhow::Result<Caller> {
        Ok(self.newcomer.as_ref().context("nobody has signed in for the shop that connects accounts")?.caller())
    }

    /// What was connected on Instagram by a login.
    pub fn instagram(&self) -> anyhow::Result<Connected> {
        self.instagram.clone().context("no Instagram account was connected, so there is nothing to look at")
    }

    /// Waits until no job of these queues is due or running.
    pub async fn idle(&self) -> anyhow::Result<()> {
        self.meta.quiet().await?;
        eventually("an idle ledger", async || {
            let queues = self.service.get(&self.operator, "/api/admin/queues").await?;
            let busy = items(&queues).iter().any(|queue| queue["running"] != 0 || !queue["oldestDueAt"].is_null());
            Ok((!busy).then_some(()))
        })
        .await
    }

    /// Messages received and automatic replies of the Pro shop this month.
    pub async fn usage(&self) -> anyhow::Result<(i64, i64)> {
        let plan = self.service.get(&self.pro, "/api/plan").await?;
        let count = |name: &str| plan["usage"][name].as_i64().with_context(|| format!("the plan shows no {name}"));
        Ok((count("messagesReceived")?, count("autoReplies")?))
    }

    /// The reply to a message once it is sent, and that Meta took exactly one.
    pub async fn answered_once(
        &self,
        caller: &Caller,
        account: &str,
        customer: &str,
        mid: &str,
    ) -> anyhow::Result<Value> {
        let arrived = |one: &Value| one["externalId"] == mid;
        let inbound = self.service.message(caller, customer, "the message in the inbox", arrived).await?;
        let answers = |one: &Value| one["inReplyTo"] == inbound["id"] && is_sent(one);
        let reply = self.service.message(caller, customer, "a sent reply", answers).await?;
        let (sent, replies) = (self.meta.sent(account, customer).await?, self.meta.replies_to(mid).await?);
        ensure!(replies == 1, "Meta counted {replies} replies to the message");
        let ours = sent.iter().filter(|one| one["mid"] == reply["externalId"]).count();
        ensure!(ours == 1, "the reply in the inbox is not the one Meta took");
        Ok(reply)
    }

    /// Waits until Meta's echo of a message of ours is merged into it, and sees that the thread has no other outbound one.
    pub async fn echo_merged(&self, caller: &Caller, customer: &str, outbound: &str) -> anyhow::Result<()> {
        self.meta.quiet().await?;
        eventually("a merged echo", async || {
            let list = self.service.get(&self.operator, "/api/admin/deliveries?limit=100").await?;
            let merged = |event: &Value| event["outcome"] == "merged_echo" && event["messageId"] == outbound;
            let has = |one: &Value| one["events"].as_array().is_some_and(|events| events.iter().any(merged));
            Ok(items(&list).iter().any(has).then_some(()))
        })
        .await?;
        let messages = self.service.messages(caller, customer).await?;
        let rows = messages.iter().filter(|one| one["direction"] == "outbound").count();
        ensure!(rows == 1, "the thread has {rows} outbound messages");
        Ok(())
    }
}

/// A text field that must be there.
pub fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("there is no {name} in {value}"))?.to_owned())
}

/// Whether Meta has a message of ours.
pub fn is_sent(message: &Value) -> bool {
    matches!(message["status"].as_str(), Some("sent" | "delivered" | "read"))
}

fn address<'a>(facts: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    facts[name].as_str().with_context(|| format!("the program names no address {name}"))
}
