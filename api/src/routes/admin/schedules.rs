//! What recurs: when it ran and will run, and running it now. An operator who has mended something need not wait a day to see
//! whether it helped.

use super::reason::Reason;
use crate::app::App;
use crate::auth::Operator;
use crate::problem::{Code, Problem};
use crate::routes::Tag;
use crate::routes::body::Sent;
use domain::api_keys::Scope;
use domain::audit::{self, Entry};
use domain::clock::{SECOND, rfc3339};
use domain::id::IdKind;
use jobs::ledger::schedule::{self, RanNow, Scheduled};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::json;
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleRoutes;

/// Something that recurs.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Schedule {
    /// The kind of job it makes.
    name: String,
    every_seconds: i64,
    /// Absent until a worker has run once.
    last_due_at: Option<String>,
    /// In the past while no worker runs.
    next_due_at: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ScheduleList {
    items: Vec<Schedule>,
    next_cursor: Option<String>,
}

/// The job that does it.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ScheduleRun {
    name: String,
    /// `job_…`
    job_id: String,
    /// `made`: a new job. `hastened`: its job waited for another time, and is due now. `running`: its job is at it.
    outcome: String,
}

#[OpenApi(prefix_path = "/api/admin/schedules", tag = "Tag::Operators")]
impl ScheduleRoutes {
    /// What recurs. Needs the scope `jobs:read`.
    #[oai(path = "/", method = "get", operation_id = "adminListSchedules")]
    async fn list(&self, app: Data<&Arc<App>>, operator: Operator) -> Result<Json<ScheduleList>, Problem> {
        operator.require(Scope::JobsRead)?;
        let items = schedule::list(&app.ledger).await?.into_iter().map(shown).collect();
        Ok(Json(ScheduleList { items, next_cursor: None }))
    }

    /// One of them. Needs the scope `jobs:read`.
    #[oai(path = "/:name", method = "get", operation_id = "adminGetSchedule")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        name: Path<String>,
    ) -> Result<Json<Schedule>, Problem> {
        operator.require(Scope::JobsRead)?;
        let found = schedule::list(&app.ledger).await?.into_iter().find(|one| one.name == name.0);
        found.map(|one| Json(shown(one))).ok_or(Problem::new(Code::NotFound))
    }

    /// Run it now; its rhythm stays as it is. Needs the scope `jobs:write`.
    #[oai(path = "/:name/run-now", method = "post", operation_id = "adminRunScheduleNow")]
    async fn run_now(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        name: Path<String>,
        body: Sent<Reason>,
    ) -> Result<Json<ScheduleRun>, Problem> {
        operator.require(Scope::JobsWrite)?;
        let reason = body.0.checked()?;
        let (mut tx, now) = (app.ctx.db.begin().await?, app.ctx.now());
        let ran = schedule::run_now(&app.ledger, &mut tx, &name, now).await?.ok_or(Problem::new(Code::NotFound))?;
        let (outcome, job) = match ran {
            RanNow::Made(job) => ("made", job),
            RanNow::Hastened(job) => ("hastened", job),
            RanNow::Running(job) => ("running", job),
        };
        let job_id = IdKind::Job.show(job);
        let details = json!({ "jobId": job_id, "outcome": outcome });
        let entry = Entry::new(operator.actor(), "schedule.run_now", None).target(name.0.clone());
        audit::record(tx.conn(), now, entry.reason(reason).details(details)).await?;
        tx.commit().await?;
        Ok(Json(ScheduleRun { name: name.0, job_id, outcome: outcome.to_owned() }))
    }
}

fn shown(one: Scheduled) -> Schedule {
    Schedule {
        name: one.name.to_owned(),
        every_seconds: one.every / SECOND,
        last_due_at: one.last_due_at.map(rfc3339),
        next_due_at: one.next_due_at().map(rfc3339),
    }
}
