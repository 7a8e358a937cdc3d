//! The record of a delivery: to whom each event was routed, what became of it, and when the raw body may go.
//! A body is kept only while an event of it has found no connection, or has failed.

use super::{Parcel, platform_of};
use domain::clock::Millis;
use domain::db::Tx;
use domain::inbox::store::{Outcome, Recorded};
use domain::removal;
use entities::{connection, delivery, delivery_event};
use meta::webhook::Event;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QuerySelect,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

const CHUNK: usize = 500;
/// Why an event of an account without owner is not kept.
const DELETED: &str = "data_deleted";

/// An event with what became of it.
pub(super) struct Done {
    pub delivery_id: Uuid,
    pub index: u32,
    pub kind: &'static str,
    /// None for an account whose data was deleted.
    pub account: Option<String>,
    pub owner: Option<(Uuid, Uuid)>,
    pub recorded: Recorded,
}

impl Done {
    pub(super) fn new(
        delivery_id: Uuid,
        event: &Event,
        connection: Option<&connection::Model>,
        recorded: Recorded,
    ) -> Self {
        Self {
            delivery_id,
            index: event.index,
            kind: event.kind(),
            account: (recorded.reason.as_deref() != Some(DELETED))
                .then(|| event.account_id.chars().take(100).collect()),
            owner: connection.map(|connection| (connection.organization_id, connection.id)),
            recorded,
        }
    }
}

