//! Connecting an account: plan, place and owner are checked under the organization's lock, and two unique keys stand behind
//! the checks, so that no race can connect one account too many or to two owners.

use super::{LoginRoute, Platform, token_place};
use crate::audit::{self, Actor, Entry};
use crate::clock::Millis;
use crate::context::Context;
use crate::db::{Tx, is_unique_violation};
use crate::id::{IdKind, OrganizationId, new_id};
use crate::organizations;
use crate::plans::{self, Entitled, PlanRefusal};
use crate::vault::VaultError;
use entities::connection::{ActiveModel, Column, Entity, Model};
use entities::{plan, plan_slot};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

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
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// The account's token.
    pub token: SecretString,
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

/// Connects an account and takes the lowest free place under the plan. Deliveries that came for the account before it had an
/// owner are routed by the caller, in the same transaction: the ledger of jobs is not known here.
pub async fn create(tx: &Tx, ctx: &Context, new: NewConnection) -> Result<Model, ConnectError> {
    check(&new)?;
    organizations::lock(tx, new.organization).await?;
    let entitled = Entitled::load(tx.conn(), new.organization).await?.ok_or(ConnectError::UnknownOrganization)?;
    let platform = new.login_route.platform();
    check_owner(tx, &new, platform).await?;
    let slot = free_slot(tx, &entitled, new.organization, platform).await?;

    let now = ctx.now();
    let mut row = Model {
        id: new_id(now),
        organization_id: new.organization.0,
        platform: platform.as_str().to_owned(),
        login_route: new.login_route.as_str().to_owned(),
        external_id: new.external_id,
        app_scoped_id: new.app_scoped_id,
        page_id: new.page_id,
        name: new.name,
        username: new.username,
        status: "active".to_owned(),
        status_reason: None,
        token_sealed: None,
        token_version: 1,
        token_issued_at: Some(now),
        token_expires_at: new.token_expires_at,
        scopes: json!(new.scopes).to_string(),
        auto_reply_mode: "off".to_owned(),
        auto_reply_text: None,
        auto_reply_template_id: None,
        auto_reply_instructions: None,
        last_webhook_at: None,
        created_at: now,
        updated_at: now,
        disconnected_at: None,
    };
    row.token_sealed = Some(ctx.vault.seal(token_place(&row), &new.token)?);
    insert(tx, &row, slot).await?;
    let entry = Entry::new(new.actor, "connection.created", Some(new.organization))
        .target(IdKind::Connection.show(row.id))
        .details(json!({ "platform": row.platform, "externalId": row.external_id, "slot": slot }));
    audit::record(tx.conn(), now, entry).await?;
    Ok(row)
}

async fn insert(tx: &Tx, row: &Model, slot: i32) -> Result<(), ConnectError> {
    let inserted = Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx.conn()).await;
    match inserted {
        Ok(_) => {}
        // Somebody else connected it between our look and our insert.
        Err(error) if is_unique_violation(&error) => return Err(ConnectError::AccountConnectedElsewhere),
        Err(error) => return Err(error.into()),
    }
    let place = plan_slot::Model { organization_id: row.organization_id, slot, connection_id: row.id };
    plan_slot::Entity::insert(plan_slot::ActiveModel::from(place)).exec_without_returning(tx.conn()).await?;
    Ok(())
}

async fn check_owner(tx: &Tx, new: &NewConnection, platform: Platform) -> Result<(), ConnectError> {
    let owner = Entity::find()
        .filter(Column::Platform.eq(platform.as_str()))
        .filter(Column::ExternalId.eq(&new.external_id))
        .filter(Column::Status.ne("disconnected"))
        .one(tx.conn())
        .await?;
    match owner {
        None => Ok(()),
        Some(owner) if owner.organization_id == new.organization.0 => Err(ConnectError::AlreadyConnected),
        Some(_) => Err(ConnectError::AccountConnectedElsewhere),
    }
}

async fn free_slot(
    tx: &Tx,
    entitled: &Entitled,
    organization: OrganizationId,
    platform: Platform,
) -> Result<i32, ConnectError> {
    entitled.require_active()?;
    let plan = &entitled.plan;
    if platform == Platform::Instagram && !plan.instagram {
        let needed = plans::smallest(tx.conn(), |other| other.instagram).await?;
        let what = "Instagram accounts";
        return Err(PlanRefusal::PlanRequired { current: plan.name.clone(), what, needed }.into());
    }
    let taken: Vec<(i32, Uuid)> = plan_slot::Entity::find()
        .filter(plan_slot::Column::OrganizationId.eq(organization.0))
        .order_by_asc(plan_slot::Column::Slot)
        .all(tx.conn())
        .await?
        .into_iter()
        .map(|place| (place.slot, place.connection_id))
        .collect();
    let slot = lowest_free(&taken);
    match plan.accounts_limit {
        Some(allowed) if slot > allowed => {
            let more = |other: &plan::Model| other.accounts_limit.is_none_or(|limit| limit > allowed);
            let needed = plans::smallest(tx.conn(), more).await?;
            Err(PlanRefusal::PlanLimit { current: plan.name.clone(), allowed, needed }.into())
        }
        _ => Ok(slot),
    }
}

/// The lowest number from 1 that no row of the ascending list has.
pub(super) fn lowest_free(taken: &[(i32, Uuid)]) -> i32 {
    taken.iter().fold(1, |free, (slot, _)| if *slot == free { free + 1 } else { free })
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
