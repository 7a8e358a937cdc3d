//! The demo's secrets, drawn from the operating system at each start, and the settings of both sides that hold them.
//! The service gets its settings from here alone, so that nothing in the environment leads it to the real Meta.

use super::place::Place;
use super::stage::{App, Stage};
use crate::settings::problem::Problems;
use crate::settings::source::Source;
use crate::settings::{Need, Settings};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use meta::Asset;
use sandbox::Config;
use std::net::SocketAddr;

/// What both sides must know of each other, and the key that seals tokens.
pub(super) struct Secrets {
    meta_app: String,
    instagram_app: String,
    verify_token: String,
    vault_key: String,
}

impl Secrets {
    /// New ones.
    pub(super) fn make() -> anyhow::Result<Self> {
        Ok(Self {
            meta_app: URL_SAFE_NO_PAD.encode(random()?),
            instagram_app: URL_SAFE_NO_PAD.encode(random()?),
            verify_token: URL_SAFE_NO_PAD.encode(random()?),
            vault_key: format!("demo:{}", STANDARD.encode(random()?)),
        })
    }

    /// What the subscription handshake is asked for.
    pub(super) fn verify_token(&self) -> &str {
        &self.verify_token
    }

    /// The local Meta: signs with the app secrets, and knows the service's addresses as the app's dashboard would. Events
    /// flow only for what is subscribed, so that a subscription that lacks something is noticed here.
    pub(super) fn of_sandbox(&self, service: SocketAddr) -> Config {
        let at = |path: &str| format!("http://{service}/api/{path}");
        Config {
            webhook_url_instagram: Some(at("webhooks/instagram")),
            webhook_url_facebook: Some(at("webhooks/facebook")),
            meta_app_secret: self.meta_app.clone(),
            instagram_app_secret: self.instagram_app.clone(),
            meta_redirect_uris: Some(vec![at("meta/callback")]),
            instagram_redirect_uris: Some(vec![at("meta/instagram/callback")]),
            deauthorize_url_instagram: Some(at("meta/deauthorize")),
            deauthorize_url_facebook: Some(at("meta/deauthorize")),
            data_deletion_url_instagram: Some(at("meta/data-deletion")),
            data_deletion_url_facebook: Some(at("meta/data-deletion")),
            enforce_subscribed_fields: true,
            ..Config::default()
        }
    }

    /// Subscribes the app to the webhooks of both objects, as its dashboard would. The service must be answering.
    pub(super) async fn subscribe_app(&self, stage: &Stage, api: &str) -> anyhow::Result<()> {
        let id = Config::default().meta_app_id;
        let token = format!("{id}|{}", self.meta_app);
        // The account's own subscription does not know this field, the app's does.
        let instagram: Vec<_> = Asset::Instagram.fields().iter().copied().chain(["message_edit"]).collect();
        for (object, endpoint, fields) in
            [("instagram", "instagram", &*instagram), ("page", "facebook", Asset::Page("").fields())]
        {
            let callback_url = format!("{api}/api/webhooks/{endpoint}");
            let app = App { id: &id, token: &token, callback_url: &callback_url, verify_token: &self.verify_token };
            stage.subscribe_app(&app, object, fields).await?;
        }
        Ok(())
    }

    /// The service: everything it says to Meta goes to the local one.
    pub(super) fn settings(&self, place: &Place, service: SocketAddr, meta: &str) -> Result<Settings, Problems> {
        let Config { meta_app_id, instagram_app_id, .. } = Config::default();
        let values = [
            ("DATABASE_URL", place.database_url()),
            ("BIND_ADDR", service.to_string()),
            ("PUBLIC_URL", format!("http://{service}")),
            ("META_APP_ID", meta_app_id),
            ("META_APP_SECRET", self.meta_app.clone()),
            ("INSTAGRAM_APP_ID", instagram_app_id),
            ("INSTAGRAM_APP_SECRET", self.instagram_app.clone()),
            ("META_WEBHOOK_VERIFY_TOKEN", self.verify_token.clone()),
            ("TOKEN_ENCRYPTION_KEYS", self.vault_key.clone()),
            ("FACEBOOK_WEB_URL", format!("{meta}/facebook-web")),
            ("FACEBOOK_GRAPH_URL", format!("{meta}/facebook-graph")),
            ("INSTAGRAM_WEB_URL", format!("{meta}/instagram-web")),
            ("INSTAGRAM_API_URL", format!("{meta}/instagram-api")),
            ("INSTAGRAM_GRAPH_URL", format!("{meta}/instagram-graph")),
            ("AI_BASE_URL", format!("{meta}/ai/v1")),
            ("AI_API_KEY", "the stand-in takes any".to_owned()),
            ("AI_MODEL", "stand-in".to_owned()),
            ("MEDIA_HOSTS", meta.trim_start_matches("http://").to_owned()),
        ];
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Settings::check(&Source::of(&values), Need::Service, Problems::default())
    }
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system gave no randomness")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_has_its_own_and_they_are_valid_settings() {
        let (one, other) = (Secrets::make().unwrap(), Secrets::make().unwrap());
        assert_ne!(one.verify_token(), other.verify_token());
        assert_ne!(one.vault_key, other.vault_key);
        let dir = tempfile::tempdir().unwrap();
        let place = Place::take(dir.path()).unwrap();
        let settings = one.settings(&place, "127.0.0.1:8080".parse().unwrap(), "http://127.0.0.1:8090").unwrap();
        assert_eq!(settings.meta.facebook_graph_url, "http://127.0.0.1:8090/facebook-graph");
        assert!(!settings.is_secure());
        let meta = one.of_sandbox("127.0.0.1:8080".parse().unwrap());
        let registered = |uris: Option<Vec<String>>, uri: &str| assert_eq!(uris.unwrap(), [uri]);
        registered(meta.meta_redirect_uris, &settings.domain.redirect_uri);
        registered(meta.instagram_redirect_uris, &settings.domain.redirect_instagram_uri);
    }
}
