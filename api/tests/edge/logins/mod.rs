//! Logins at Meta from end to end: our server and workers, the sandbox as Meta, a browser's cookies, and one clock for all.

mod choices;
mod failures;
mod keeping;
mod leaving;
mod mail;
mod redirects;
mod repair;

use crate::world::{Answer, Caller, Like, World};
use domain::clock::Millis;
use jobs::Workers;
use meta::Login;
use serde_json::{Value, json};
use std::time::Duration;

/// Where the rows of [`World`] begin.
const START: Millis = 1_790_000_000_000;

pub struct Logins {
    pub world: World,
    pub sandbox: String,
    pub owner: Caller,
    http: reqwest::Client,
    workers: Option<Workers>,
    running: Option<sandbox::Running>,
}

impl Logins {
    /// A Pro shop; Instagram is connected by Instagram Login.
    pub async fn new() -> Self {
        Self::by(Login::Instagram).await
    }

    pub async fn by(instagram_login: Login) -> Self {
        Self::like(Like { instagram_login, ..Like::default() }).await
    }

    pub async fn like(like: Like) -> Self {
        let config = sandbox::Config {
            instagram_app_secret: "instagram".to_owned(),
            meta_app_secret: "meta".to_owned(),
            require_appsecret_proof: true,
            ..sandbox::Config::default()
        };
        let running = sandbox::Sandbox::bind("127.0.0.1:0".parse().unwrap(), config.clone()).await.unwrap();
        let base = format!("http://{}", running.addr);
        let meta = meta::client::Settings {
            facebook_web_url: format!("{base}/facebook-web"),
            facebook_graph_url: format!("{base}/facebook-graph"),
            instagram_web_url: format!("{base}/instagram-web"),
            instagram_api_url: format!("{base}/instagram-api"),
            instagram_graph_url: format!("{base}/instagram-graph"),
            meta_app_id: Some(config.meta_app_id),
            meta_app_secret: Some(config.meta_app_secret.into()),
            instagram_app_id: Some(config.instagram_app_id),
            instagram_app_secret: Some(config.instagram_app_secret.into()),
            timeouts: meta::Timeouts { connect: Duration::from_secs(1), total: Duration::from_secs(2) },
            ..meta::client::Settings::default()
        };
        let model = ai::Client::new(ai::Settings {
            base_url: format!("{base}/ai/v1"),
            api_key: Some("sk-test".into()),
            model: "stand-in".to_owned(),
            timeout: Duration::from_millis(500),
            at_once: 8,
        });
        let (ai, media_hosts) = (Some(model.unwrap()), vec![running.addr.to_string()]);
        let world = World::like(Like { meta, ai, media_hosts, ..like }).await;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        let workers = Some(Workers::start(&world.ledger));
        let owner = world.register("ada@shop.test").await;
        let logins = Self { world, sandbox: base, owner, http, workers, running: Some(running) };
        let ours = &logins.world.ctx.settings;
        let here = format!("http://{}", logins.world.address);
        logins
            .control(
                "/sandbox/settings",
                json!({
                    "metaRedirectUris": [ours.redirect_uri, ours.redirect_instagram_uri],
                    "instagramRedirectUris": [ours.redirect_instagram_uri],
                    "webhookUrlInstagram": format!("{here}/api/webhooks/instagram"),
                    "webhookUrlFacebook": format!("{here}/api/webhooks/facebook"),
                    "deauthorizeUrlInstagram": format!("{here}/api/meta/deauthorize"),
                    "deauthorizeUrlFacebook": format!("{here}/api/meta/deauthorize"),
                    "dataDeletionUrlInstagram": format!("{here}/api/meta/data-deletion"),
                    "dataDeletionUrlFacebook": format!("{here}/api/meta/data-deletion"),
                }),
            )
            .await;
        logins.control("/sandbox/clock", json!({ "set": START, "freeze": true })).await;
        logins
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.sandbox)).json(&body).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    pub async fn says(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.sandbox)).send().await.unwrap().json().await.unwrap()
    }

    /// What the sandbox counted of logins.
    pub async fn counted(&self, what: &str) -> u64 {
        self.says("/sandbox/counters").await["oauth"][what].as_u64().unwrap_or_else(|| panic!("no counter {what}"))
    }

    pub async fn fault(&self, name: &str, count: Option<u64>) {
        self.control("/sandbox/faults", json!({ "name": name, "count": count })).await;
    }

    pub async fn no_faults(&self) {
        self.http.delete(format!("{}/sandbox/faults", self.sandbox)).send().await.unwrap();
    }

    /// Turns both clocks.
    pub async fn advance(&self, by: Millis) {
        self.world.clock.advance(by);
        let now = self.world.ctx.now();
        self.control("/sandbox/clock", json!({ "set": now, "freeze": true })).await;
    }

    /// An Instagram account that its owner can log in with.
    pub async fn instagram(&self) -> String {
        let made = self.control(
            "/sandbox/accounts",
            json!({ "platform": "instagram", "login": "instagram", "subscribed": false }),
        );
        made.await["id"].as_str().unwrap().to_owned()
    }

    /// A Page.
    pub async fn page(&self) -> String {
        let made = self
            .control("/sandbox/accounts", json!({ "platform": "facebook", "login": "facebook", "subscribed": false }));
        made.await["id"].as_str().unwrap().to_owned()
    }

    /// Starts a login; the browser's mark goes into the caller's cookies.
    pub async fn start(&self, caller: &mut Caller, platform: &str) -> Answer {
        let path = if platform == "instagram" { "/api/meta/instagram/oauth" } else { "/api/meta/oauth" };
        let answer = self.world.get(caller, path).await;
        let mark = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        if let Some(cookie) = caller.cookie.as_mut().filter(|_| !mark.is_empty()) {
            *cookie = format!("{cookie}; {mark}");
        }
        answer
    }

    /// The person at Meta decides; returns where the browser is sent.
    pub async fn consent(&self, started: &Answer, with: Value) -> String {
        assert_eq!(started.status, 200, "{started:?}");
        let mut body = with;
        body["authUrl"] = started.body["authUrl"].clone();
        self.control("/sandbox/consent", body).await["redirectTo"].as_str().unwrap().to_owned()
    }

    /// The browser follows Meta's redirect, keeping the fragment to itself; returns where it is sent on.
    pub async fn follow(&self, caller: &Caller, redirect: &str) -> Answer {
        let path = redirect.strip_prefix("http://shop.test").unwrap_or_else(|| panic!("{redirect}"));
        let path = path.split('#').next().unwrap();
        self.world.get(caller, path).await
    }

    /// A whole login; returns the handle.
    pub async fn login(&self, caller: &mut Caller, platform: &str, with: Value) -> String {
        let started = self.start(caller, platform).await;
        let redirect = self.consent(&started, with).await;
        let landed = self.follow(caller, &redirect).await;
        handle(&landed, platform)
    }

    /// Chooses accounts.
    pub async fn choose(&self, caller: &Caller, handle: &str, platform: &str, ids: &[&str]) -> Answer {
        let body = json!({ "token": handle, "platform": platform, "selectedPageIds": ids });
        self.world.send(caller, "POST", "/api/meta/pages", body).await
    }

    /// Logs in and connects these accounts; returns the connections.
    pub async fn connect(&self, caller: &mut Caller, platform: &str, ids: &[&str]) -> Vec<Value> {
        let with = if platform == "instagram" && self.world.ctx.settings.instagram_login == Login::Instagram {
            json!({ "accountId": ids[0] })
        } else {
            json!({})
        };
        let handle = self.login(caller, platform, with).await;
        let chosen = self.choose(caller, &handle, platform, ids).await;
        assert_eq!(chosen.status, 200, "{chosen:?}");
        chosen.body["connections"].as_array().unwrap().clone()
    }

    pub async fn connection(&self, id: &str) -> Value {
        self.world.get(&self.owner, &format!("/api/meta/connections/{id}")).await.body
    }

    /// Waits until a look finds something; fails with what it saw last.
    pub async fn until<T, Look: Future<Output = Result<T, String>>>(&self, what: &str, look: impl Fn() -> Look) -> T {
        for _ in 0..1_500 {
            if let Ok(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?}", look().await.err());
    }

    /// Waits until the account of a connection delivers webhooks, as the sandbox says.
    pub async fn until_subscribed(&self, account: &str, on: bool) {
        self.until("subscription", || async {
            let accounts = self.says("/sandbox/accounts").await;
            let items = accounts["items"].as_array().unwrap().clone();
            let found = items.iter().find(|item| item["id"] == account).unwrap()["subscribed"].clone();
            if found == on { Ok(()) } else { Err(accounts.to_string()) }
        })
        .await;
    }

    /// The jobs of a kind, newest first.
    pub async fn jobs(&self, kind: &str) -> Vec<entities::job::Model> {
        use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
        entities::job::Entity::find()
            .filter(entities::job::Column::Kind.eq(kind))
            .order_by_desc(entities::job::Column::Id)
            .all(self.world.ctx.db.read())
            .await
            .unwrap()
    }

    /// Waits until no job is unfinished that is due.
    pub async fn until_idle(&self) {
        use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
        self.until("idle", || async {
            let due = entities::job::Entity::find()
                .filter(entities::job::Column::State.is_in([
                    "available",
                    "running",
                    "scheduled",
                    "retryable",
                    "snoozed",
                ]))
                .filter(entities::job::Column::RunAt.lte(self.world.ctx.now()))
                .all(self.world.ctx.db.read())
                .await
                .unwrap();
            if due.is_empty() { Ok(()) } else { Err(format!("{due:?}")) }
        })
        .await;
    }

    pub async fn stop(mut self) {
        if let Some(workers) = self.workers.take() {
            workers.stop(Duration::from_secs(5)).await;
        }
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}

/// The handle of a login that succeeded.
pub fn handle(landed: &Answer, platform: &str) -> String {
    let prefix = if platform == "instagram" { "ig" } else { "fb" };
    let location = landed.header("location");
    let start = format!("/dashboard/integrations?{prefix}_success=true&{prefix}_token=");
    let rest = location.strip_prefix(&start).unwrap_or_else(|| panic!("{location}"));
    rest.split('&').next().unwrap().to_owned()
}
