//! A ledger over a database of its own, with a clock that is turned by hand and job kinds made for tests.

use domain::Context;
use domain::clock::{ManualClock, Millis};
use domain::db::Db;
use domain::settings::Settings;
use domain::vault::{Vault, VaultKey};
use entities::{job, job_attempt};
use jobs::jobs::{Catalogue, Finish, HandlerError, Kind, Run, leave, run_again};
use jobs::ledger::enqueue::NewJob;
use jobs::outcome::{Failure, Outcome};
use jobs::policy::{Policy, STANDARD};
use jobs::{Ledger, LedgerSettings, Queue, Workers};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use testbed::Database;
use uuid::Uuid;

pub const START: Millis = 1_790_000_000_000;

/// What each test job was told and did, by its key.
pub static RUNS: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

fn log(key: &str, line: impl Into<String>) {
    RUNS.lock().unwrap().entry(key.to_owned()).or_default().push(line.into());
}

pub fn runs_of(key: &str) -> Vec<String> {
    RUNS.lock().unwrap().get(key).cloned().unwrap_or_default()
}

/// Does what its payload says: `ok`, `retry`, `discard`, `panic`, `hang`, `snooze`, `late`; `log` is the key of its record.
pub static SCRIPTED: Kind = Kind {
    name: "test.scripted",
    queue: Queue::Send,
    policy: Policy { timeout: Some(Duration::from_millis(300)), ..STANDARD },
    run: Run::One(|ledger, job| {
        Box::pin(async move {
            let script: Value = serde_json::from_str(&job.payload).unwrap();
            let key = script["log"].as_str().unwrap_or_default().to_owned();
            log(&key, format!("begin {}", script["name"].as_str().unwrap_or("?")));
            if let Some(ms) = script["sleep"].as_u64() {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            log(&key, format!("end {}", script["name"].as_str().unwrap_or("?")));
            let failure = || Failure::new("transient", "as asked");
            Ok::<_, HandlerError>(Finish::Outcome(match script["act"].as_str().unwrap_or("ok") {
                "retry" => Outcome::Retry(failure(), None),
                "retry_once" if job.attempt == 1 => Outcome::Retry(failure(), None),
                "late" => Outcome::Retry(failure(), Some(ledger.now())),
                "discard" => Outcome::Discard(failure()),
                "snooze_once" if job.fence == 1 => Outcome::Snooze(failure(), ledger.now() + 60_000),
                "panic" => panic!("as asked"),
                "hang" => {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    unreachable!()
                }
                _ => Outcome::Completed(json!({ "done": true })),
            }))
        })
    }),
    on_lapse: run_again,
    on_given_up: leave,
};

/// Takes four seconds.
pub static SLOW: Kind = Kind {
    name: "test.slow",
    run: Run::One(|_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok(Finish::Outcome(Outcome::Completed(Value::Null)))
        })
    }),
    ..template()
};

/// Like [`SCRIPTED`], enqueued every hour.
pub static HOURLY: Kind = Kind { name: "test.hourly", queue: Queue::Maintenance, ..template() };

/// Waits where deliveries do, a hundred of which are claimed at once.
pub static DELIVERED: Kind = Kind { name: "test.delivered", queue: Queue::Webhooks, ..template() };

const fn template() -> Kind {
    Kind {
        name: "test.template",
        queue: Queue::Maintenance,
        policy: STANDARD,
        run: Run::One(|_, _| Box::pin(async { Ok(Finish::Outcome(Outcome::Completed(Value::Null))) })),
        on_lapse: run_again,
        on_given_up: leave,
    }
}

pub const CATALOGUE: Catalogue = Catalogue {
    kinds: &[&SCRIPTED, &SLOW, &HOURLY, &DELIVERED, &jobs::jobs::ledger_prune::KIND],
    schedules: &[(&HOURLY, 3_600_000)],
};

pub struct Bench {
    pub ledger: Ledger,
    pub clock: Arc<ManualClock>,
    database: Database,
}

pub fn settings() -> LedgerSettings {
    LedgerSettings { lease: Duration::from_secs(60), tick: Duration::from_millis(50), ..LedgerSettings::default() }
}

/// Rung through the Redis beside the database, where there is one.
pub fn of(database: &Database, settings: LedgerSettings) -> LedgerSettings {
    LedgerSettings { redis_url: database.redis_url().map(Into::into), ..settings }
}

pub async fn context(database: &Database, clock: Arc<ManualClock>) -> Context {
    let db = Db::open(database.url()).await.unwrap();
    Migrator::up(db.write(), None).await.unwrap();
    Context {
        db,
        vault: Arc::new(Vault::new(vec![VaultKey::new("k1", [7; 32]).unwrap()]).unwrap()),
        meta: Arc::new(meta::MetaClient::new(meta::Settings::default()).unwrap()),
        clock,
        media: meta::MediaClient::new(Vec::new(), Duration::from_secs(2)).unwrap(),
        ai: None,
        settings: Arc::new(Settings {
            public_url: "http://127.0.0.1:8080".to_owned(),
            signup_plan: None,
            app_ids: vec!["100000000000001".to_owned(), "200000000000002".to_owned()],
            webhook_verify_token: None,
            instagram_webhook_secrets: meta::AppSecrets::new(vec![]),
            facebook_webhook_secrets: meta::AppSecrets::new(vec![]),
            ..Settings::default()
        }),
    }
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(settings()).await
    }

    pub async fn with(settings: LedgerSettings) -> Self {
        let database = Database::new();
        let clock = Arc::new(ManualClock::new(START));
        let context = context(&database, clock.clone()).await;
        Self { ledger: Ledger::with_catalogue(context, of(&database, settings), CATALOGUE), clock, database }
    }

    /// Another process's ledger over the same database.
    pub async fn another(&self) -> Ledger {
        let settings = of(&self.database, settings());
        Ledger::with_catalogue(context(&self.database, self.clock.clone()).await, settings, CATALOGUE)
    }

    pub async fn enqueue(&self, job: NewJob) -> Option<Uuid> {
        let mut tx = self.ledger.context().db.begin().await.unwrap();
        let ids = self.ledger.enqueue(&mut tx, vec![job]).await.unwrap();
        tx.commit().await.unwrap();
        ids.first().copied()
    }

    pub async fn script(&self, script: Value) -> Uuid {
        self.enqueue(NewJob::new(&SCRIPTED, script)).await.unwrap()
    }

    pub async fn job(&self, id: Uuid) -> job::Model {
        job::Entity::find_by_id(id).one(self.ledger.context().db.read()).await.unwrap().unwrap()
    }

    pub async fn attempts(&self, id: Uuid) -> Vec<job_attempt::Model> {
        job_attempt::Entity::find()
            .filter(job_attempt::Column::JobId.eq(id))
            .order_by_asc(job_attempt::Column::Fence)
            .all(self.ledger.context().db.read())
            .await
            .unwrap()
    }

    /// Waits until the job is in `state`; fails after ten seconds with what it is instead.
    pub async fn until(&self, id: Uuid, state: &str) -> job::Model {
        for _ in 0..1_000 {
            let job = self.job(id).await;
            if job.state == state {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the job did not become {state}: {:?}", self.job(id).await);
    }

    /// Waits until the job has been tried `attempt` times; fails after ten seconds with what it is instead.
    pub async fn until_attempt(&self, id: Uuid, attempt: i32) {
        for _ in 0..1_000 {
            if self.job(id).await.attempt == attempt {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the job was not tried {attempt} times: {:?}", self.job(id).await);
    }

    pub fn work(&self) -> Workers {
        Workers::start(&self.ledger)
    }
}
