//! The queues: what waits, what runs, and stopping one while something is mended.

use super::reason::Reason;
use crate::app::App;
use crate::auth::Operator;
use crate::problem::{Code, Problem};
use crate::routes::Tag;
use crate::routes::body::Sent;
use crate::telemetry::ledger::{self, QueueFigures};
use domain::api_keys::Scope;
use domain::audit::{self, Entry};
use domain::clock::rfc3339;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct QueueRoutes;

/// A queue.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Queue {
    name: String,
    /// Nothing is taken from it while true.
    paused: bool,
    paused_at: Option<String>,
    /// Jobs not finished and not running.
    waiting: i64,
    running: i64,
    /// Since when the oldest job could run and does not.
    oldest_due_at: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct QueueList {
    items: Vec<Queue>,
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/admin/queues", tag = "Tag::Operators")]
impl QueueRoutes {
    /// Every queue. Needs the scope `jobs:read`.
    #[oai(path = "/", method = "get", operation_id = "adminListQueues")]
    async fn list(&self, app: Data<&Arc<App>>, operator: Operator) -> Result<Json<QueueList>, Problem> {
        operator.require(Scope::JobsRead)?;
        let queues = ledger::queues(app.ctx.db.read(), app.ctx.now()).await?;
        Ok(Json(QueueList { items: queues.into_iter().map(shown).collect(), next_cursor: None }))
    }

    /// Stop taking jobs from a queue. Needs the scope `jobs:write`.
    #[oai(path = "/:name/pause", method = "post", operation_id = "adminPauseQueue")]
    async fn pause(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        name: Path<String>,
        body: Sent<Reason>,
    ) -> Result<Json<Queue>, Problem> {
        set_paused(&app, &operator, name.0, true, body.0).await
    }

    /// Take jobs from a queue again. Needs the scope `jobs:write`.
    #[oai(path = "/:name/resume", method = "post", operation_id = "adminResumeQueue")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        name: Path<String>,
        body: Sent<Reason>,
    ) -> Result<Json<Queue>, Problem> {
        set_paused(&app, &operator, name.0, false, body.0).await
    }
}

async fn set_paused(
    app: &App,
    operator: &Operator,
    name: String,
    paused: bool,
    reason: Reason,
) -> Result<Json<Queue>, Problem> {
    operator.require(Scope::JobsWrite)?;
    let reason = reason.checked()?;
    let queues = ledger::queues(app.ctx.db.read(), app.ctx.now()).await?;
    let mut queue = queues.into_iter().find(|queue| queue.name == name).ok_or(Problem::new(Code::NotFound))?;

    let (tx, now) = (app.ctx.db.begin().await?, app.ctx.now());
    if jobs::ledger::operate::set_paused(&tx, &name, paused, now).await? {
        let action = if paused { "queue.paused" } else { "queue.resumed" };
        let entry = Entry::new(operator.actor(), action, None).target(name).reason(reason);
        audit::record(tx.conn(), now, entry).await?;
        queue.paused = paused;
        queue.paused_at = paused.then_some(now);
    }
    tx.commit().await?;
    Ok(Json(shown(queue)))
}

fn shown(queue: QueueFigures) -> Queue {
    Queue {
        name: queue.name,
        paused: queue.paused,
        paused_at: queue.paused_at.map(rfc3339),
        waiting: queue.waiting,
        running: queue.running,
        oldest_due_at: queue.oldest_due_at.map(rfc3339),
    }
}
