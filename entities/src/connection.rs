//! A connected Instagram account or Facebook Page, with its sealed token.

use sea_orm::entity::prelude::*;

/// A row of `connections`.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connections")]
pub struct Model {
    /// `con_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner.
    pub organization_id: Uuid,
    /// `instagram` or `facebook`.
    pub platform: String,
    /// `instagram_login`, `facebook_page` or `instagram_via_page`.
    pub login_route: String,
    /// The id webhooks carry as `entry.id`.
    pub external_id: String,
    /// The id deauthorize and data-deletion callbacks carry.
    pub app_scoped_id: Option<String>,
    /// The Page that speaks for an Instagram account connected through Facebook.
    pub page_id: Option<String>,
    /// Shown to people.
    pub name: String,
    /// Without `@`.
    pub username: Option<String>,
    /// `active`, `needs_reconnect`, `restricted`, `over_plan`, `disconnected`.
    pub status: String,
    /// A sentence for the owner.
    pub status_reason: Option<String>,
    /// AES-256-GCM envelope; see the vault.
    pub token_sealed: Option<String>,
    /// Goes up with each token stored; compare-and-set on it.
    pub token_version: i64,
    /// When Meta issued it, by our clock.
    pub token_issued_at: Option<i64>,
    /// `None`: does not expire.
    pub token_expires_at: Option<i64>,
    /// JSON array of granted scopes.
    pub scopes: String,
    /// `off`, `template` or `ai`.
    pub auto_reply_mode: String,
    /// The template.
    pub auto_reply_text: Option<String>,
    /// A stored template instead of `auto_reply_text`.
    pub auto_reply_template_id: Option<Uuid>,
    /// The shop's words for the AI model.
    pub auto_reply_instructions: Option<String>,
    /// When Meta last delivered something for it.
    pub last_webhook_at: Option<i64>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970 UTC.
    pub updated_at: i64,
    /// Set with status `disconnected`.
    pub disconnected_at: Option<i64>,
    /// When its webhooks were last switched on by us.
    pub subscribed_at: Option<i64>,
    /// When they were last seen to be on.
    pub subscription_checked_at: Option<i64>,
    /// When `status` last changed.
    pub status_changed_at: Option<i64>,
    /// What `status` was before it became `over_plan`, and will be again.
    pub status_before: Option<String>,
    /// An address of Meta that expires.
    pub picture_url: Option<String>,
    /// Minutes for which a person's answer silences the automatic reply; `None`: an hour.
    pub auto_reply_pause: Option<i32>,
    /// Until when its conversations were read back from Meta.
    pub reconciled_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
