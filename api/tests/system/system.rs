//! A whole system for one test: the sandbox and the service as processes, a database, a shop with its accounts.

use crate::process::{PROGRAM, Process};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testbed::Database;

pub const REPLY: &str = "Thanks, we will answer soon!";

pub struct System {
    pub http: Client,
    pub sandbox: String,
    pub api: String,
    pub environment: Vec<(String, String)>,
    pub service: Option<Process>,
    pub operator: String,
    email: String,
    pub password: String,
    pub organization: String,
    sandbox_process: Process,
    // Dropped when the processes above have ended.
    pub database: Database,
}

/// An account as both sides know it.
pub struct Account {
    pub id: String,
    pub connection: String,
}

impl System {
    /// The sandbox, a database with a Pro shop, and the service.
    pub async fn start() -> Self {
        let mut system = Self::without_service(&[]).await;
        system.serve(&[]).await;
        system
    }

    /// The same without the service; `more` goes into the environment of everything.
    pub async fn without_service(more: &[(&str, &str)]) -> Self {
        let _installed_already = rustls::crypto::ring::default_provider().install_default();
        let database = Database::new();
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let api = format!("http://{address}");
        let mut environment = database.settings();
        let others = [
            ("BIND_ADDR", address.as_str()),
            ("PUBLIC_URL", &api),
            // The sandbox's own.
            ("META_APP_ID", "100000000000001"),
            ("INSTAGRAM_APP_ID", "200000000000002"),
            ("META_APP_SECRET", "a-meta-secret-for-tests"),
            ("INSTAGRAM_APP_SECRET", "an-instagram-secret-for-tests"),
            ("META_WEBHOOK_VERIFY_TOKEN", "a-verify-token"),
            ("TOKEN_ENCRYPTION_KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("JOB_LEASE", "2s"),
            ("JOB_TICK", "100ms"),
            ("LOG_FORMAT", "json"),
            ("RUST_LOG", "info"),
        ]
        .into_iter()
        .chain(more.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        environment.extend(others);
        // Never the real Meta, not even by mistake: the sandbox's addresses are put in place below.
        for name in
            ["FACEBOOK_WEB_URL", "FACEBOOK_GRAPH_URL", "INSTAGRAM_WEB_URL", "INSTAGRAM_API_URL", "INSTAGRAM_GRAPH_URL"]
        {
            environment.push((name.to_owned(), "http://127.0.0.1:9".to_owned()));
        }
        let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--json"];
        let sandbox_process = Process::retail_assist(&arguments, &environment);
        let sandbox = sandbox_process.answer("url").await["url"].as_str().unwrap().to_owned();
        for (name, value) in &mut environment {
            let host = match name.as_str() {
                "FACEBOOK_WEB_URL" => "facebook-web",
                "FACEBOOK_GRAPH_URL" => "facebook-graph",
                "INSTAGRAM_WEB_URL" => "instagram-web",
                "INSTAGRAM_API_URL" => "instagram-api",
                "INSTAGRAM_GRAPH_URL" => "instagram-graph",
                _ => continue,
            };
            *value = format!("{sandbox}/{host}");
        }
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let mut system = Self {
            database,
            http,
            sandbox,
            api,
            environment,
            service: None,
            operator: String::new(),
            email: "ann@shop.test".to_owned(),
            password: String::new(),
            organization: String::new(),
            sandbox_process,
        };
        let user =
            system.admin(&["create-user", "--email", "ann@shop.test", "--organization", "Shop", "--plan", "pro"], "");
        system.password = user["password"].as_str().unwrap().to_owned();
        system.organization = user["organization"]["id"].as_str().unwrap().to_owned();
        system.new_operator();
        let hooks = json!({
            "webhookUrlInstagram": format!("{}/api/webhooks/instagram", system.api),
            "webhookUrlFacebook": format!("{}/api/webhooks/facebook", system.api),
            "metaRedirectUris": [
                format!("{}/api/meta/callback", system.api), format!("{}/api/meta/instagram/callback", system.api),
            ],
            "instagramRedirectUris": [format!("{}/api/meta/instagram/callback", system.api)],
            "deauthorizeUrlInstagram": format!("{}/api/meta/deauthorize", system.api),
            "dataDeletionUrlInstagram": format!("{}/api/meta/data-deletion", system.api),
        });
        system.control("/sandbox/settings", hooks).await;
        system
    }

    /// A fresh key of an operator.
    pub fn new_operator(&mut self) {
        let key = self.admin(&["create-key", "--scopes", "jobs:read,jobs:write,audit:read"], "");
        self.operator = key["key"].as_str().unwrap().to_owned();
    }

    /// Starts the service with more in its environment, and waits until it is ready.
    pub async fn serve(&mut self, more: &[(&str, &str)]) {
        self.service = Some(self.role("all", more));
        self.until_ready(true).await;
    }

    /// Starts one role of the service.
    pub fn role(&self, role: &str, more: &[(&str, &str)]) -> Process {
        let mut environment = self.environment.clone();
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Process::retail_assist(&["serve", "--role", role], &environment)
    }

    pub fn service(&mut self) -> &mut Process {
        self.service.as_mut().expect("the service was started")
    }

    /// Runs an admin command with something on its standard input, and reads its JSON.
    pub fn admin(&self, arguments: &[&str], input: &str) -> Value {
        let mut child = Command::new(PROGRAM)
            .arg("admin")
            .args(arguments)
            .arg("--json")
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// An account in the sandbox, connected, answering with [`REPLY`].
    pub async fn account(&self, platform: &str) -> Account {
        let made = self.control("/sandbox/accounts", json!({ "platform": platform, "login": platform })).await;
        let (id, token) = (made["id"].as_str().unwrap().to_owned(), made["accessToken"].as_str().unwrap());
        let organization = self.organization.clone();
        let scopes = match platform {
            "instagram" => "instagram_business_basic,instagram_business_manage_messages",
            _ => "pages_show_list,pages_messaging,pages_manage_metadata",
        };
        let arguments = [
            "create-connection",
            "--organization",
            &organization,
            "--platform",
            platform,
            "--external-id",
            &id,
            "--name",
            "Shop",
            "--scopes",
            scopes,
            "--token-stdin",
        ];
        let connection = self.admin(&arguments, token)["id"].as_str().unwrap().to_owned();
        self.admin(&["set-auto-reply", "--connection", &connection, "--mode", "template", "--text", REPLY], "");
        Account { id, connection }
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.sandbox)).json(&body).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}\n{}", self.sandbox_process.log());
        body
    }

