//! Several "processes" over one database, with jobs that note when they ran. The tick is half a minute, so whatever runs
//! within a second was rung for.

use domain::Context;
use domain::clock::SystemClock;
use domain::db::Db;
use domain::settings::Settings;
use domain::vault::{Vault, VaultKey};
use jobs::jobs::{Catalogue, Finish, Kind, Run, leave, run_again};
use jobs::ledger::enqueue::NewJob;
use jobs::outcome::Outcome;
use jobs::policy::STANDARD;
use jobs::settings::Slots;
use jobs::{Ledger, LedgerSettings, Queue};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use migration::{Migrator, MigratorTrait};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};
use testbed::{Database, Setup};
use uuid::Uuid;

/// When each job began.
static BEGAN: LazyLock<Mutex<HashMap<Uuid, Instant>>> = LazyLock::new(Mutex::default);

/// Notes when it began and takes as many milliseconds as its payload says.
pub static NOTED: Kind = Kind {
    name: "test.noted",
    queue: Queue::Send,
    policy: STANDARD,
    run: Run::One(|_, job| {
        Box::pin(async move {
            BEGAN.lock().unwrap().insert(job.id, Instant::now());
            let script: Value = serde_json::from_str(&job.payload).unwrap();
            tokio::time::sleep(Duration::from_millis(script["takes"].as_u64().unwrap_or(0))).await;
            Ok(Finish::Outcome(Outcome::Completed(Value::Null)))
        })
    }),
    on_lapse: run_again,
    on_given_up: leave,
};

const CATALOGUE: Catalogue = Catalogue { kinds: &[&NOTED], schedules: &[] };

pub struct Site {
    url: String,
    _file: Option<Database>,
}

/// Nothing is found by looking within a test.
pub fn settings() -> LedgerSettings {
    LedgerSettings { tick: Duration::from_secs(30), ..LedgerSettings::default() }
}

pub fn through(redis: &str) -> LedgerSettings {
    LedgerSettings { redis_url: Some(SecretString::from(redis)), ..settings() }
}

/// With so many slots for the jobs of these tests.
pub fn with_slots(settings: LedgerSettings, send: usize) -> LedgerSettings {
    LedgerSettings { slots: Slots { send, ..settings.slots }, ..settings }
}

impl Site {
    pub async fn on_sqlite() -> Self {
        let file = Database::on(Setup::Sqlite, None, None).unwrap();
        let site = Self::at(file.url().to_owned()).await;
        Self { _file: Some(file), ..site }
    }

    pub async fn at(url: String) -> Self {
        let db = Db::open(&url).await.unwrap();
        Migrator::up(db.write(), None).await.unwrap();
        db.close().await.unwrap();
        Self { url, _file: None }
    }

    /// Another process.
    pub async fn process(&self, settings: LedgerSettings) -> Ledger {
        let context = Context {
            db: Db::open(&self.url).await.unwrap(),
            vault: Arc::new(Vault::new(vec![VaultKey::new("k1", [7; 32]).unwrap()]).unwrap()),
            meta: Arc::new(meta::MetaClient::new(meta::Settings::default()).unwrap()),
            clock: Arc::new(SystemClock),
            media: meta::MediaClient::new(Vec::new(), Duration::from_secs(2)).unwrap(),
            ai: None,
            settings: Arc::new(Settings {
                public_url: "http://127.0.0.1:8080".to_owned(),
                signup_plan: None,
                app_ids: vec![],
                webhook_verify_token: None,
                instagram_webhook_secrets: meta::AppSecrets::new(vec![]),
                facebook_webhook_secrets: meta::AppSecrets::new(vec![]),
                ..Settings::default()
            }),
        };
        Ledger::with_catalogue(context, settings, CATALOGUE)
    }
}

/// Commits jobs in one transaction; returns their ids and when that was.
pub async fn enqueue(ledger: &Ledger, jobs: Vec<NewJob>) -> (Vec<Uuid>, Instant) {
    let mut tx = ledger.context().db.begin().await.unwrap();
    let ids = ledger.enqueue(&mut tx, jobs).await.unwrap();
    tx.commit().await.unwrap();
    (ids, Instant::now())
}

pub fn a_job(takes: u64) -> NewJob {
    NewJob::new(&NOTED, json!({ "takes": takes }))
}

/// From the commit of one job to its begin, if that comes within `limit`.
pub async fn run_one(ledger: &Ledger, limit: Duration) -> Option<Duration> {
    let (ids, committed) = enqueue(ledger, vec![a_job(0)]).await;
    begun(ids[0], limit).await.map(|began| began.saturating_duration_since(committed))
}

pub async fn begun(id: Uuid, limit: Duration) -> Option<Instant> {
    let deadline = Instant::now() + limit;
    loop {
        let began = BEGAN.lock().unwrap().get(&id).copied();
        if began.is_some() || Instant::now() > deadline {
            return began;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Figures of this test's process; to be called before anything is counted.
pub fn figures() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap()).clone()
}

/// The sum of a counter over all its labels that contain `label`.
pub fn count(name: &str, label: &str) -> u64 {
    let rendered = figures().render();
    let lines = rendered.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
