//! Connected accounts: reading them and opening their tokens. What happens to them, from connecting to letting go, has a file
//! for each act beside this one.

mod auto_reply;
mod create;
mod disconnect;
mod health;
mod place;
mod plan_fit;
mod subscription;
mod token;

pub(crate) use auto_reply::too_long;
pub use auto_reply::{AutoReply, AutoReplyError, Mode as ReplyMode, set_auto_reply};
pub use create::{ConnectError, NewConnection, connect, create};
pub(crate) use disconnect::let_go;
pub use disconnect::{Disconnected, disconnect, sharing, wipe_token};
pub use health::{needs_reconnect, restricted};
pub use place::room_for;
pub use plan_fit::{Fitted, fit_to_plan};
pub use subscription::{subscription_seen, to_check};
pub use token::{NotNow, Position, StoreError, ending, may_refresh, store};

use crate::context::Context;
use crate::db::Tx;
use crate::feed::What;
use crate::id::OrganizationId;
use crate::vault::{Place, VaultError};
use entities::connection::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use secrecy::SecretString;
use std::str::FromStr;
use uuid::Uuid;

/// Which of Meta's two products an account belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// An Instagram professional account.
    Instagram,
    /// A Facebook Page.
    Facebook,
}

impl Platform {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
        }
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "instagram" => Ok(Self::Instagram),
            "facebook" => Ok(Self::Facebook),
            _ => Err("a platform is instagram or facebook".to_owned()),
        }
    }
}

/// Which API speaks for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRoute {
    /// Instagram Login: the account's own token.
    InstagramLogin,
    /// A Page with its own token.
    FacebookPage,
    /// An Instagram account through its Page's token.
    InstagramViaPage,
}

impl LoginRoute {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InstagramLogin => "instagram_login",
            Self::FacebookPage => "facebook_page",
            Self::InstagramViaPage => "instagram_via_page",
        }
    }

    /// The usual route of a platform.
    pub fn usual(platform: Platform) -> Self {
        match platform {
            Platform::Instagram => Self::InstagramLogin,
            Platform::Facebook => Self::FacebookPage,
        }
    }

    /// Which platform it leads to.
    pub fn platform(self) -> Platform {
        match self {
            Self::FacebookPage => Platform::Facebook,
            Self::InstagramLogin | Self::InstagramViaPage => Platform::Instagram,
        }
    }
}

impl FromStr for LoginRoute {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "instagram_login" => Ok(Self::InstagramLogin),
            "facebook_page" => Ok(Self::FacebookPage),
            "instagram_via_page" => Ok(Self::InstagramViaPage),
            _ => Err("a login route is instagram_login, facebook_page or instagram_via_page".to_owned()),
        }
    }
}

/// Notes a connection that changes.
pub(crate) fn note(tx: &Tx, connection: &Model) {
    tx.note(connection.organization_id, What::Connection(connection.id));
}

/// Why a connection's token could not be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// It has none: disconnected, or wiped.
    #[error("the connection has no token")]
    Missing,
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// An organization's connections, oldest first.
pub async fn list(db: &impl ConnectionTrait, organization: OrganizationId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::OrganizationId.eq(organization.0))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// One connection of an organization; a foreign one is `None`, like a missing one.
pub async fn find(db: &impl ConnectionTrait, organization: OrganizationId, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::OrganizationId.eq(organization.0)).one(db).await
}

/// Opens a connection's token.
pub fn open_token(ctx: &Context, connection: &Model) -> Result<SecretString, TokenError> {
    let sealed = connection.token_sealed.as_deref().ok_or(TokenError::Missing)?;
    Ok(ctx.vault.open(token_place(connection), sealed)?)
}

/// Where a connection's token is sealed to; the version is part of it, so an older token cannot be put back.
pub fn token_place(connection: &Model) -> Place<'static> {
    Place {
        table: "connections",
        row: connection.id,
        organization: connection.organization_id,
        field: "token_sealed",
        version: connection.token_version,
    }
}
