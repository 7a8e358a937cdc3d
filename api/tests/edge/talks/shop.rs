//! What tests of a shop's own messages do again and again: write, look at what became of it, and change the circumstances.
//! Nothing is tested here.

use super::{Account, Talks};
use crate::world::{Answer, Caller};
use domain::api_keys::Scope;
use domain::audit::Actor;
use domain::clock::Millis;
use domain::organizations;
use serde_json::{Value, json};

/// A customer's id at Meta.
pub const ANN: &str = "900000000000001";
pub const BEN: &str = "900000000000002";
pub const CLEO: &str = "900000000000003";

/// A program of a shop that reads and writes its inbox.
pub const INBOX: [Scope; 2] = [Scope::InboxRead, Scope::InboxWrite];

impl Talks {
    /// Turns both clocks, lets happen what then is due, and signs the owner in again: a session does not last a day.
    pub async fn later(&mut self, by: Millis) {
        self.logins.advance(by).await;
        self.settled().await;
        let body = json!({ "email": "ada@shop.test", "password": "correct horse" });
        let answer = self.logins.world.send(&Caller::default(), "POST", "/api/auth/login", body).await;
        self.logins.owner = answer.caller();
    }

    /// The owner writes in a conversation, and it is taken.
    pub async fn write(&self, talk: &str, body: Value) -> Value {
        let answer = self.send("POST", &format!("{talk}/messages"), body).await;
        assert_eq!((answer.status, &answer.body["status"]), (202, &json!("queued")), "{answer:?}");
        answer.body
    }

    /// The owner writes in a conversation, and it is refused; returns status, code and sentence.
    pub async fn refused(&self, talk: &str, body: Value) -> (u16, String, String) {
        refusal(&self.send("POST", &format!("{talk}/messages"), body).await)
    }

    /// Like [`Talks::write`] for any caller, with a key of its own.
    pub async fn keyed(&self, caller: &Caller, talk: &str, key: &str, body: &Value) -> Answer {
        let request = self.logins.world.request(caller, "POST", &format!("{talk}/messages"));
        Answer::of(request.header("Idempotency-Key", key).json(body).send().await.unwrap()).await
    }

    pub async fn retry(&self, talk: &str, message: &Value) -> Answer {
        let path = format!("{talk}/messages/{}/retry", message["id"].as_str().unwrap());
        self.send("POST", &path, json!({})).await
    }

    /// The messages of a conversation that the shop has written, by time and part.
    pub async fn written(&self, talk: &str) -> Vec<Value> {
        let all = self.get(&format!("{talk}/messages?limit=100")).await["items"].as_array().unwrap().clone();
        let mut ours: Vec<Value> = all.into_iter().filter(|one| one["direction"] == "outbound").collect();
        ours.sort_by_key(|one| (one["sentAt"].as_str().unwrap().to_owned(), one["part"].as_i64()));
        ours
    }

    /// A message as its conversation shows it now.
    pub async fn now(&self, talk: &str, message: &Value) -> Value {
        let all = self.get(&format!("{talk}/messages?limit=100")).await;
        let found = all["items"].as_array().unwrap().iter().find(|one| one["id"] == message["id"]).cloned();
        found.unwrap_or_else(|| panic!("{message} is not in {all}"))
    }

    /// Waits until a message stands there.
    pub async fn until_status(&self, talk: &str, message: &Value, status: &str) -> Value {
        self.logins
            .until(status, || async {
                let now = self.now(talk, message).await;
                if now["status"] == status {
                    return Ok(now);
                }
                let (jobs, conversation) = (self.logins.jobs("message.send").await, self.get(talk).await);
                Err(format!("{now}\n{conversation}\n{jobs:?}"))
            })
            .await
    }

    /// The texts that Meta was given for a customer, oldest first; none for one that has not written yet.
    pub async fn texts(&self, account: &Account, customer: &str) -> Vec<String> {
        let path = format!("/sandbox/sent?accountId={}&customerId={customer}&limit=1000", account.external_id);
        let sent = self.logins.says(&path).await["items"].as_array().cloned().unwrap_or_default();
        sent.iter().map(|one| one["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How often Meta was asked to send something.
    pub async fn sends(&self) -> u64 {
        self.logins.says("/sandbox/counters").await["sendsReceived"].as_u64().unwrap()
    }

    pub async fn fault_with(&self, name: &str, count: u64, params: Value) {
        self.logins.control("/sandbox/faults", json!({ "name": name, "count": count, "params": params })).await;
    }

    pub async fn release(&self) {
        self.logins.control("/sandbox/release", json!({})).await;
    }

    /// Waits until Meta holds a call.
    pub async fn until_held(&self) {
        self.logins
            .until("a held call", || async {
                let held = self.logins.says("/sandbox/counters").await["held"].clone();
                if held == 1 { Ok(()) } else { Err(held.to_string()) }
            })
            .await;
    }

    pub async fn key(&self) -> Caller {
        self.logins.world.key(self.logins.owner.organization, &INBOX).await
    }

    pub async fn operator(&self, scopes: &[Scope]) -> Caller {
        self.logins.world.key(None, scopes).await
    }

    /// Nothing is sent until the queue goes on.
    pub async fn pause(&self, paused: bool) {
        let operator = self.operator(&[Scope::JobsWrite]).await;
        let path = format!("/api/admin/queues/send/{}", if paused { "pause" } else { "resume" });
        let answer = self.logins.world.send(&operator, "POST", &path, json!({ "reason": "test" })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub async fn plan(&self, plan: &str) {
        let ctx = &self.logins.world.ctx;
        let tx = ctx.db.begin().await.unwrap();
        let organization = self.logins.owner.organization.unwrap();
        organizations::set_plan(&tx, ctx, Actor::CommandLine, organization, plan).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn subscription(&self, active: bool) {
        let ctx = &self.logins.world.ctx;
        let tx = ctx.db.begin().await.unwrap();
        let organization = self.logins.owner.organization.unwrap();
        organizations::set_subscription(&tx, ctx, Actor::CommandLine, organization, active).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Sets the automatic reply of an account.
    pub async fn reply_with(&self, account: &Account, body: Value) -> Value {
        self.done("PUT", &format!("/api/meta/connections/{}/auto-reply", account.id), body).await
    }

    /// Makes a template; returns its id.
    pub async fn template(&self, name: &str, text: &str, keywords: &[&str]) -> String {
        let body = json!({ "name": name, "text": text, "keywords": keywords });
        self.done("POST", "/api/templates", body).await["id"].as_str().unwrap().to_owned()
    }
}

/// Status, code and sentence of a problem.
pub fn refusal(answer: &Answer) -> (u16, String, String) {
    (answer.status, answer.code().to_owned(), answer.body["detail"].as_str().unwrap().to_owned())
}

/// The id in a conversation's path.
pub fn id_of(talk: &str) -> &str {
    talk.rsplit('/').next().unwrap()
}
