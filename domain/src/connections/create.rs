//! Connecting an account: plan, place and owner are checked under the organization's lock, and two unique keys stand behind
//! the checks, so that no race can connect one account too many or to two owners. An account that the organization had before
//! comes back with its conversations.

use super::place::{allowed, free_place};
use super::{LoginRoute, note, token_place};
use crate::audit::{self, Actor, Entry};
use crate::clock::Millis;
use crate::context::Context;
use crate::db::{Tx, is_unique_violation};
use crate::id::{IdKind, OrganizationId, new_id};
use crate::plans::{Entitled, PlanRefusal};
use crate::vault::VaultError;
use crate::{organizations, removal};
use entities::connection::{ActiveModel, Column, Entity, Model};
use entities::plan_slot;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect as _,
};
use secrecy::SecretString;
use serde_json::json;

/// An account to connect.
#[derive(Debug)]
pub struct NewConnection {
    /// Who will own it.
    pub organization: OrganizationId,
    /// Who connects it.
    pub actor: Actor,
    /// Which API speaks for it; tells the platform too.
    pub login_route: LoginRoute,
    /// The id webhooks carry.
    pub external_id: String,
    /// The id deauthorize and data-deletion callbacks carry.
    pub app_scoped_id: Option<String>,
    /// The Page that speaks for it.
    pub page_id: Option<String>,
    /// Shown to people.
    pub name: String,
    /// Without `@`.
    pub username: Option<String>,
    /// An address of Meta that expires.
    pub picture_url: Option<String>,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// The account's token.
    pub token: SecretString,
    /// When Meta issued it, by our clock; `None`: now.
    pub token_issued_at: Option<Millis>,
    /// `None`: does not expire.
    pub token_expires_at: Option<Millis>,
}

