//! The part of the operator's settings that the rules read. The program `retail-assist` reads and checks the environment;
//! here they are already valid.

use meta::signature::AppSecrets;
use secrecy::SecretString;

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
}
