//! Where Meta is, which version is spoken, and with whose secrets.
//! Addresses are settings so that the sandbox, and any test, can stand in for Meta.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use thiserror::Error;

/// The Graph version this crate is written for: usable until 2028-07-29 (fact sheet §10).
pub const GRAPH_VERSION: &str = "v25.0";

/// How to reach Meta. Secrets show in `Debug` as redacted only.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Graph for Pages, Messenger, and Instagram through a Page.
    pub facebook_graph_url: String,
    /// Graph for Instagram Login.
    pub instagram_graph_url: String,
    /// Code exchange of Instagram Login.
    pub instagram_api_url: String,
    /// The login dialog of Facebook.
    pub facebook_web_url: String,
    /// The login dialog of Instagram.
    pub instagram_web_url: String,
    /// Such as `v25.0`.
    pub graph_version: String,
    /// Id of the Meta app.
    pub meta_app_id: Option<String>,
    /// Secret of the Meta app.
    pub meta_app_secret: Option<SecretString>,
    /// Id of the Instagram app, a different one inside the same Meta app.
    pub instagram_app_id: Option<String>,
    /// Secret of the Instagram app, a different one inside the same Meta app.
    pub instagram_app_secret: Option<SecretString>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// How long to wait for Meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, with name resolution and TLS.
    pub connect: Duration,
    /// For the whole call, until the last byte of the answer.
    pub total: Duration,
}

/// Why a client cannot be built from the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// An address is not `http(s)://host[:port][/path]`. The address is not repeated: it may hold a password.
    #[error("{0} is not an http or https address without user, query and fragment")]
    Address(&'static str),
    /// The version is not of the form `v25.0`.
    #[error("the Graph version is not of the form v25.0")]
    Version,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built: {0}")]
    Http(String),
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30) }
    }
}

impl Default for Settings {
    /// The real Meta, without secrets.
    fn default() -> Self {
        Self {
            facebook_graph_url: "https://graph.facebook.com".into(),
            instagram_graph_url: "https://graph.instagram.com".into(),
            instagram_api_url: "https://api.instagram.com".into(),
            facebook_web_url: "https://www.facebook.com".into(),
            instagram_web_url: "https://www.instagram.com".into(),
            graph_version: GRAPH_VERSION.into(),
            meta_app_id: None,
            meta_app_secret: None,
            instagram_app_id: None,
            instagram_app_secret: None,
            timeouts: Timeouts::default(),
        }
    }
}

impl Settings {
    /// The same settings with addresses that can be continued by `/path`.
    pub(super) fn checked(mut self) -> Result<Self, SettingsError> {
        let addresses = [
            ("facebook_graph_url", &mut self.facebook_graph_url),
            ("instagram_graph_url", &mut self.instagram_graph_url),
            ("instagram_api_url", &mut self.instagram_api_url),
            ("facebook_web_url", &mut self.facebook_web_url),
            ("instagram_web_url", &mut self.instagram_web_url),
        ];
        for (name, address) in addresses {
            *address = base(address).ok_or(SettingsError::Address(name))?;
        }
        if !is_version(&self.graph_version) {
            return Err(SettingsError::Version);
        }
        Ok(self)
    }
}

fn base(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn is_version(text: &str) -> bool {
    let digits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let good = [
            ("https://graph.facebook.com", "https://graph.facebook.com"),
            ("http://127.0.0.1:9100/", "http://127.0.0.1:9100"),
            ("http://sandbox:9100/graph/", "http://sandbox:9100/graph"),
        ];
        for (address, expected) in good {
            assert_eq!(base(address).as_deref(), Some(expected));
        }
        let bad = [
            "",
            "graph.facebook.com",
            "ftp://x",
            "file:///etc",
            "https://u:p@x",
            "https://x?a",
            "https://x#a",
            "data:x",
        ];
        for address in bad {
            let settings = Settings { facebook_graph_url: address.into(), ..Settings::default() };
            let error = settings.checked().unwrap_err();
            assert_eq!(error, SettingsError::Address("facebook_graph_url"), "{address}");
        }
    }

    #[test]
    fn versions() {
        assert!(["v25.0", "v9.0"].into_iter().all(is_version));
        assert!(!["", "25.0", "v25", "v25.", "v.0", "v25.0/../me", "v25.0.1", "vx.0"].into_iter().any(is_version));
    }

    #[test]
    fn no_secret_shows() {
        let secret = Some(SecretString::from("do-not-show"));
        let settings =
            Settings { meta_app_secret: secret.clone(), instagram_app_secret: secret, ..Settings::default() };
        assert!(!format!("{settings:?}").contains("do-not-show"));
    }
}
