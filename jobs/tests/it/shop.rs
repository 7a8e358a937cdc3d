//! A shop with one connected account, the product's job kinds, and the sandbox as its Meta.

use crate::harness::{START, context, of, settings};
use domain::audit::Actor;
use domain::clock::ManualClock;
use domain::connections::{AutoReply, LoginRoute, NewConnection};
use domain::{Context, OrganizationId, connections, organizations};
use entities::{connection, conversation, delivery, delivery_event, job, message};
use jobs::ingest::Endpoint;
use jobs::{Ledger, LedgerSettings, Workers};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use testbed::Database;
use uuid::Uuid;

pub const ACCOUNT: &str = "17841400000000001";
pub const REPLY: &str = "Thanks, we will answer soon!";

pub struct Shop {
    pub ledger: Ledger,
    pub clock: Arc<ManualClock>,
    pub organization: OrganizationId,
    pub connection: connection::Model,
    pub sandbox: String,
    http: reqwest::Client,
    workers: Option<Workers>,
    _running: sandbox::Running,
    pub database: Database,
}

impl Shop {
    /// An Instagram account through Instagram Login.
    pub async fn new() -> Self {
        Self::with(LoginRoute::InstagramLogin, ACCOUNT).await
    }

    pub async fn with(route: LoginRoute, account: &str) -> Self {
        let running = sandbox::Sandbox::bind("127.0.0.1:0".parse().unwrap(), sandbox::Config::default()).await.unwrap();
        let base = format!("http://{}", running.addr);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (platform, login) = match route {
            LoginRoute::InstagramLogin => ("instagram", "instagram"),
            LoginRoute::InstagramViaPage => ("instagram", "facebook"),
            LoginRoute::FacebookPage => ("facebook", "facebook"),
        };
        let post = |path: &str, body: Value| {
            let request = http.post(format!("{base}{path}")).json(&body);
            async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
        };
        post("/sandbox/clock", json!({ "set": START, "freeze": true })).await;
        let made = post("/sandbox/accounts", json!({ "platform": platform, "login": login, "id": account })).await;
        let token = made["accessToken"].as_str().unwrap().to_owned();

        let database = Database::new();
        let clock = Arc::new(ManualClock::new(START));
        let meta = meta::MetaClient::new(meta::Settings {
            facebook_graph_url: format!("{base}/facebook-graph"),
            instagram_graph_url: format!("{base}/instagram-graph"),
            timeouts: meta::Timeouts { connect: Duration::from_secs(1), total: Duration::from_millis(600) },
            ..meta::Settings::default()
        });
        let ctx = Context { meta: Arc::new(meta.unwrap()), ..context(&database, clock.clone()).await };
        let tx = ctx.db.begin().await.unwrap();
        let organization = OrganizationId(organizations::create(&tx, &ctx, "Shop", "pro").await.unwrap().id);
        let new = NewConnection {
            organization,
            actor: Actor::CommandLine,
            login_route: route,
            external_id: account.to_owned(),
            app_scoped_id: None,
            page_id: None,
            name: "Shop".to_owned(),
            username: None,
            scopes: vec![],
            token: token.into(),
            picture_url: None,
            token_issued_at: None,
            token_expires_at: None,
        };
        let connection = connections::create(&tx, &ctx, new).await.unwrap();
        let reply = AutoReply::text(REPLY);
        let connection =
            connections::set_auto_reply(&tx, &ctx, Actor::CommandLine, organization, connection.id, reply).await;
        tx.commit().await.unwrap();
        let ledger = Ledger::new(ctx, LedgerSettings { webhook_batch: 20, ..of(&database, settings()) });
        Self {
            workers: Some(Workers::start(&ledger)),
            ledger,
            clock,
            organization,
            connection: connection.unwrap(),
            sandbox: base,
            http,
            _running: running,
            database,
        }
    }