/// The accounts that events are addressed to.
pub(super) struct Routes {
    owners: HashMap<(&'static str, String), connection::Model>,
    /// Accounts without owner whose data was deleted on request.
    deleted: HashSet<(&'static str, String)>,
}

impl Routes {
    /// Looks up the active owner of every account named.
    pub(super) async fn find<'a>(
        tx: &Tx,
        events: impl Iterator<Item = (Option<&'a str>, &'a Event)>,
    ) -> Result<Self, DbErr> {
        let mut wanted: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
        for (object, event) in events {
            if let Some(platform) = platform_of(object) {
                wanted.entry(platform).or_default().insert(&event.account_id);
            }
        }
        let mut found = HashMap::new();
        let mut ownerless = Vec::new();
        for (platform, ids) in wanted {
            let ids: Vec<&str> = ids.into_iter().collect();
            for chunk in ids.chunks(CHUNK) {
                let rows = connection::Entity::find()
                    .filter(connection::Column::Platform.eq(platform))
                    .filter(connection::Column::ExternalId.is_in(chunk.iter().copied()))
                    .filter(connection::Column::Status.ne("disconnected"))
                    .all(tx.conn())
                    .await?;
                found.extend(rows.into_iter().map(|row| ((platform, row.external_id.clone()), row)));
            }
            ownerless.extend(ids.into_iter().map(|id| (platform, id)));
        }
        ownerless.retain(|(platform, id)| !found.contains_key(&(*platform, (*id).to_owned())));
        let stones = removal::tombstones(tx.conn(), &ownerless).await?;
        let deleted =
            ownerless.into_iter().filter(|(platform, id)| stones.contains(&removal::account_hash(platform, id)));
        let deleted = deleted.map(|(platform, id)| (platform, id.to_owned())).collect();
        Ok(Self { owners: found, deleted })
    }

    /// Has one of the accounts asked for an owner?
    pub(super) fn any(&self) -> bool {
        !self.owners.is_empty()
    }

    /// The account of an event, or the outcome of an event that has none.
    pub(super) fn of(&self, object: Option<&str>, event: &Event) -> Result<&connection::Model, Recorded> {
        use meta::webhook::EventBody;
        let Some(platform) = platform_of(object) else {
            return Err(Recorded::plain(Outcome::Ignored, "not about Instagram or a Page"));
        };
        match &event.body {
            EventBody::TestMessage => return Err(Recorded::plain(Outcome::Ignored, "a test from Meta's dashboard")),
            EventBody::Malformed { reason } => {
                return Err(Recorded::plain(Outcome::Failed, &format!("malformed: {reason}")));
            }
            _ => {}
        }
        let account = (platform, event.account_id.clone());
        if self.deleted.contains(&account) {
            return Err(Recorded::plain(Outcome::Ignored, DELETED));
        }
        self.owners.get(&account).ok_or_else(|| Recorded::plain(Outcome::Unrouted, "no connected account has this id"))
    }
}

/// Events of these deliveries that need not be looked at again.
pub(super) async fn final_events(
    db: &impl ConnectionTrait,
    deliveries: &[Uuid],
) -> Result<HashMap<Uuid, HashSet<u32>>, DbErr> {
    use delivery_event::Column as C;
    let mut settled: HashMap<Uuid, HashSet<u32>> = HashMap::new();
    for chunk in deliveries.chunks(CHUNK) {
        let rows: Vec<(Uuid, i32)> = delivery_event::Entity::find()
            .select_only()
            .columns([C::DeliveryId, C::Idx])
            .filter(C::DeliveryId.is_in(chunk.iter().copied()))
            .filter(C::Outcome.is_not_in(["unrouted", "failed"]))
            .into_tuple()
            .all(db)
            .await?;
        for (delivery, index) in rows {
            settled.entry(delivery).or_default().insert(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }
    Ok(settled)
}

/// Deliveries that still have their body and an event for this account that found no owner.
pub(super) async fn unrouted_deliveries(tx: &Tx, object: &str, external_id: &str) -> Result<Vec<Uuid>, DbErr> {
    use delivery_event::Column as C;
    if tx.conn().get_database_backend() == DbBackend::Postgres {
        // Waits for those who are writing outcomes now, and whoever writes them after us sees the account: see `Routes::any`.
        tx.conn().execute_unprepared("LOCK TABLE delivery_events IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let waiting: Vec<Uuid> = delivery_event::Entity::find()
        .select_only()
        .column(C::DeliveryId)
        .distinct()
        .filter(C::AccountExternalId.eq(external_id))
        .filter(C::Outcome.eq("unrouted"))
        .into_tuple()
        .all(tx.conn())
        .await?;
    let mut deliveries = Vec::with_capacity(waiting.len());
    for chunk in waiting.chunks(CHUNK) {
        let rows: Vec<Uuid> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::Id)
            .filter(delivery::Column::Id.is_in(chunk.iter().copied()))
            .filter(delivery::Column::Object.eq(object))
            .filter(delivery::Column::Body.is_not_null())
            .into_tuple()
            .all(tx.conn())
            .await?;
        deliveries.extend(rows);
    }
    Ok(deliveries)
}

/// Writes the outcomes; one that was unrouted or failed before is replaced.
pub(super) async fn outcomes(tx: &Tx, done: &[Done]) -> Result<(), DbErr> {
    use delivery_event::Column as C;
    let rows: Vec<_> = done
        .iter()
        .map(|one| delivery_event::ActiveModel {
            delivery_id: Set(one.delivery_id),
            idx: Set(i32::try_from(one.index).unwrap_or(i32::MAX)),
            kind: Set(one.kind.to_owned()),
            outcome: Set(one.recorded.outcome.as_str().to_owned()),
            reason: Set(one.recorded.reason.clone()),
            account_external_id: Set(one.account.clone()),
            organization_id: Set(one.owner.map(|(organization, _)| organization)),
            connection_id: Set(one.owner.map(|(_, connection)| connection)),
            message_id: Set(one.recorded.message_id),
        })
        .collect();
    let conflict = OnConflict::columns([C::DeliveryId, C::Idx])
        .update_columns([C::Kind, C::Outcome, C::Reason, C::OrganizationId, C::ConnectionId, C::MessageId])
        .to_owned();
    for chunk in rows.chunks(CHUNK) {
        delivery_event::Entity::insert_many(chunk.to_vec())
            .on_conflict(conflict.clone())
            .exec_without_returning(tx.conn())
            .await?;
    }
    Ok(())
}

/// Closes the delivery; its body goes unless an event may still find its account, or failed and may be wanted again.
pub(super) async fn close_delivery(
    tx: &Tx,
    parcel: &Parcel<'_>,
    unrouted: usize,
    failed: usize,
    now: Millis,
) -> Result<(), DbErr> {
    use delivery::Column as C;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let state = if parcel.malformed.is_some() { "malformed" } else { "processed" };
    let mut update = delivery::Entity::update_many()
        .col_expr(C::State, Expr::value(state))
        .col_expr(C::Reason, Expr::value(parcel.malformed.clone()))
        .col_expr(C::Object, Expr::value(parcel.object.as_ref().map(|name| name.chars().take(60).collect::<String>())))
        .col_expr(C::EventsTotal, Expr::value(count(parcel.total)))
        .col_expr(C::EventsUnrouted, Expr::value(count(unrouted)))
        .col_expr(C::ProcessedAt, Expr::value(Some(now)));
    if unrouted + failed == 0 && parcel.malformed.is_none() {
        update = update.col_expr(C::Body, Expr::value(None::<Vec<u8>>));
    }
    update.filter(C::Id.eq(parcel.delivery_id)).exec(tx.conn()).await?;
    Ok(())
}

/// Closes a delivery whose job was given up.
pub(super) async fn give_up(tx: &Tx, delivery_id: Uuid, reason: &str, now: Millis) -> Result<(), DbErr> {
    use delivery::Column as C;
    delivery::Entity::update_many()
        .col_expr(C::State, Expr::value("failed"))
        .col_expr(C::Reason, Expr::value(Some(reason)))
        .col_expr(C::ProcessedAt, Expr::value(Some(now)))
        .filter(C::Id.eq(delivery_id))
        .filter(C::State.eq("received"))
        .exec(tx.conn())
        .await?;
    Ok(())
}