    pub async fn sandbox_says(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.sandbox)).send().await.unwrap().json().await.unwrap()
    }

    pub async fn dm(&self, account: &Account, customer: &str, text: &str) -> String {
        let body = json!({ "accountId": account.id, "customerId": customer, "text": text });
        self.control("/sandbox/messages", body).await["mid"].as_str().unwrap().to_owned()
    }

    pub async fn sent(&self) -> Vec<Value> {
        self.sandbox_says("/sandbox/sent?limit=100000").await["items"].as_array().unwrap().clone()
    }

    /// A request as an operator.
    pub async fn operator(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(&self.operator);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    pub async fn jobs(&self, kind: &str) -> Vec<Value> {
        let (status, body) = self.operator(Method::GET, &format!("/api/admin/jobs?kind={kind}&limit=100")).await;
        assert_eq!(status, 200, "{body}");
        body["items"].as_array().unwrap().clone()
    }

    /// One job with its attempts.
    pub async fn job(&self, id: &str) -> Value {
        let (status, body) = self.operator(Method::GET, &format!("/api/admin/jobs/{id}")).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Signs in as the shop's owner.
    pub async fn sign_in(&self) -> Session<'_> {
        let body = json!({ "email": self.email, "password": self.password });
        let answer = self.http.post(format!("{}/api/auth/login", self.api)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let csrf = answer.json::<Value>().await.unwrap()["csrfToken"].as_str().unwrap().to_owned();
        Session { system: self, cookie, csrf }
    }

    pub async fn readiness(&self) -> Option<(StatusCode, Value)> {
        let answer = self.http.get(format!("{}/readyz", self.api)).send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    pub async fn until_ready(&self, ready: bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut last = None;
        while Instant::now() < deadline {
            last = self.readiness().await;
            if let Some((status, body)) = &last
                && (*status == 200) == ready
            {
                return body.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = self.service.as_ref().map(Process::log).unwrap_or_default();
        panic!("readiness did not become {ready}: {last:?}\n{log}");
    }

    /// Waits until `found` says so, and fails with what it last said.
    pub async fn until<T: std::fmt::Debug, F: Future<Output = Result<T, String>>>(
        &self,
        what: &str,
        found: impl Fn() -> F,
    ) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match found().await {
                Ok(value) => return value,
                Err(why) if Instant::now() > deadline => panic!("{what}: {why}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Waits until the sandbox has accepted so many messages.
    pub async fn until_sent(&self, count: usize) -> Vec<Value> {
        self.until("messages sent", || async {
            let sent = self.sent().await;
            if sent.len() == count { Ok(sent) } else { Err(format!("{} of {count}", sent.len())) }
        })
        .await
    }

    /// Waits until nothing is on its way from the sandbox.
    pub async fn until_quiet(&self) -> Value {
        self.until("the sandbox is quiet", || async {
            let counters = self.sandbox_says("/sandbox/counters").await;
            if counters["webhooksPending"] == 0 { Ok(counters) } else { Err(counters.to_string()) }
        })
        .await
    }
}

/// A signed-in owner.
pub struct Session<'a> {
    pub system: &'a System,
    pub cookie: String,
    pub csrf: String,
}

impl Session<'_> {
    pub async fn get(&self, path: &str) -> Value {
        let request = self.system.http.get(format!("{}{path}", self.system.api)).header("cookie", &self.cookie);
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.system.http.request(method, format!("{}{path}", self.system.api)).json(&body);
        let request = request.header("cookie", &self.cookie).header("x-csrf-token", &self.csrf);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// The messages of the only conversation, oldest first.
    pub async fn thread(&self) -> Vec<Value> {
        let conversations = self.get("/api/conversations").await;
        let items = conversations["items"].as_array().unwrap();
        let [conversation] = items.as_slice() else { return Vec::new() };
        let id = conversation["id"].as_str().unwrap();
        let mut messages =
            self.get(&format!("/api/conversations/{id}/messages")).await["items"].as_array().unwrap().clone();
        messages.reverse();
        messages
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
