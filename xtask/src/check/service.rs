//! The service's HTTP interface as a client sees it: signed in, with a key, or as nobody.

use super::eventually::eventually;
use anyhow::{Context as _, ensure};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

/// The service.
#[derive(Clone, Debug)]
pub struct Service {
    http: Client,
    base: String,
}

/// Whom a request comes from.
#[derive(Clone, Debug)]
pub enum Caller {
    Nobody,
    Person { cookie: String, csrf: String },
    Key(String),
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub body: Value,
}

impl Answer {
    /// The body of an answer that must have this status.
    pub fn expect(self, status: u16) -> anyhow::Result<Value> {
        let start: String = self.text.chars().take(200).collect();
        ensure!(self.status == status, "expected {status}, got {} {start}", self.status);
        Ok(self.body)
    }

    /// The body of a refusal that must have this status and this code.
    pub fn refused(self, status: u16, code: &str) -> anyhow::Result<Value> {
        let body = self.expect(status)?;
        ensure!(body["code"] == code, "expected {status} {code}, got {}", body["code"]);
        Ok(body)
    }
}

impl Service {
    pub fn new(http: Client, base: &str) -> Self {
        Self { http, base: base.to_owned() }
    }

    /// Signs in; returns the caller and the answer's body.
    pub async fn sign_in(&self, email: &str, password: &str) -> anyhow::Result<(Caller, Value)> {
        let request = self.http.post(format!("{}/api/auth/login", self.base));
        let answer = request.json(&json!({ "email": email, "password": password })).send().await?;
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let body = read(answer).await?.expect(200)?;
        let csrf = body["csrfToken"].as_str().context("the sign-in answered no csrfToken")?.to_owned();
        Ok((Caller::Person { cookie, csrf }, body))
    }

    /// GET, whatever the answer.
    pub async fn try_get(&self, caller: &Caller, path: &str) -> anyhow::Result<Answer> {
        self.send(caller, self.http.get(format!("{}{path}", self.base))).await
    }

    /// GET that must succeed.
    pub async fn get(&self, caller: &Caller, path: &str) -> anyhow::Result<Value> {
        self.try_get(caller, path).await?.expect(200).with_context(|| format!("GET {path}"))
    }

    /// DELETE, whatever the answer.
    pub async fn try_delete(&self, caller: &Caller, path: &str) -> anyhow::Result<Answer> {
        self.send(caller, self.http.delete(format!("{}{path}", self.base))).await
    }

    /// POST without a body, whatever the answer.
    pub async fn try_post(&self, caller: &Caller, path: &str) -> anyhow::Result<Answer> {
        self.send(caller, self.http.request(Method::POST, format!("{}{path}", self.base))).await
    }

    /// Any method with a body, whatever the answer.
    pub async fn try_send(&self, caller: &Caller, method: Method, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(caller, self.http.request(method, format!("{}{path}", self.base)).json(body)).await
    }

    /// POST that names itself, whatever the answer.
    pub async fn send_once(&self, caller: &Caller, path: &str, key: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.base)).header("idempotency-key", key);
        self.send(caller, request.json(body)).await
    }

    /// The accounts that a login found, by its handle.
    pub async fn found_by(&self, caller: &Caller, handle: &str) -> anyhow::Result<Answer> {
        let request = self.http.get(format!("{}/api/meta/pages", self.base));
        self.send(caller, request.header("x-connect-token", handle)).await
    }

    /// The conversation with a customer, once there is one.
    pub async fn conversation(&self, caller: &Caller, customer: &str) -> anyhow::Result<Value> {
        eventually(&format!("a conversation with {customer}"), async || {
            let list = self.get(caller, "/api/conversations?limit=100").await?;
            Ok(items(&list).iter().find(|one| one["contact"]["externalId"] == customer).cloned())
        })
        .await
    }

    /// The messages of the conversation with a customer, newest first.
    pub async fn messages(&self, caller: &Caller, customer: &str) -> anyhow::Result<Vec<Value>> {
        let conversation = self.conversation(caller, customer).await?;
        let id = conversation["id"].as_str().context("a conversation without an id")?;
        let list = self.get(caller, &format!("/api/conversations/{id}/messages?limit=100")).await?;
        Ok(items(&list).to_vec())
    }

    /// A message of the conversation that fits, once there is one.
    pub async fn message(
        &self,
        caller: &Caller,
        customer: &str,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        eventually(what, async || Ok(self.messages(caller, customer).await?.into_iter().find(|one| fits(one)))).await
    }

    async fn send(&self, caller: &Caller, request: RequestBuilder) -> anyhow::Result<Answer> {
        let request = match caller {
            Caller::Nobody => request,
            Caller::Person { cookie, csrf } => request.header("cookie", cookie).header("x-csrf-token", csrf),
            Caller::Key(key) => request.bearer_auth(key),
        };
        read(request.send().await?).await
    }
}

async fn read(answer: reqwest::Response) -> anyhow::Result<Answer> {
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, text, body })
}

/// The rows of a list.
pub fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}
