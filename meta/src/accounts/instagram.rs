//! The one account behind a token of Instagram Login (fact sheet §3.3).
//! It has two ids: webhooks carry the one, deauthorize and deletion callbacks the other; both are needed.

use reqwest::Method;
use secrecy::SecretString;

use crate::client::{Host, MetaClient};
use crate::error::GraphError;
use crate::json::{self, Fields};

/// An Instagram professional account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstagramAccount {
    /// The id that webhooks carry as `entry.id`.
    pub user_id: String,
    /// The app-scoped id.
    pub app_scoped_id: Option<String>,
    /// Without `@`.
    pub username: Option<String>,
    /// Shown to people; often absent.
    pub name: Option<String>,
    /// Upper case: `BUSINESS`, `MEDIA_CREATOR`, or what Meta may add.
    pub account_type: Option<String>,
    /// An address that expires.
    pub picture_url: Option<String>,
}

impl InstagramAccount {
    /// False only for an account that Meta calls personal: such a one has no messages for apps.
    pub fn is_professional(&self) -> bool {
        self.account_type.as_deref() != Some("PERSONAL")
    }
}

impl MetaClient {
    /// The account a token of Instagram Login speaks for.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadAccounts, …)`.
    pub async fn instagram_account(&self, token: &SecretString) -> Result<InstagramAccount, GraphError> {
        let fields = "id,user_id,username,name,account_type,profile_picture_url";
        let call = self.request(Method::GET, Host::InstagramGraph, "me", token).query(&[("fields", fields)]);
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        let fields = Fields::parse(&answer.body).unwrap_or_default();
        let found = account(&fields).or_else(|| account(&json::first(&fields)?));
        found.ok_or_else(|| answer.lacks("the answer has no user_id"))
    }
}

fn account(fields: &Fields<'_>) -> Option<InstagramAccount> {
    Some(InstagramAccount {
        user_id: fields.id("user_id")?,
        app_scoped_id: fields.id("id"),
        username: fields.text("username"),
        name: fields.text("name"),
        account_type: fields.text("account_type").map(|kind| kind.to_uppercase()),
        picture_url: fields.text("profile_picture_url"),
    })
}
