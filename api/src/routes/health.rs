//! Whether the process lives, and whether it gets work done: a database that takes a write, workers with a sign of life,
//! and no job that has been due for a minute.

use super::Tag;
use crate::app::App;
use crate::telemetry::{database, ledger};
use domain::Context;
use domain::clock::MINUTE;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::DbErr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct HealthRoutes;

/// How long a check may take before it has failed.
const WITHIN: Duration = Duration::from_secs(2);

/// The process answers.
#[derive(Object)]
struct Health {
    ok: bool,
    version: String,
}

/// Whether a row could be written.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct DatabaseCheck {
    ok: bool,
    took_ms: u64,
}

/// Workers with a sign of life, in whatever process.
#[derive(Object)]
struct WorkersCheck {
    ok: bool,
    live: u64,
}

/// How long the oldest job that could run has been due.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct OldestDueCheck {
    ok: bool,
    age_seconds: i64,
}

/// Whether the schema is the one this program was built for.
#[derive(Object)]
struct MigrationsCheck {
    ok: bool,
    pending: u64,
}

/// Every check.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Checks {
    database: DatabaseCheck,
    workers: WorkersCheck,
    oldest_due_job: OldestDueCheck,
    migrations: MigrationsCheck,
}

/// Whether work gets done.
#[derive(Object)]
struct Readiness {
    ready: bool,
    checks: Checks,
}

#[derive(ApiResponse)]
enum Ready {
    /// Work gets done.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// A check failed.
    #[oai(status = 503)]
    NotReady(Json<Readiness>),
}

#[OpenApi(tag = "Tag::Health")]
impl HealthRoutes {
    /// The process answers.
    #[oai(path = "/healthz", method = "get", operation_id = "health")]
    async fn health(&self) -> Json<Health> {
        Json(Health { ok: true, version: env!("CARGO_PKG_VERSION").to_owned() })
    }

    /// Work gets done: database, workers, oldest due job and migrations.
    #[oai(path = "/readyz", method = "get", operation_id = "readiness")]
    async fn readiness(&self, app: Data<&Arc<App>>) -> Ready {
        let checks = checks(&app.ctx).await;
        let ready = checks.database.ok && checks.workers.ok && checks.oldest_due_job.ok && checks.migrations.ok;
        let answer = Json(Readiness { ready, checks });
        if ready { Ready::Ready(answer) } else { Ready::NotReady(answer) }
    }
}

async fn checks(ctx: &Context) -> Checks {
    let began = Instant::now();
    let written = within(database::write(&ctx.db, ctx.now())).await.is_some();
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (db, now) = (ctx.db.read(), ctx.now());
    let live = within(ledger::live_workers(db, now)).await.unwrap_or(0);
    let age = within(ledger::queues(db, now)).await.map(|queues| ledger::oldest_due_age(&queues, now));
    let pending = within(database::schema(db)).await.map(|schema| schema.pending);
    Checks {
        database: DatabaseCheck { ok: written, took_ms },
        workers: WorkersCheck { ok: live > 0, live },
        oldest_due_job: OldestDueCheck {
            ok: age.is_some_and(|age| age < MINUTE),
            age_seconds: age.unwrap_or(0) / 1_000,
        },
        migrations: MigrationsCheck { ok: pending == Some(0), pending: pending.unwrap_or(0) },
    }
}

async fn within<T>(check: impl Future<Output = Result<T, DbErr>>) -> Option<T> {
    match tokio::time::timeout(WITHIN, check).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a readiness check failed");
            None
        }
        Err(_elapsed) => {
            tracing::warn!("a readiness check took too long");
            None
        }
    }
}
