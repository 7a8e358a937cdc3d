//! What Meta delivered and what became of each event in it; never the body, which holds people's words.

use crate::app::App;
use crate::auth::Operator;
use crate::cursor::{Position, cut, limit};
use crate::problem::{Code, Problem};
use crate::routes::Tag;
use domain::api_keys::Scope;
use domain::clock::rfc3339;
use domain::id::IdKind;
use entities::{delivery, delivery_event};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryRoutes;

/// What became of one event.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct DeliveryEvent {
    /// From 0.
    index: i32,
    /// What Meta sent, e.g. `message`.
    kind: String,
    /// `stored`, `duplicate`, `merged_echo`, `updated`, `ignored`, `unrouted` or `failed`.
    outcome: String,
    reason: Option<String>,
    /// `msg_…` it made or changed.
    message_id: Option<String>,
    /// Meta's id of the account it was for.
    account_external_id: Option<String>,
    organization_id: Option<String>,
    connection_id: Option<String>,
}

/// One POST from Meta.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Delivery {
    /// `dlv_…`
    id: String,
    /// `instagram` or `facebook`: the path it came by.
    endpoint: String,
    /// Meta's `object`.
    object: Option<String>,
    received_at: String,
    processed_at: Option<String>,
    /// `received`, `processed`, `malformed`, or `failed`: its job was given up.
    state: String,
    reason: Option<String>,
    /// Bytes.
    size: i32,
    events: Vec<DeliveryEvent>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct DeliveryList {
    items: Vec<Delivery>,
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/admin/deliveries", tag = "Tag::Operators")]
impl DeliveryRoutes {
    /// Deliveries, newest first. Needs the scope `jobs:read`.
    #[oai(path = "/", method = "get", operation_id = "adminListDeliveries")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        operator: Operator,
        /// From 1; a page has 100 at most.
        #[oai(name = "limit", validator(minimum(value = "1")))]
        page: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeliveryList>, Problem> {
        operator.require(Scope::JobsRead)?;
        let limit = limit(page.0)?;
        let before = app.cursors.read("deliveries", Uuid::nil(), cursor.as_deref())?;
        let rows = newest(app.ctx.db.read(), before, limit + 1).await?;
        let make = |position| app.cursors.make("deliveries", Uuid::nil(), position);
        let (rows, next_cursor) = cut(rows, limit, |row| (row.received_at, row.id), make);
        Ok(Json(DeliveryList { items: with_events(app.ctx.db.read(), rows).await?, next_cursor }))
    }

    /// One delivery with the outcome of each event. Needs the scope `jobs:read`.
    #[oai(path = "/:id", method = "get", operation_id = "adminGetDelivery")]
    async fn get(&self, app: Data<&Arc<App>>, operator: Operator, id: Path<String>) -> Result<Json<Delivery>, Problem> {
        operator.require(Scope::JobsRead)?;
        let id = IdKind::Delivery.parse(&id).ok_or(Problem::new(Code::NotFound))?;
        let found = without_body().filter(delivery::Column::Id.eq(id)).into_model().one(app.ctx.db.read()).await?;
        let shown = with_events(app.ctx.db.read(), found.into_iter().collect()).await?;
        shown.into_iter().next().map(Json).ok_or(Problem::new(Code::NotFound))
    }
}

/// A row without its body, which can be a megabyte and is not shown.
#[derive(sea_orm::FromQueryResult)]
struct Row {
    id: Uuid,
    endpoint: String,
    object: Option<String>,
    size: i32,
    state: String,
    reason: Option<String>,
    received_at: i64,
    processed_at: Option<i64>,
}

fn without_body() -> sea_orm::Select<delivery::Entity> {
    use delivery::Column;
    delivery::Entity::find().select_only().columns([
        Column::Id,
        Column::Endpoint,
        Column::Object,
        Column::Size,
        Column::State,
        Column::Reason,
        Column::ReceivedAt,
        Column::ProcessedAt,
    ])
}

async fn newest(db: &impl ConnectionTrait, before: Option<Position>, limit: u64) -> Result<Vec<Row>, DbErr> {
    use delivery::Column;
    let older = before.map(|(at, id)| {
        let same = Condition::all().add(Column::ReceivedAt.eq(at)).add(Column::Id.lt(id));
        Condition::any().add(Column::ReceivedAt.lt(at)).add(same)
    });
    without_body()
        .filter(Condition::all().add_option(older))
        .order_by_desc(Column::ReceivedAt)
        .order_by_desc(Column::Id)
        .limit(limit)
        .into_model()
        .all(db)
        .await
}

async fn with_events(db: &impl ConnectionTrait, rows: Vec<Row>) -> Result<Vec<Delivery>, DbErr> {
    let events = delivery_event::Entity::find()
        .filter(delivery_event::Column::DeliveryId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(delivery_event::Column::Idx)
        .all(db)
        .await?;
    let mut by_delivery: HashMap<Uuid, Vec<DeliveryEvent>> = HashMap::new();
    for event in events {
        by_delivery.entry(event.delivery_id).or_default().push(shown_event(event));
    }
    let shown = |row: Row| Delivery {
        id: IdKind::Delivery.show(row.id),
        endpoint: row.endpoint,
        object: row.object,
        received_at: rfc3339(row.received_at),
        processed_at: row.processed_at.map(rfc3339),
        state: row.state,
        reason: row.reason,
        size: row.size,
        events: by_delivery.remove(&row.id).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(shown).collect())
}

fn shown_event(event: delivery_event::Model) -> DeliveryEvent {
    DeliveryEvent {
        index: event.idx,
        kind: event.kind,
        outcome: event.outcome,
        reason: event.reason,
        message_id: event.message_id.map(|id| IdKind::Message.show(id)),
        account_external_id: event.account_external_id,
        organization_id: event.organization_id.map(|id| IdKind::Organization.show(id)),
        connection_id: event.connection_id.map(|id| IdKind::Connection.show(id)),
    }
}