/// Why an account was not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No such organization.
    #[error("There is no such organization.")]
    UnknownOrganization,
    /// Plan or subscription.
    #[error(transparent)]
    Plan(#[from] PlanRefusal),
    /// Another organization has it.
    #[error("This account is already connected elsewhere.")]
    AccountConnectedElsewhere,
    /// This organization has it.
    #[error("This account is already connected.")]
    AlreadyConnected,
    /// An id, name or user name that cannot be one.
    #[error("The account's {0} is empty, too long or not printable.")]
    Field(&'static str),
    /// The token could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database answered with an error.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Connects an account that the organization does not have, and takes the lowest free place under the plan. Deliveries that
/// came for the account before it had an owner are routed by the caller, in the same transaction: the ledger of jobs is not
/// known here.
pub async fn create(tx: &Tx, ctx: &Context, new: NewConnection) -> Result<Model, ConnectError> {
    check(&new)?;
    organizations::lock(tx, new.organization).await?;
    match owner(tx, &new).await? {
        None => place(tx, ctx, new).await,
        Some(_) => Err(ConnectError::AlreadyConnected),
    }
}

/// Connects an account; one that the organization has keeps its place, and gets the new token.
pub async fn connect(tx: &Tx, ctx: &Context, new: NewConnection) -> Result<Model, ConnectError> {
    check(&new)?;
    organizations::lock(tx, new.organization).await?;
    match owner(tx, &new).await? {
        None => place(tx, ctx, new).await,
        Some(row) => reconnect(tx, ctx, row, new).await,
    }
}

/// The organization's own row of this account; an error when another organization has it.
async fn owner(tx: &Tx, new: &NewConnection) -> Result<Option<Model>, ConnectError> {
    let owner = Entity::find()
        .filter(Column::Platform.eq(new.login_route.platform().as_str()))
        .filter(Column::ExternalId.eq(&new.external_id))
        .filter(Column::Status.ne("disconnected"))
        // Every column is written below: nobody may change one meanwhile.
        .lock(LockType::NoKeyUpdate)
        .one(tx.conn())
        .await?;
    match owner {
        Some(row) if row.organization_id != new.organization.0 => Err(ConnectError::AccountConnectedElsewhere),
        found => Ok(found),
    }
}

/// Gives the account a place: as a new connection, or as the one it was before it was disconnected.
async fn place(tx: &Tx, ctx: &Context, new: NewConnection) -> Result<Model, ConnectError> {
    let platform = new.login_route.platform();
    let entitled = Entitled::load(tx.conn(), new.organization).await?.ok_or(ConnectError::UnknownOrganization)?;
    let slot = free_place(tx.conn(), &entitled, platform).await?;
    let former = Entity::find()
        .filter(Column::OrganizationId.eq(new.organization.0))
        .filter(Column::Platform.eq(platform.as_str()))
        .filter(Column::ExternalId.eq(&new.external_id))
        .filter(Column::Status.eq("disconnected"))
        .order_by_desc(Column::DisconnectedAt)
        .lock(LockType::NoKeyUpdate)
        .one(tx.conn())
        .await?;
    let (actor, now) = (new.actor, ctx.now());
    let before = former.clone().unwrap_or_else(|| blank(&new, now));
    // A row that comes back counts as the newest: a downgrade takes the newest first.
    let mut row = Model { created_at: now, status: "active".to_owned(), disconnected_at: None, ..before };
    renew(ctx, &mut row, new)?;
    let written = match &former {
        Some(_) => Entity::update(whole(&row)).exec_without_returning(tx.conn()).await.map(|_| ()),
        None => Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await.map(|_| ()),
    };
    match written {
        Ok(()) => {}
        // Somebody else connected it between our look and our write.
        Err(error) if is_unique_violation(&error) => return Err(ConnectError::AccountConnectedElsewhere),
        Err(error) => return Err(error.into()),
    }
    let taken = plan_slot::Model { organization_id: row.organization_id, slot, connection_id: row.id };
    plan_slot::Entity::insert(plan_slot::ActiveModel::from(taken)).exec_without_returning(tx.conn()).await?;
    // Whoever connects an account again wants its messages again.
    removal::lift(tx.conn(), platform, &row.external_id).await?;
    let details = json!({ "platform": row.platform, "slot": slot });
    audited(tx, now, actor, "connection.created", &row, details).await?;
    Ok(row)
}

/// A new token for an account that is connected: it keeps its place, and one that is over plan stays so.
async fn reconnect(tx: &Tx, ctx: &Context, row: Model, new: NewConnection) -> Result<Model, ConnectError> {
    let entitled = Entitled::load(tx.conn(), new.organization).await?.ok_or(ConnectError::UnknownOrganization)?;
    allowed(tx.conn(), &entitled, new.login_route.platform()).await?;
    let (actor, before) = (new.actor, row.status.clone());
    let (status, status_before) = match before.as_str() {
        "over_plan" => ("over_plan", Some("active".to_owned())),
        _ => ("active", None),
    };
    let reason = row.status_reason.clone().filter(|_| before == "over_plan");
    let mut row = Model { status: status.to_owned(), status_before, ..row };
    renew(ctx, &mut row, new)?;
    row.status_reason = reason;
    Entity::update(whole(&row)).exec_without_returning(tx.conn()).await?;
    let details = json!({ "platform": row.platform, "from": before });
    audited(tx, ctx.now(), actor, "connection.reconnected", &row, details).await?;
    Ok(row)
}

/// What a login says of an account goes into its row, the token sealed as the next version.
fn renew(ctx: &Context, row: &mut Model, new: NewConnection) -> Result<(), VaultError> {
    let now = ctx.now();
    row.login_route = new.login_route.as_str().to_owned();
    row.app_scoped_id = new.app_scoped_id;
    row.page_id = new.page_id;
    row.name = new.name;
    row.username = new.username;
    row.picture_url = new.picture_url;
    row.scopes = json!(new.scopes).to_string();
    row.status_reason = None;
    row.status_changed_at = Some(now);
    row.token_version += 1;
    row.token_issued_at = Some(new.token_issued_at.unwrap_or(now));
    row.token_expires_at = new.token_expires_at;
    row.subscribed_at = None;
    row.subscription_checked_at = None;
    row.updated_at = now;
    row.token_sealed = Some(ctx.vault.seal(token_place(row), &new.token)?);
    Ok(())
}

fn blank(new: &NewConnection, now: Millis) -> Model {
    Model {
        id: new_id(now),
        organization_id: new.organization.0,
        platform: new.login_route.platform().as_str().to_owned(),
        external_id: new.external_id.clone(),
        auto_reply_mode: "off".to_owned(),
        created_at: now,
        ..Model::default()
    }
}

/// Every column is to be written.
fn whole(row: &Model) -> ActiveModel {
    row.clone().into_active_model().reset_all()
}

/// Whoever connects an account writes this line, and tells of it.
async fn audited(
    tx: &Tx,
    now: Millis,
    actor: Actor,
    action: &'static str,
    row: &Model,
    details: serde_json::Value,
) -> Result<(), DbErr> {
    note(tx, row);
    let entry = Entry::new(actor, action, Some(OrganizationId(row.organization_id)))
        .target(IdKind::Connection.show(row.id))
        .details(details);
    audit::record(tx.conn(), now, entry).await
}

fn check(new: &NewConnection) -> Result<(), ConnectError> {
    let printable =
        |text: &str, max: usize| (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let fields = [
        ("id", Some(new.external_id.as_str()), 64),
        ("name", Some(new.name.as_str()), 200),
        ("user name", new.username.as_deref(), 100),
        ("app-scoped id", new.app_scoped_id.as_deref(), 64),
        ("page id", new.page_id.as_deref(), 64),
    ];
    match fields.into_iter().find(|(_, text, max)| text.is_some_and(|text| !printable(text, *max))) {
        Some((field, ..)) => Err(ConnectError::Field(field)),
        None => Ok(()),
    }
}
