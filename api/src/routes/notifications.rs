//! What the owner must know: accounts to connect again, restricted ones, and what the plan no longer covers.

use super::Tag;
use crate::app::App;
use crate::auth::Session;
use crate::cursor::{cut, limit};
use crate::problem::Problem;
use domain::clock::rfc3339;
use domain::id::IdKind;
use domain::notifications;
use entities::notification;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct NotificationRoutes;

/// Something the owner must know.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Notification {
    /// `ntf_…`
    id: String,
    /// `needs_reconnect`, `restricted`, `over_plan` or `webhooks_off`.
    kind: String,
    /// The account it is about.
    connection_id: Option<String>,
    /// A sentence.
    text: String,
    created_at: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct NotificationList {
    items: Vec<Notification>,
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/notifications", tag = "Tag::Organization")]
impl NotificationRoutes {
    /// The organization's notifications, newest first.
    #[oai(path = "/", method = "get", operation_id = "listNotifications")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        session: Session,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<NotificationList>, Problem> {
        let (limit, owner) = (limit(page.0)?, session.organization.0);
        let before = app.cursors.read("notifications", owner, cursor.as_deref())?;
        let rows = notifications::of_organization(app.ctx.db.read(), session.organization, before, limit + 1).await?;
        let make = |position| app.cursors.make("notifications", owner, position);
        let (rows, next_cursor) = cut(rows, limit, |row| (row.created_at, row.id), make);
        Ok(Json(NotificationList { items: rows.into_iter().map(shown).collect(), next_cursor }))
    }
}

fn shown(row: notification::Model) -> Notification {
    Notification {
        id: IdKind::Notification.show(row.id),
        kind: row.kind,
        connection_id: row.connection_id.map(|id| IdKind::Connection.show(id)),
        text: row.text,
        created_at: rfc3339(row.created_at),
    }
}
