//! A server under test, and a browser or program that calls it.

use api::app::App;
use api::cursor::Cursors;
use api::routes::events::Streams;
use api::server::{Limits, Server, endpoint};
use api::telemetry::metrics;
use domain::api_keys::{self, Scope};
use domain::clock::{DAY, ManualClock};
use domain::db::Db;
use domain::password::Passwords;
use domain::settings::{Mail, Settings};
use domain::vault::{Vault, VaultKey};
use domain::{Context, OrganizationId};
use jobs::{Ledger, LedgerSettings};
use meta::Login;
use meta::client::MetaClient;
use meta::signature::AppSecrets;
use migration::{Migrator, MigratorTrait as _};
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretBox};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use testbed::Database;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub struct World {
    pub ctx: Context,
    pub clock: Arc<ManualClock>,
    pub ledger: Ledger,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub running: tokio::task::JoinHandle<()>,
    http: Client,
    database: Database,
}

/// How a world differs from the usual one.
pub struct Like {
    pub signup_plan: Option<&'static str>,
    pub origin: &'static str,
    pub limits: Limits,
    pub trusted_proxies: Vec<IpAddr>,
    pub meta: meta::client::Settings,
    pub instagram_login: Login,
    pub mail: Option<Mail>,
    /// Further hosts of files.
    pub media_hosts: Vec<String>,
    pub ai: Option<ai::Client>,
    pub human_agent: bool,
    pub streams: Streams,
}

impl Default for Like {
    fn default() -> Self {
        let limits =
            Limits { announce: Duration::from_millis(100), drain: Duration::from_secs(5), ..Limits::default() };
        Self {
            signup_plan: Some("pro"),
            origin: "http://shop.test",
            limits,
            trusted_proxies: Vec::new(),
            meta: meta::client::Settings::default(),
            instagram_login: Login::Instagram,
            mail: None,
            media_hosts: Vec::new(),
            ai: None,
            human_agent: false,
            streams: Streams { check: Duration::from_millis(200), ..Streams::default() },
        }
    }
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub cookie: Option<String>,
    pub csrf: Option<String>,
    pub key: Option<String>,
    pub organization: Option<OrganizationId>,
}

impl World {
    pub async fn new() -> Self {
        Self::like(Like::default()).await
    }

    pub async fn like(like: Like) -> Self {
        let database = Database::new();
        let db = Db::open(database.url()).await.unwrap();
        Migrator::up(db.write(), None).await.unwrap();
        let clock = Arc::new(ManualClock::new(1_790_000_000_000));
        let settings = Settings {
            public_url: like.origin.to_owned(),
            signup_plan: like.signup_plan.map(ToOwned::to_owned),
            app_ids: Vec::new(),
            webhook_verify_token: Some("verify me".into()),
            instagram_webhook_secrets: AppSecrets::new(vec!["instagram".into(), "former".into(), "meta".into()]),
            facebook_webhook_secrets: AppSecrets::new(vec!["meta".into()]),
            instagram_login: like.instagram_login,
            mail: like.mail,
            human_agent: like.human_agent,
            redirect_uri: format!("{}/api/meta/callback", like.origin),
            redirect_instagram_uri: format!("{}/api/meta/instagram/callback", like.origin),
            ..Settings::default()
        };
        let ctx = Context {
            db,
            vault: Arc::new(Vault::new(vec![VaultKey::new("k1", [7; 32]).unwrap()]).unwrap()),
            meta: Arc::new(MetaClient::new(like.meta).unwrap()),
            clock: clock.clone(),
            media: meta::MediaClient::new(like.media_hosts, Duration::from_secs(2)).unwrap(),
            ai: like.ai,
            settings: Arc::new(settings),
        };
        let ledger_settings = LedgerSettings {
            tick: Duration::from_millis(50),
            redis_url: database.redis_url().map(Into::into),
            ..Default::default()
        };
        let ledger = Ledger::new(ctx.clone(), ledger_settings);
        let app = App {
            ctx: ctx.clone(),
            ingest: ledger.ingest(),
            ledger: ledger.clone(),
            passwords: Passwords::new(2).unwrap(),
            cursors: Cursors::new(SecretBox::new(Box::new([9; 32]))),
            origin: like.origin.to_owned(),
            secure: like.origin.starts_with("https"),
            trusted_proxies: like.trusted_proxies,
            streams: like.streams,
            figures: metrics::recorder(),
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any).await.unwrap();
        let server = Server::on(listener, endpoint(Arc::new(app)), like.limits);
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let running = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { ctx, clock, ledger, address, stop, running, http, database }
    }

    /// Another process on the same database, which serves nobody.
    pub async fn other_process(&self) -> Ledger {
        let ctx = Context { db: Db::open(self.database.url()).await.unwrap(), ..self.ctx.clone() };
        Ledger::new(ctx, self.ledger.settings().clone())
    }

    pub fn request(&self, caller: &Caller, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        if let Some(cookie) = &caller.cookie {
            request = request.header("Cookie", cookie);
        }
        if let Some(csrf) = &caller.csrf {
            request = request.header("X-CSRF-Token", csrf);
        }
        if let Some(key) = &caller.key {
            request = request.bearer_auth(key);
        }
        request
    }

    pub async fn get(&self, caller: &Caller, path: &str) -> Answer {
        Answer::of(self.request(caller, "GET", path).send().await.unwrap()).await
    }

    pub async fn send(&self, caller: &Caller, method: &str, path: &str, body: Value) -> Answer {
        Answer::of(self.request(caller, method, path).json(&body).send().await.unwrap()).await
    }

    /// Registers an organization and is signed in.
    pub async fn register(&self, email: &str) -> Caller {
        let body = json!({ "email": email, "password": "correct horse", "organizationName": "Shop" });
        let answer = self.send(&Caller::default(), "POST", "/api/auth/register", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.caller()
    }

    pub async fn key(&self, organization: Option<OrganizationId>, scopes: &[Scope]) -> Caller {
        let tx = self.ctx.db.begin().await.unwrap();
        let (_, key) = api_keys::create(&tx, &self.ctx, organization, scopes, 30 * DAY).await.unwrap();
        tx.commit().await.unwrap();
        Caller { key: Some(key.expose_secret().to_owned()), organization, ..Caller::default() }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's code, with all that a problem must be.
    pub fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        for field in ["type", "title", "detail"] {
            assert!(self.body[field].is_string(), "{self:?}");
        }
        assert_eq!(self.body["status"], self.status);
        self.body["code"].as_str().unwrap()
    }

    /// The caller that register or login signed in.
    pub fn caller(&self) -> Caller {
        let cookie = self.header("set-cookie").split(';').next().unwrap().to_owned();
        let id = domain::id::IdKind::Organization.parse(self.body["organization"]["id"].as_str().unwrap()).unwrap();
        Caller {
            cookie: Some(cookie),
            csrf: Some(self.body["csrfToken"].as_str().unwrap().to_owned()),
            key: None,
            organization: Some(OrganizationId(id)),
        }
    }
}
