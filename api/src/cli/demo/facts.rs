//! What there is to know about a running demo: addresses, logins, accounts and customers. The guide for people and the line
//! for programs are both drawn from it.

use serde::Serialize;

/// A running demo.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Facts {
    /// The service.
    pub api: String,
    /// Its reference page.
    pub docs: String,
    /// The local Meta.
    pub sandbox: String,
    /// Its page, on which a person writes as a customer.
    pub page: String,
    /// Where the files are.
    pub directory: String,
    /// Of the subscription handshake.
    pub verify_token: String,
    /// Reads deliveries and jobs, and runs what recurs.
    pub operator_key: String,
    /// Who has an account here.
    pub shops: Vec<ShopFacts>,
}

/// An organization with its user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShopFacts {
    pub name: &'static str,
    pub plan: &'static str,
    pub email: &'static str,
    /// Made for this demo, and for no other.
    pub password: String,
    /// Who manages its Pages at Facebook.
    pub person: &'static str,
    pub accounts: Vec<AccountFacts>,
    /// Accounts that are at Meta and not here.
    pub to_connect: Vec<ChoiceFacts>,
}

/// An account to connect.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChoiceFacts {
    pub platform: &'static str,
    pub name: &'static str,
    pub username: Option<&'static str>,
    /// Meta's id.
    pub account_id: &'static str,
    /// Not a professional account, so it will be refused.
    pub personal: bool,
    pub customers: Vec<CustomerFacts>,
}

/// A connected account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountFacts {
    pub platform: &'static str,
    pub name: &'static str,
    /// Meta's id.
    pub account_id: &'static str,
    /// Ours.
    pub connection_id: String,
    /// The text of the automatic reply, where it is on.
    pub reply: Option<&'static str>,
    pub customers: Vec<CustomerFacts>,
}

/// Somebody who writes to an account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomerFacts {
    /// Meta's id of the person for this account.
    pub id: &'static str,
    pub name: &'static str,
}
