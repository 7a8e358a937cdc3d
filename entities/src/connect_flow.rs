//! One attempt to connect accounts: from the start of the login to the accounts chosen.

use sea_orm::entity::prelude::*;

/// A row of `connect_flows`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connect_flows")]
pub struct Model {
    /// Jobs hold this and nothing else of the attempt.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose accounts these will be.
    pub organization_id: Uuid,
    /// Who connects.
    pub user_id: Uuid,
    /// The session it was started in.
    pub session_id: Uuid,
    /// SHA-256 of the cookie that marks the browser.
    pub browser_hash: Vec<u8>,
    /// `instagram` or `facebook`: whose callback it comes back to.
    pub platform: String,
    /// `instagram_messages`, `page_messages` or `instagram_through_pages`.
    pub asks: String,
    /// Where Meta sends the browser back to.
    pub redirect_uri: String,
    /// SHA-256 of the state's nonce.
    pub nonce_hash: Vec<u8>,
    /// `started`, `exchanging`, `asking`, `fetching`, `ready`, `saved` or `failed`.
    pub stage: String,
    /// A code of the callback, with stage `failed`.
    pub error_code: Option<String>,
    /// A sentence for the owner, with stage `failed`.
    pub error_detail: Option<String>,
    /// How many accounts can be chosen.
    pub accounts: i32,
    /// SHA-256 of the handle the page got.
    pub handle_hash: Option<Vec<u8>>,
    /// Code, token and candidates: an envelope of the vault, wiped when used or expired.
    pub sealed: Option<String>,
    /// Goes up with each value sealed.
    pub sealed_version: i64,
    /// SHA-256 of what was chosen, once that has taken effect.
    pub selection_hash: Option<Vec<u8>>,
    /// JSON array of the connections made.
    pub result: Option<String>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// When the state came back.
    pub state_used_at: Option<i64>,
    /// When the handle ends.
    pub handle_expires_at: Option<i64>,
    /// When the choice took effect.
    pub used_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
