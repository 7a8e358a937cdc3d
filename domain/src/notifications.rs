//! What the owner must know: an account that must be connected again, one that Meta restricts, one that is over plan. Each
//! thing is said once, however often it is found out.

use crate::context::Context;
use crate::db::Tx;
use crate::id::{OrganizationId, new_id};
use entities::connection;
use entities::notification::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

/// A notification that is new: whoever wants to send it by mail has its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told(pub Uuid);

/// Says something of an account, once for each `turn` (the token's version, or the moment). `None` when it was said before.
pub async fn tell(
    tx: &Tx,
    ctx: &Context,
    connection: &connection::Model,
    kind: &str,
    turn: i64,
    text: &str,
) -> Result<Option<Told>, DbErr> {
    let now = ctx.now();
    let row = Model {
        id: new_id(now),
        organization_id: connection.organization_id,
        connection_id: Some(connection.id),
        kind: kind.to_owned(),
        dedupe_key: format!("{kind}:{}:{turn}", connection.id.simple()),
        text: text.to_owned(),
        created_at: now,
    };
    let id = row.id;
    let unsaid = OnConflict::column(Column::DedupeKey).do_nothing().to_owned();
    let active: ActiveModel = row.into_active_model();
    let said = Entity::insert(active).on_conflict(unsaid).exec_without_returning(tx.conn()).await?;
    Ok((said == 1).then_some(Told(id)))
}

/// One notification.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// An organization's notifications, newest first, before the position given.
pub async fn of_organization(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    before: Option<(i64, Uuid)>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let older = before.map(|(at, id)| {
        Condition::any()
            .add(Column::CreatedAt.lt(at))
            .add(Condition::all().add(Column::CreatedAt.eq(at)).add(Column::Id.lt(id)))
    });
    Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .filter(Condition::all().add_option(older))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await
}
