//! What an attempt keeps sealed: first the code, then the token, then the accounts found with their tokens.
//! Secrets are written out here and nowhere else, into a text that is sealed at once and wiped.

use crate::clock::Millis;
use crate::context::Context;
use crate::vault::{Place, VaultError};
use entities::connect_flow::Model;
use meta::Asks;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// An account that can be chosen, or the reason why it cannot.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The id that webhooks carry, and that the page chooses by.
    pub external_id: String,
    /// Shown to people.
    pub name: String,
    /// Without `@`.
    pub username: Option<String>,
    /// An address of Meta that expires.
    pub picture_url: Option<String>,
    /// The id that deauthorize and deletion callbacks carry.
    pub app_scoped_id: Option<String>,
    /// The Page that speaks for it.
    pub page_id: Option<String>,
    /// The account's own token. Without one it cannot be chosen.
    #[serde(with = "exposed")]
    pub token: Option<SecretString>,
    /// When Meta issued the token, by our clock.
    pub token_issued_at: Millis,
    /// `None`: does not expire.
    pub token_expires_at: Option<Millis>,
    /// Why it cannot be chosen, as a sentence.
    pub unusable: Option<String>,
}

impl Candidate {
    /// Whether it can be chosen.
    pub fn is_usable(&self) -> bool {
        self.unusable.is_none() && self.token.is_some()
    }
}

/// What an attempt knows that nobody else may.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// From the callback; gone once it is exchanged.
    #[serde(with = "exposed")]
    pub code: Option<SecretString>,
    /// The person's token: short-lived.
    #[serde(with = "exposed")]
    pub token: Option<SecretString>,
    /// Instagram's app-scoped id, from the exchange.
    pub app_scoped_id: Option<String>,
    /// What was granted, where the exchange said so.
    pub granted: Option<Vec<String>>,
    /// What was found.
    pub candidates: Vec<Candidate>,
}

impl Content {
    /// Opens an attempt's secrets; one that was wiped has none.
    pub fn open(ctx: &Context, flow: &Model) -> Result<Self, VaultError> {
        let Some(sealed) = flow.sealed.as_deref() else { return Ok(Self::default()) };
        let text = ctx.vault.open(place(flow, flow.sealed_version), sealed)?;
        serde_json::from_str(text.expose_secret()).map_err(|_| VaultError::Format)
    }

    /// Seals for the attempt's next version; returns envelope and version.
    pub(super) fn seal(&self, ctx: &Context, flow: &Model) -> Result<(String, i64), VaultError> {
        let version = flow.sealed_version + 1;
        let text = Zeroizing::new(serde_json::to_string(self).map_err(|_| VaultError::Format)?);
        let text = SecretString::from(text.as_str());
        Ok((ctx.vault.seal(place(flow, version), &text)?, version))
    }
}

/// Where an attempt's secrets are sealed to.
pub(crate) fn place(flow: &Model, version: i64) -> Place<'static> {
    Place { table: "connect_flows", row: flow.id, organization: flow.organization_id, field: "sealed", version }
}

/// The permissions an attempt's accounts are connected with: what was granted, else what was asked for.
pub(super) fn scopes(content: &Content, asks: Asks) -> Vec<String> {
    content.granted.clone().unwrap_or_else(|| asks.scopes().iter().map(|scope| scope.name.to_owned()).collect())
}

/// A secret's way into the sealed text and out of it.
mod exposed {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(ExposeSecret::expose_secret).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
    }
}