    pub async fn stop_workers(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.stop(Duration::from_secs(5)).await;
        }
    }

    pub fn start_workers(&mut self) {
        self.workers = Some(Workers::start(&self.ledger));
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.sandbox)).json(&body).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    pub async fn sent(&self) -> Vec<Value> {
        let url = format!("{}/sandbox/sent?limit=1000", self.sandbox);
        let body: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        body["items"].as_array().unwrap().clone()
    }

    /// Everything that Meta has accepted.
    pub async fn all_sent(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let url = format!("{}/sandbox/sent?limit=1000&offset={}", self.sandbox, all.len());
            let body: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
            let items = body["items"].as_array().unwrap();
            if items.is_empty() {
                return all;
            }
            all.extend(items.iter().cloned());
        }
    }

    /// Turns the automatic reply off.
    pub async fn without_replies(&self) {
        let (ctx, id) = (self.ledger.context(), self.connection.id);
        let tx = ctx.db.begin().await.unwrap();
        let off = AutoReply::off();
        connections::set_auto_reply(&tx, ctx, Actor::CommandLine, self.organization, id, off).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits until no job is left that is to run before a time.
    pub async fn until_nothing_is_due_before(&self, until: i64) {
        let deadline = std::time::Instant::now() + Duration::from_secs(300);
        loop {
            let left = job::Entity::find()
                .filter(job::Column::State.is_in(["scheduled", "available", "retryable", "snoozed", "running"]))
                .filter(job::Column::RunAt.lt(until))
                .limit(5)
                .all(self.ledger.context().db.read())
                .await
                .unwrap();
            if left.is_empty() {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "left: {left:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn fault(&self, name: &str, more: Value) {
        let mut fault = json!({ "name": name, "count": 1 });
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.control("/sandbox/faults", fault).await;
    }

    /// A customer writes: the sandbox opens its window, and the delivery is handed to the ledger.
    pub async fn dm(&self, customer: &str, text: &str) -> String {
        let body = json!({ "accountId": self.connection.external_id, "customerId": customer, "text": text });
        let mid = self.control("/sandbox/messages", body).await["mid"].as_str().unwrap().to_owned();
        let message = json!({ "mid": mid, "text": text });
        self.deliver(&[self.element(customer, json!({ "message": message }))]).await;
        mid
    }

    /// An element from a customer to the account, at the present moment.
    pub fn element(&self, customer: &str, what: Value) -> Value {
        let mut element = json!({
            "sender": { "id": customer },
            "recipient": { "id": self.connection.external_id },
            "timestamp": self.ledger.now(),
        });
        element.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        element
    }

    pub fn echo(&self, customer: &str, message: Value) -> Value {
        let mut message = message;
        message["is_echo"] = true.into();
        json!({
            "sender": { "id": self.connection.external_id },
            "recipient": { "id": customer },
            "timestamp": self.ledger.now(),
            "message": message,
        })
    }

    /// Stores a delivery with these elements and waits until it is processed.
    pub async fn deliver(&self, elements: &[Value]) -> Uuid {
        let object = if self.connection.platform == "instagram" { "instagram" } else { "page" };
        let entry = json!({ "id": self.connection.external_id, "time": self.ledger.now(), "messaging": elements });
        self.deliver_body(json!({ "object": object, "entry": [entry] }).to_string().into_bytes()).await
    }

    pub async fn deliver_body(&self, body: Vec<u8>) -> Uuid {
        let id = self.ledger.ingest().store(Endpoint::Instagram, body).await.unwrap();
        self.processed(id).await;
        id
    }

    pub async fn processed(&self, delivery: Uuid) -> delivery::Model {
        for _ in 0..1_000 {
            let row =
                delivery::Entity::find_by_id(delivery).one(self.ledger.context().db.read()).await.unwrap().unwrap();
            if row.state != "received" {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a delivery was not processed; jobs: {:?}", self.jobs("webhook.process").await);
    }

    pub async fn outcomes(&self, delivery: Uuid) -> Vec<delivery_event::Model> {
        delivery_event::Entity::find()
            .filter(delivery_event::Column::DeliveryId.eq(delivery))
            .order_by_asc(delivery_event::Column::Idx)
            .all(self.ledger.context().db.read())
            .await
            .unwrap()
    }

    pub async fn messages(&self) -> Vec<message::Model> {
        let query = message::Entity::find().order_by_asc(message::Column::SentAt).order_by_asc(message::Column::Id);
        query.all(self.ledger.context().db.read()).await.unwrap()
    }

    pub async fn outbound(&self) -> Vec<message::Model> {
        self.messages().await.into_iter().filter(|message| message.direction == "outbound").collect()
    }

    pub async fn conversations(&self) -> Vec<conversation::Model> {
        conversation::Entity::find().all(self.ledger.context().db.read()).await.unwrap()
    }

    pub async fn connection_now(&self) -> connection::Model {
        let found = connection::Entity::find_by_id(self.connection.id).one(self.ledger.context().db.read()).await;
        found.unwrap().unwrap()
    }

    pub async fn jobs(&self, kind: &str) -> Vec<job::Model> {
        let query = job::Entity::find().filter(job::Column::Kind.eq(kind)).order_by_asc(job::Column::Id);
        query.all(self.ledger.context().db.read()).await.unwrap()
    }

    pub async fn usage(&self, metric: &str) -> i64 {
        let month = domain::clock::month(START);
        domain::usage::month(self.ledger.context().db.read(), self.organization, &month).await.unwrap()[metric]
    }

    /// Waits for the only outbound message to have a status.
    pub async fn reply_is(&self, status: &str) -> message::Model {
        for _ in 0..1_000 {
            if let [reply] = self.outbound().await.as_slice()
                && reply.status.as_deref() == Some(status)
            {
                return reply.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no reply became {status}: {:?} {:?}", self.outbound().await, self.jobs("message.send").await);
    }

    /// Waits until Meta has been asked once what became of an unknown send.
    pub async fn first_look_is_over(&self) {
        for _ in 0..1_000 {
            if self.jobs("message.reconcile").await.first().is_some_and(|job| job.state == "completed") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody looked: {:?}", self.jobs("message.reconcile").await);
    }

    /// Waits for the last job of a kind to be in a state.
    pub async fn job_is(&self, kind: &str, state: &str) -> job::Model {
        for _ in 0..1_000 {
            if let Some(job) = self.jobs(kind).await.pop()
                && job.state == state
            {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {kind} became {state}: {:?}", self.jobs(kind).await);
    }
}
