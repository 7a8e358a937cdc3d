//! Switching an account's webhooks on and off, and asking which are on (fact sheet §4.3, §4.4).
//! Meta switches them off by itself after an hour of failed deliveries, so whoever needs them looks again.

use reqwest::Method;
use secrecy::SecretString;

use crate::class::{Operation, is_not_offered};
use crate::client::{Host, MetaClient};
use crate::error::GraphError;
use crate::json::{self, Fields};

/// Webhook fields of an Instagram account (§4.4). Once any is on, the account delivers all that the app has.
pub const FIELDS_INSTAGRAM: &[&str] = &[
    "messages",
    "message_echoes",
    "messaging_postbacks",
    "messaging_seen",
    "message_reactions",
    "messaging_referral",
    "standby",
];

/// Webhook fields of a Page (§4.3); names of Instagram are refused here.
pub const FIELDS_PAGE: &[&str] = &[
    "messages",
    "messaging_postbacks",
    "messaging_referrals",
    "message_deliveries",
    "message_reads",
    "message_echoes",
    "message_edits",
    "message_reactions",
    "standby",
];

/// Where webhooks are installed. An Instagram account that is reached through a Page has them on the Page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asset<'a> {
    /// The account a token of Instagram Login speaks for.
    Instagram,
    /// A Page, by id, with its own token.
    Page(&'a str),
}

impl Asset<'_> {
    /// Without these there are no messages.
    pub const ESSENTIAL: &'static [&'static str] = &["messages"];

    /// The fields that are asked for.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Instagram => FIELDS_INSTAGRAM,
            Self::Page(_) => FIELDS_PAGE,
        }
    }

    fn place(self) -> (Host, String) {
        match self {
            Self::Instagram => (Host::InstagramGraph, "me/subscribed_apps".to_owned()),
            Self::Page(id) => (Host::FacebookGraph, format!("{id}/subscribed_apps")),
        }
    }
}

impl MetaClient {
    /// Switches the account's webhooks on.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::Subscribe, …)`.
    pub async fn subscribe(&self, asset: Asset<'_>, token: &SecretString) -> Result<(), GraphError> {
        let (host, path) = asset.place();
        let fields = asset.fields().join(",");
        let call = self.request(Method::POST, host, &path, token).query(&[("subscribed_fields", fields)]);
        self.confirmed(call).await
    }

    /// Switches the account's webhooks off, for everybody who uses this app.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::Unsubscribe, …)`.
    pub async fn unsubscribe(&self, asset: Asset<'_>, token: &SecretString) -> Result<(), GraphError> {
        let (host, path) = asset.place();
        self.confirmed(self.request(Method::DELETE, host, &path, token)).await
    }

    /// Whether the account delivers to one of our apps: it is installed, and where fields are told, those `needed` are among
    /// them. An Instagram account delivers everything once anything is on (§4.4), so `messages` will do there. `None`: Meta
    /// does not tell.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadSubscription, …)`.
    pub async fn is_subscribed(
        &self,
        asset: Asset<'_>,
        token: &SecretString,
        needed: &[&str],
    ) -> Result<Option<bool>, GraphError> {
        let (host, path) = asset.place();
        let needed = match asset {
            Asset::Instagram => Asset::ESSENTIAL,
            Asset::Page(_) => needed,
        };
        // Instagram may name the Meta app that its own app lies in.
        let ours = [&self.settings().meta_app_id, &self.settings().instagram_app_id].map(Option::as_deref);
        let installed = |fields: &Fields<'_>| Some(installed(fields, &ours, needed));
        match self.list(host, &path, token, &[], installed).await {
            Ok(apps) => Ok(Some(apps.contains(&true))),
            Err(error) if is_not_offered(Operation::ReadSubscription, &error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A change that Meta confirms with `success`, as a boolean or as text.
    async fn confirmed(&self, call: reqwest::RequestBuilder) -> Result<(), GraphError> {
        let answer = self.answer(call).await?;
        match answer.error() {
            Some(error) => Err(error),
            None if Fields::parse(&answer.body).is_some_and(|fields| fields.flag("success")) => Ok(()),
            None => Err(answer.lacks("the answer does not confirm the change")),
        }
    }
}

fn installed(fields: &Fields<'_>, apps: &[Option<&str>], needed: &[&str]) -> bool {
    let ours = fields.id("id").is_none_or(|id| apps.contains(&Some(id.as_str())));
    let Some(names) = fields.get("subscribed_fields").and_then(json::elements) else {
        return ours;
    };
    let name = |raw| json::text(raw).or_else(|| Fields::of(raw)?.text("name"));
    let names: Vec<String> = names.into_iter().filter_map(name).collect();
    ours && needed.iter().all(|needed| names.iter().any(|name| name == needed))
}
