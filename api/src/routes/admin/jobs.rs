//! The jobs of the ledger with their attempts.

use crate::app::App;
use crate::auth::Operator;
use crate::cursor::{cut, limit};
use crate::problem::{Code, Problem};
use crate::routes::Tag;
use domain::api_keys::Scope;
use domain::clock::rfc3339;
use domain::id::IdKind;
use entities::{job, job_attempt};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct JobRoutes;

/// Where a job stands.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
enum JobState {
    Scheduled,
    Available,
    Running,
    Retryable,
    Snoozed,
    Completed,
    Discarded,
    Cancelled,
}

/// Why a try did not succeed.
#[derive(Object)]
struct JobError {
    /// From the table of error classes.
    class: Option<String>,
    /// Meta's `code/subcode`.
    code: Option<String>,
    message: Option<String>,
}

/// A try that did not simply succeed.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct JobAttempt {
    attempt: i32,
    began_at: Option<String>,
    ended_at: String,
    /// `retry`, `snooze`, `discard`, `lapsed`, `cancelled` or `unknown`.
    outcome: String,
    error: Option<JobError>,
    /// Of Meta's answer.
    http_status: Option<i32>,
    meta_trace_id: Option<String>,
    worker: Option<String>,
}

/// A job.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Job {
    /// `job_…`
    id: String,
    queue: String,
    kind: String,
    state: String,
    attempt: i32,
    max_attempts: i32,
    lapses: i32,
    run_at: String,
    lane: Option<String>,
    organization_id: Option<String>,
    connection_id: Option<String>,
    /// Of the last failure.
    error: Option<JobError>,
    attempts: Vec<JobAttempt>,
    /// Ids and small facts.
    payload: Option<Any<Value>>,
    result: Option<Any<Value>>,
    /// Who has it, while it runs.
    worker: Option<String>,
    trace_id: Option<String>,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct JobList {
    items: Vec<Job>,
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/admin/jobs", tag = "Tag::Operators")]
impl JobRoutes {
    /// Jobs, newest first. Needs the scope `jobs:read`.
    #[oai(path = "/", method = "get", operation_id = "adminListJobs")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        state: Query<Option<JobState>>,
        /// E.g. `message.send`.
        kind: Query<Option<String>>,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<JobList>, Problem> {
        use poem_openapi::types::ToJSON as _;
        operator.require(Scope::JobsRead)?;
        let limit = limit(page.0)?;
        let state = state.0.and_then(|state| state.to_json()?.as_str().map(ToOwned::to_owned));
        let kind = kind.0.map(checked_kind).transpose()?;
        let before = app.cursors.read("jobs", Uuid::nil(), cursor.as_deref())?;
        let mut query = job::Entity::find().order_by_desc(job::Column::Id).limit(limit + 1);
        if let Some(state) = state {
            query = query.filter(job::Column::State.eq(state));
        }
        if let Some(kind) = kind {
            query = query.filter(job::Column::Kind.eq(kind));
        }
        // Ids follow the time of creation, so the id alone is the position.
        if let Some((_, id)) = before {
            query = query.filter(job::Column::Id.lt(id));
        }
        let rows = query.all(app.ctx.db.read()).await?;
        let make = |position| app.cursors.make("jobs", Uuid::nil(), position);
        let (rows, next_cursor) = cut(rows, limit, |row| (row.created_at, row.id), make);
        Ok(Json(JobList { items: with_attempts(app.ctx.db.read(), rows).await?, next_cursor }))
    }

    /// One job with its attempts. Needs the scope `jobs:read`.
    #[oai(path = "/:id", method = "get", operation_id = "adminGetJob")]
    async fn get(&self, app: Data<&Arc<App>>, operator: Operator, id: Path<String>) -> Result<Json<Job>, Problem> {
        operator.require(Scope::JobsRead)?;
        let id = IdKind::Job.parse(&id).ok_or(Problem::new(Code::NotFound))?;
        let found = job::Entity::find_by_id(id).one(app.ctx.db.read()).await?;
        let shown = with_attempts(app.ctx.db.read(), found.into_iter().collect()).await?;
        shown.into_iter().next().map(Json).ok_or(Problem::new(Code::NotFound))
    }
}

fn checked_kind(kind: String) -> Result<String, Problem> {
    let fits = kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_'));
    if fits {
        Ok(kind)
    } else {
        Err(Problem::with(Code::InvalidParameter, "The parameter kind is the name of a job kind."))
    }
}

async fn with_attempts(db: &impl ConnectionTrait, rows: Vec<job::Model>) -> Result<Vec<Job>, DbErr> {
    let attempts = job_attempt::Entity::find()
        .filter(job_attempt::Column::JobId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(job_attempt::Column::Fence)
        .all(db)
        .await?;
    let mut by_job: HashMap<Uuid, Vec<JobAttempt>> = HashMap::new();
    for attempt in attempts {
        by_job.entry(attempt.job_id).or_default().push(shown_attempt(attempt));
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            let attempts = by_job.remove(&row.id).unwrap_or_default();
            shown(row, attempts)
        })
        .collect())
}

fn error(class: Option<String>, code: Option<String>, message: Option<String>) -> Option<JobError> {
    let any = class.is_some() || code.is_some() || message.is_some();
    any.then_some(JobError { class, code, message })
}

fn shown_attempt(row: job_attempt::Model) -> JobAttempt {
    JobAttempt {
        attempt: row.attempt,
        began_at: row.began_at.map(rfc3339),
        ended_at: rfc3339(row.ended_at),
        outcome: row.outcome,
        error: error(row.error_class, row.error_code, row.error_message),
        http_status: row.http_status,
        meta_trace_id: row.meta_trace_id,
        worker: row.worker,
    }
}

fn shown(row: job::Model, attempts: Vec<JobAttempt>) -> Job {
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok()).map(Any);
    Job {
        id: IdKind::Job.show(row.id),
        queue: row.queue,
        kind: row.kind,
        state: row.state,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        lapses: row.lapses,
        run_at: rfc3339(row.run_at),
        lane: row.lane,
        organization_id: row.organization_id.map(|id| IdKind::Organization.show(id)),
        connection_id: row.connection_id.map(|id| IdKind::Connection.show(id)),
        error: error(row.error_class, row.error_code, row.error_message),
        attempts,
        payload: json(Some(row.payload)),
        result: json(row.result),
        worker: row.worker,
        trace_id: row.trace_id,
        created_at: rfc3339(row.created_at),
        started_at: row.started_at.map(rfc3339),
        finished_at: row.finished_at.map(rfc3339),
    }
}
