//! The part of the operator's settings that the rules read. The program `retail-assist` reads and checks the environment;
//! here they are already valid.

use crate::clock::{DAY, Millis};
use meta::Login;
use meta::signature::AppSecrets;
use secrecy::SecretString;

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The mail server: `smtp://`, or `smtps://` for TLS; may hold a password.
    pub url: SecretString,
    /// The sender's address.
    pub from: String,
}

/// Valid settings.
#[derive(Debug)]
pub struct Settings {
    /// Where the product is reached from outside, without a trailing slash.
    pub public_url: String,
    /// The plan a new organization gets; `None` turns registration off.
    pub signup_plan: Option<String>,
    /// The ids of our apps at Meta: an echo that names another one is not of ours.
    pub app_ids: Vec<String>,
    /// Answers Meta's subscription handshake; `None` refuses it.
    pub webhook_verify_token: Option<SecretString>,
    /// Secrets that may sign what comes to the Instagram webhook endpoint, current and previous.
    pub instagram_webhook_secrets: AppSecrets,
    /// Secrets that may sign what comes to the Facebook webhook endpoint, current and previous.
    pub facebook_webhook_secrets: AppSecrets,
    /// How Instagram accounts are connected.
    pub instagram_login: Login,
    /// Where Facebook Login sends the browser back to, as registered at Meta.
    pub redirect_uri: String,
    /// Where an Instagram login sends the browser back to, as registered at Meta.
    pub redirect_instagram_uri: String,
    /// Tokens that end within this time are refreshed.
    pub refresh_ahead: Millis,
    /// The app has Meta's Human Agent feature: a person may answer for seven days.
    pub human_agent: bool,
    /// Small copies of pictures are kept.
    pub media_previews: bool,
    /// Sends notifications by mail; `None`: they are shown in the page only.
    pub mail: Option<Mail>,
}

impl Default for Settings {
    /// A service on this machine that nothing has been set for: it trusts no signature and registers nobody.
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            signup_plan: None,
            app_ids: Vec::new(),
            webhook_verify_token: None,
            instagram_webhook_secrets: AppSecrets::new(Vec::new()),
            facebook_webhook_secrets: AppSecrets::new(Vec::new()),
            instagram_login: Login::Instagram,
            redirect_uri: "http://127.0.0.1:8080/api/meta/callback".to_owned(),
            redirect_instagram_uri: "http://127.0.0.1:8080/api/meta/instagram/callback".to_owned(),
            refresh_ahead: 7 * DAY,
            human_agent: false,
            media_previews: true,
            mail: None,
        }
    }
}
