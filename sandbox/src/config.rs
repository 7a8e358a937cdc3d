//! What can be set: app ids and secrets, webhook addresses, and the switches of Meta's varying behaviour.
//! One type serves the program that starts the sandbox and the settings of the control interface, so both know the same.

use std::fmt::{self, Debug, Formatter};

use serde::{Deserialize, Serialize};

/// Which app secret signs webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignWith {
    /// Instagram Login accounts with the Instagram secret, everything else with the Meta secret.
    Product,
    /// Always the Instagram app secret.
    Instagram,
    /// Always the Meta app secret.
    Meta,
    /// A secret nobody has.
    Wrong,
}

/// Several updates in one POST: up to `max_events`, or what came within `max_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// 1 to 1000, Meta's own limit.
    pub max_events: usize,
    /// How long the first update may wait for company.
    pub max_ms: u64,
}

/// How `account_type` is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Casing {
    /// As it is: `BUSINESS`, `MEDIA_CREATOR`.
    As,
    /// `business`, `media_creator`.
    Lower,
    /// `Business`, `Media_Creator`, as the documentation has it.
    Title,
}

/// Settings of a sandbox; all of them can be changed while it runs.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Config {
    /// Where webhooks of object `instagram` go; unset: they are not sent.
    pub webhook_url_instagram: Option<String>,
    /// Where webhooks of object `page` go; unset: they are not sent.
    pub webhook_url_facebook: Option<String>,
    /// App id of the Facebook Login product.
    pub meta_app_id: String,
    /// App secret of the Facebook Login product.
    pub meta_app_secret: String,
    /// App id of the Instagram Login product.
    pub instagram_app_id: String,
    /// App secret of the Instagram Login product.
    pub instagram_app_secret: String,
    /// Seed of everything random: ids, rates of faults.
    pub seed: u64,
    /// Which secret signs webhooks.
    pub sign_with: SignWith,
    /// Collect updates into one POST.
    pub batch: Option<Batch>,
    /// Instagram echoes of our sends carry the app id (Messenger's always do).
    pub instagram_echo_app_id: bool,
    /// The "Require App Secret" switch of the app.
    pub require_appsecret_proof: bool,
    /// Usage headers appear after this many calls for an account.
    pub usage_headers_after: u64,
    /// The Graph version of calls that name none.
    pub default_version: String,
    /// How long after the Send answer the echo leaves.
    pub echo_delay_ms: u64,
    /// How long a webhook receiver may take to answer.
    pub answer_budget_ms: u64,
    /// How many webhook POSTs may be under way at once.
    pub delivery_concurrency: usize,
    /// Registered redirect addresses of Facebook Login; unset: any on this machine.
    pub meta_redirect_uris: Option<Vec<String>>,
    /// Registered redirect addresses of Instagram Login; unset: any on this machine.
    pub instagram_redirect_uris: Option<Vec<String>>,
    /// Where the Instagram product tells that a person removed the app.
    pub deauthorize_url_instagram: Option<String>,
    /// Where the Facebook product tells that a person removed the app.
    pub deauthorize_url_facebook: Option<String>,
    /// Where the Instagram product asks for a person's data to be deleted.
    pub data_deletion_url_instagram: Option<String>,
    /// Where the Facebook product asks for a person's data to be deleted.
    pub data_deletion_url_facebook: Option<String>,
    /// Instagram's code exchange and `/me` answer in `data[0]`.
    pub instagram_data_envelope: bool,
    /// Instagram ids as bare JSON numbers, everywhere or nowhere; unset: in the flat code exchange alone.
    pub instagram_ids_as_numbers: Option<bool>,
    /// Instagram's `permissions` as a list or as a text with commas; unset: a list in the flat shape, else a text.
    pub permissions_as_array: Option<bool>,
    /// Instagram's `/me` has neither `name` nor `profile_picture_url`.
    pub identity_without_name: bool,
    /// How `/me` spells `account_type`.
    pub account_type_casing: Casing,
    /// How far `expires_in` of a long-lived token may stay below sixty days.
    pub expires_in_drift_seconds: u64,
    /// A refresh gives another token; else the same text lives on.
    pub refresh_rotates: bool,
    /// Facebook's code exchange does not say `expires_in`.
    pub code_exchange_without_expires_in: bool,
    /// Facebook's code exchange gives a long-lived token at once.
    pub code_exchange_long_lived: bool,
    /// Facebook's dialog is all-or-nothing, also without `config_id`.
    pub login_for_business: bool,
    /// What a `config_id` asks for.
    pub login_for_business_scopes: Vec<String>,
    /// `"true"` where Meta says `true`: `success` of subscriptions and revocations.
    pub success_as_string: bool,
    /// Pages in one answer of `/me/accounts` when the call sets no limit.
    pub accounts_per_page: usize,
    /// How many empty answers with a `next` stand between the first and the second page of `/me/accounts`.
    pub empty_account_pages: usize,
    /// `/me/accounts` is empty without `business_management`, as if a portfolio held every Page.
    pub accounts_need_business_management: bool,
    /// Events flow only for fields subscribed at app level and, for Pages, at the Page too.
    pub enforce_subscribed_fields: bool,
    /// How many reads of conversations an account may make in a second; unset: as many as it likes.
    pub conversation_reads_per_second: Option<u32>,
}

