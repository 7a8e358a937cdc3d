//! Messages of which nobody knows whether they were sent: an operator may have one sent again, knowing that it may then be
//! there twice, or let it be.

use super::reason::Reason;
use crate::app::App;
use crate::auth::Operator;
use crate::problem::{Code, Problem};
use crate::routes::Tag;
use crate::routes::body::Sent;
use domain::api_keys::Scope;
use domain::audit::{self, Entry};
use domain::id::{IdKind, OrganizationId};
use domain::outbound::{self, Settled};
use jobs::jobs::message_send;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct MessageRoutes;

/// Where a message stands after the act; its words are not shown here.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct OperatedMessage {
    /// `msg_…`
    id: String,
    /// `org_…`
    organization_id: String,
    /// `con_…`
    connection_id: String,
    /// `queued` or `failed`.
    status: String,
    /// `job_…` that sends it.
    job_id: Option<String>,
}

#[OpenApi(prefix_path = "/api/admin/messages", tag = "Tag::Operators")]
impl MessageRoutes {
    /// Send a message again whose outcome is unknown. The customer may get it twice. Needs the scope `jobs:force`.
    #[oai(path = "/:id/force-resend", method = "post", operation_id = "adminForceResend")]
    async fn force_resend(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        id: Path<String>,
        body: Sent<Reason>,
    ) -> Result<Json<OperatedMessage>, Problem> {
        act(&app, &operator, &id, body.0, true).await
    }

    /// Let a message be whose outcome is unknown: it counts as failed and is not sent again by itself. Needs the scope
    /// `jobs:force`.
    #[oai(path = "/:id/dismiss", method = "post", operation_id = "adminDismissMessage")]
    async fn dismiss(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        id: Path<String>,
        body: Sent<Reason>,
    ) -> Result<Json<OperatedMessage>, Problem> {
        act(&app, &operator, &id, body.0, false).await
    }
}

async fn act(
    app: &App,
    operator: &Operator,
    id: &str,
    reason: Reason,
    again: bool,
) -> Result<Json<OperatedMessage>, Problem> {
    operator.require(Scope::JobsForce)?;
    let id = IdKind::Message.parse(id).ok_or(Problem::new(Code::NotFound))?;
    let reason = reason.required()?;
    let mut tx = app.ctx.db.begin().await?;
    let row = match outbound::settle_unknown(&tx, id, again).await? {
        Settled::Missing => return Err(Problem::new(Code::NotFound)),
        Settled::NotUnknown(status) => {
            let detail = format!("The outcome of this message is known: it is {status}.");
            return Err(Problem::with(Code::AlreadyOver, detail));
        }
        Settled::Now(row) => *row,
    };
    let jobs = if again { vec![message_send::job(&row, None)] } else { Vec::new() };
    let job = app.ledger.enqueue(&mut tx, jobs).await?.first().map(|job| IdKind::Job.show(*job));
    let action = if again { "message.force_resent" } else { "message.dismissed" };
    let entry = Entry::new(operator.actor(), action, Some(OrganizationId(row.organization_id)))
        .target(IdKind::Message.show(id))
        .reason(Some(reason));
    audit::record(tx.conn(), app.ctx.now(), entry).await?;
    tx.commit().await?;
    Ok(Json(OperatedMessage {
        id: IdKind::Message.show(id),
        organization_id: IdKind::Organization.show(row.organization_id),
        connection_id: IdKind::Connection.show(row.connection_id),
        status: row.status.unwrap_or_default(),
        job_id: job,
    }))
}
