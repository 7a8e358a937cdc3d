//! A day in the inbox from end to end: a Team shop with an Instagram account and a Page, its customers in the sandbox, and
//! what the shop sees and does through the API.

mod again;
mod bodies;
mod bots;
mod events_instagram;
mod events_page;
mod faults;
mod files;
mod idempotency;
mod leads;
mod lines;
mod parts;
mod reconcile;
mod reconnect;
mod replies;
mod replies_ai;
mod scheduled;
mod search;
mod sending;
pub mod shop;
mod standby;
mod templates;
mod touches;
mod window;

use crate::logins::Logins;
use crate::world::{Answer, Like};
use domain::id::IdKind;
use serde_json::{Value, json};
use uuid::Uuid;

/// A connected account.
pub struct Account {
    /// Meta's id.
    pub external_id: String,
    /// `con_…`
    pub id: String,
}

impl Account {
    pub fn row(&self) -> Uuid {
        IdKind::Connection.parse(&self.id).unwrap()
    }
}

pub struct Talks {
    pub logins: Logins,
    pub instagram: Account,
    pub page: Account,
}

impl Talks {
    pub async fn new() -> Self {
        Self::like(Like::default()).await
    }

    pub async fn like(like: Like) -> Self {
        let mut logins = Logins::like(Like { signup_plan: Some("team"), ..like }).await;
        let (instagram, page) = (logins.instagram().await, logins.page().await);
        let mut owner = logins.owner.clone();
        let mut connected = Vec::new();
        for (platform, external_id) in [("instagram", instagram), ("facebook", page)] {
            let made = logins.connect(&mut owner, platform, &[&external_id]).await;
            let id = made[0]["id"].as_str().unwrap().to_owned();
            logins.until_subscribed(&external_id, true).await;
            connected.push(Account { external_id, id });
        }
        logins.owner = owner;
        logins.until_idle().await;
        let page = connected.pop().unwrap();
        Self { instagram: connected.pop().unwrap(), page, logins }
    }

    /// The owner asks for something.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.logins.world.get(&self.logins.owner, path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// The owner does something.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        self.logins.world.send(&self.logins.owner, method, path, body).await
    }

    /// The owner does something that works.
    pub async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.send(method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.body
    }

    /// A customer writes; `what` is what `/sandbox/messages` takes. Returns Meta's id of the message.
    pub async fn dm(&self, account: &Account, customer: &str, what: Value) -> String {
        let mut body = json!({ "accountId": account.external_id, "customerId": customer });
        body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        let made = self.logins.control("/sandbox/messages", body).await;
        self.settled().await;
        made["mid"].as_str().unwrap().to_owned()
    }

    /// A customer writes for the first time; returns the conversation's path in the API.
    pub async fn talk(&self, account: &Account, customer: &str) -> String {
        self.dm(account, customer, json!({ "text": "Hello?" })).await;
        self.path_of(account, customer).await
    }

    /// A raw element of a webhook.
    pub async fn event(&self, account: &Account, field: &str, event: Value) {
        let body = json!({ "accountId": account.external_id, "field": field, "event": event });
        self.logins.control("/sandbox/events", body).await;
        self.settled().await;
    }

    /// Waits until Meta has delivered everything, and everything that is due has been done. What is done may make Meta tell of
    /// it, so both are looked at until neither has anything left.
    pub async fn settled(&self) {
        loop {
            self.logins
                .until("webhooks to be delivered", || async {
                    let counters = self.logins.says("/sandbox/counters").await;
                    if counters["webhooksPending"] == 0 { Ok(()) } else { Err(counters.to_string()) }
                })
                .await;
            self.logins.until_idle().await;
            if self.logins.says("/sandbox/counters").await["webhooksPending"] == 0 {
                return;
            }
        }
    }

    /// The conversation with a customer, as the list shows it; null when there is none.
    pub async fn conversation(&self, account: &Account, customer: &str) -> Value {
        let all = self.get(&format!("/api/conversations?connectionId={}&limit=100", account.id)).await;
        let items = all["items"].as_array().unwrap();
        items.iter().find(|one| one["contact"]["externalId"] == customer).cloned().unwrap_or_default()
    }

    pub async fn path_of(&self, account: &Account, customer: &str) -> String {
        let found = self.conversation(account, customer).await;
        format!("/api/conversations/{}", found["id"].as_str().unwrap_or_else(|| panic!("no talk with {customer}")))
    }

    /// The messages with a customer, newest first.
    pub async fn messages(&self, account: &Account, customer: &str) -> Vec<Value> {
        let path = self.path_of(account, customer).await;
        self.get(&format!("{path}/messages?limit=100")).await["items"].as_array().unwrap().clone()
    }

    /// What Meta was given to send to a customer, oldest first.
    pub async fn sent(&self, account: &Account, customer: &str) -> Vec<Value> {
        let path = format!("/sandbox/sent?accountId={}&customerId={customer}&limit=1000", account.external_id);
        self.logins.says(&path).await["items"].as_array().unwrap().clone()
    }

    pub async fn stop(self) {
        self.logins.stop().await;
    }
}
