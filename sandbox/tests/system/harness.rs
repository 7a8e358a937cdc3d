//! A sandbox, a receiver and an HTTP client, wired together.
//! Each test has its own, so tests run side by side.

use std::time::{Duration, Instant};

use sandbox::{Config, Running, Sandbox};
use serde_json::{Value, json};

use crate::receiver::Receiver;

pub struct Harness {
    pub running: Running,
    pub receiver: Receiver,
    pub http: reqwest::Client,
    pub base: String,
}

/// An account and a customer who has written or not.
#[derive(Debug, Clone)]
pub struct Pair {
    pub account: String,
    pub token: String,
    pub customer: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn code(&self) -> (u64, u64) {
        let error = &self.body["error"];
        (error["code"].as_u64().unwrap_or_default(), error["error_subcode"].as_u64().unwrap_or_default())
    }
}

impl Harness {
    pub async fn start() -> Self {
        let receiver = Receiver::start().await;
        let config = Config {
            webhook_url_instagram: Some(format!("http://{}/instagram", receiver.addr)),
            webhook_url_facebook: Some(format!("http://{}/facebook", receiver.addr)),
            ..Config::default()
        };
        let running = Sandbox::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
        let base = running.url();
        // A redirect is an answer here: its address is what is tested.
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.timeout(Duration::from_secs(20)).build().unwrap();
        Self { running, receiver, http, base }
    }

    pub async fn raw(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Value {
        let reply = self.raw(self.http.get(format!("{}/sandbox/{path}", self.base))).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body
    }

    pub async fn try_post(&self, path: &str, body: &Value) -> Reply {
        self.raw(self.http.post(format!("{}/sandbox/{path}", self.base)).body(body.to_string())).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let reply = self.try_post(path, &body).await;
        assert!((200..300).contains(&reply.status), "{path} {body}: {}", reply.body);
        reply.body
    }

    pub async fn fault(&self, fault: Value) {
        self.post("faults", fault).await;
    }

    pub async fn instagram(&self) -> Pair {
        self.pair(json!({"platform": "instagram", "login": "instagram", "username": "shop"})).await
    }

    pub async fn page(&self) -> Pair {
        self.pair(json!({"platform": "facebook", "login": "facebook"})).await
    }

    pub async fn pair(&self, account: Value) -> Pair {
        let account = self.post("accounts", account).await;
        let id = account["id"].as_str().unwrap().to_owned();
        let customer = self.post("customers", json!({"accountId": id, "name": "Ada Byron", "username": "ada"})).await;
        Pair {
            account: id,
            token: account["accessToken"].as_str().unwrap().to_owned(),
            customer: customer["id"].as_str().unwrap().to_owned(),
        }
    }

    /// A DM from the customer.
    pub async fn dm(&self, pair: &Pair, text: &str) -> Value {
        let body = json!({"accountId": pair.account, "customerId": pair.customer, "text": text});
        self.post("messages", body).await
    }

    pub fn send_request(&self, pair: &Pair, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/v25.0/me/messages", self.base))
            .bearer_auth(&pair.token)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A text through the Send API.
    pub async fn send(&self, pair: &Pair, text: &str) -> Reply {
        let body = json!({"recipient": {"id": pair.customer}, "message": {"text": text}});
        self.raw(self.send_request(pair, &body)).await
    }

    pub async fn counters(&self) -> Value {
        self.get("counters").await
    }

    /// Waits until nothing is on the way any more.
    pub async fn quiet(&self) {
        self.until("quiet", |counters| counters["webhooksPending"] == 0).await;
    }

    pub async fn until(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let counters = self.counters().await;
            if done(&counters) {
                return counters;
            }
            assert!(Instant::now() < end, "never {what}: {counters}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