/// What a configuration of Login for Business usually asks for: everything messaging needs.
const BUSINESS_SCOPES: [&str; 7] = [
    "pages_show_list",
    "business_management",
    "pages_manage_metadata",
    "pages_messaging",
    "pages_read_engagement",
    "instagram_basic",
    "instagram_manage_messages",
];

impl Default for Config {
    fn default() -> Self {
        Self {
            webhook_url_instagram: None,
            webhook_url_facebook: None,
            meta_app_id: "100000000000001".to_owned(),
            meta_app_secret: "sandbox-meta-app-secret".to_owned(),
            instagram_app_id: "200000000000002".to_owned(),
            instagram_app_secret: "sandbox-instagram-app-secret".to_owned(),
            seed: 1,
            sign_with: SignWith::Product,
            batch: None,
            instagram_echo_app_id: false,
            require_appsecret_proof: false,
            usage_headers_after: 100,
            default_version: "v25.0".to_owned(),
            echo_delay_ms: 20,
            answer_budget_ms: 5_000,
            delivery_concurrency: 64,
            meta_redirect_uris: None,
            instagram_redirect_uris: None,
            deauthorize_url_instagram: None,
            deauthorize_url_facebook: None,
            data_deletion_url_instagram: None,
            data_deletion_url_facebook: None,
            instagram_data_envelope: false,
            instagram_ids_as_numbers: None,
            permissions_as_array: None,
            identity_without_name: false,
            account_type_casing: Casing::As,
            expires_in_drift_seconds: 120,
            refresh_rotates: true,
            code_exchange_without_expires_in: false,
            code_exchange_long_lived: false,
            login_for_business: false,
            login_for_business_scopes: BUSINESS_SCOPES.map(str::to_owned).to_vec(),
            success_as_string: false,
            accounts_per_page: 25,
            empty_account_pages: 0,
            accounts_need_business_management: false,
            enforce_subscribed_fields: false,
            conversation_reads_per_second: None,
        }
    }
}

impl Debug for Config {
    // A program may set secrets of its own here, so they stay out of logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("webhook_url_instagram", &self.webhook_url_instagram)
            .field("webhook_url_facebook", &self.webhook_url_facebook)
            .field("meta_app_id", &self.meta_app_id)
            .field("instagram_app_id", &self.instagram_app_id)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The first thing wrong with these settings, as a sentence.
    pub(crate) fn problem(&self) -> Option<String> {
        let addresses = [
            &self.webhook_url_instagram,
            &self.webhook_url_facebook,
            &self.deauthorize_url_instagram,
            &self.deauthorize_url_facebook,
            &self.data_deletion_url_instagram,
            &self.data_deletion_url_facebook,
        ];
        if let Some(url) = addresses.into_iter().flatten().find(|url| !is_local(url)) {
            return Some(format!("{url} is not an http address on this machine"));
        }
        if self.batch.is_some_and(|batch| !(1..=1000).contains(&batch.max_events)) {
            return Some("batch.maxEvents must be 1 to 1000".to_owned());
        }
        let waits = [self.echo_delay_ms, self.answer_budget_ms, self.batch.map_or(0, |batch| batch.max_ms)];
        if waits.into_iter().any(|ms| ms > 86_400_000) {
            return Some("no wait is longer than a day in milliseconds".to_owned());
        }
        if !(1..=1024).contains(&self.delivery_concurrency) {
            return Some("deliveryConcurrency must be 1 to 1024".to_owned());
        }
        if !(1..=100).contains(&self.accounts_per_page) || self.empty_account_pages > 100 {
            return Some("accountsPerPage must be 1 to 100, emptyAccountPages at most 100".to_owned());
        }
        if self.conversation_reads_per_second.is_some_and(|reads| !(1..=1000).contains(&reads)) {
            return Some("conversationReadsPerSecond must be 1 to 1000".to_owned());
        }
        if self.expires_in_drift_seconds > 86_400 {
            return Some("expiresInDriftSeconds is at most a day".to_owned());
        }
        if !crate::graph::versions::is_version(&self.default_version) {
            return Some("defaultVersion looks like v25.0".to_owned());
        }
        None
    }
}

/// The sandbox must never call out: an address is taken only when it cannot leave this machine.
pub(crate) fn is_local(url: &str) -> bool {
    stays_here(url, &["http"])
}

/// A browser may be sent there: like `is_local`, but a program under test may speak https.
pub(crate) fn is_local_page(url: &str) -> bool {
    stays_here(url, &["http", "https"])
}

fn stays_here(url: &str, schemes: &[&str]) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| {
        schemes.contains(&url.scheme())
            && url.host_str().is_some_and(|host| {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called() {
        for url in ["http://127.0.0.1:1/a", "http://localhost/", "http://[::1]:9/x"] {
            assert!(is_local(url), "{url}");
        }
        for url in
            ["http://example.test/", "https://127.0.0.1/", "http://10.0.0.1/", "http://127.0.0.1.example.test/", "x"]
        {
            assert!(!is_local(url), "{url}");
        }
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert!(!format!("{:?}", Config::default()).contains("secret\": \"sandbox"));
        assert!(!format!("{:?}", Config::default()).contains("sandbox-meta"));
    }
}
