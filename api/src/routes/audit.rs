//! The audit trail: an organization's own, and everybody's for operators.

use super::Tag;
use crate::app::App;
use crate::auth::{Operator, Session};
use crate::cursor::{cut, limit};
use crate::problem::Problem;
use domain::api_keys::Scope;
use domain::audit;
use domain::clock::rfc3339;
use domain::id::IdKind;
use entities::audit_entry;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct AuditRoutes;

/// One act.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct AuditEntry {
    at: String,
    /// `org_…`, where it concerned one.
    organization_id: Option<String>,
    /// `usr_…`, `key_…`, `job_…`, `command line`, or `Meta` where a person acted there.
    actor: String,
    /// E.g. `connection.created`.
    action: String,
    /// To what it was done.
    target: Option<String>,
    /// As given.
    reason: Option<String>,
    /// Facts worth keeping.
    details: Option<Any<Value>>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct AuditList {
    items: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api")]
impl AuditRoutes {
    /// What was done in this organization, newest first.
    #[oai(path = "/audit", method = "get", operation_id = "listAudit", tag = "Tag::Organization")]
    async fn own(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<AuditList>, Problem> {
        let (limit, owner) = (limit(page.0)?, session.organization.0);
        let before = app.cursors.read("audit", owner, cursor.as_deref())?;
        let rows = audit::of_organization(app.ctx.db.read(), session.organization, before, limit + 1).await?;
        Ok(Json(list(&app, owner, rows, limit)))
    }

    /// What was done anywhere, newest first. Needs the scope `audit:read`.
    #[oai(path = "/admin/audit", method = "get", operation_id = "adminListAudit", tag = "Tag::Operators")]
    async fn all(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<AuditList>, Problem> {
        operator.require(Scope::AuditRead)?;
        let (limit, owner) = (limit(page.0)?, Uuid::nil());
        let before = app.cursors.read("audit", owner, cursor.as_deref())?;
        let rows = audit::of_everybody(app.ctx.db.read(), before, limit + 1).await?;
        Ok(Json(list(&app, owner, rows, limit)))
    }
}

fn list(app: &App, owner: Uuid, rows: Vec<audit_entry::Model>, limit: u64) -> AuditList {
    let make = |position| app.cursors.make("audit", owner, position);
    let (rows, next_cursor) = cut(rows, limit, |row| (row.at, row.id), make);
    AuditList { items: rows.into_iter().map(shown).collect(), next_cursor }
}

fn shown(row: audit_entry::Model) -> AuditEntry {
    AuditEntry {
        at: rfc3339(row.at),
        organization_id: row.organization_id.map(|id| IdKind::Organization.show(id)),
        actor: row.actor,
        action: row.action,
        target: row.target,
        reason: row.reason,
        details: row.details.and_then(|text| serde_json::from_str(&text).ok()).map(Any),
    }
}
