//! Login: where a person is sent to, and how a code becomes a token that lasts (fact sheet §1 and §2).
//! A code works once, so its exchange is one call and never a second one.

mod authorize;
mod exchange;
mod scopes;
#[cfg(test)]
mod tests;

pub use authorize::clean_code;
pub use exchange::{CodeToken, LongLivedToken};
pub use scopes::{Asks, Scope};

use secrecy::SecretString;

use crate::client::MetaClient;

/// Which of Meta's two login products is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    /// instagram.com: the account's owner logs in to Instagram (§1.1).
    Instagram,
    /// facebook.com: a person logs in who has a role on Pages (§1.2).
    Facebook,
}

/// An app at Meta, as one login product knows it.
#[derive(Debug, Clone)]
pub struct App {
    /// Shown to everybody.
    pub id: String,
    /// Known to Meta and us.
    pub secret: SecretString,
}

impl Login {
    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
        }
    }
}

impl MetaClient {
    /// The app of a login product, when its id and its secret are configured.
    pub fn app(&self, login: Login) -> Option<App> {
        let settings = self.settings();
        let (id, secret) = match login {
            Login::Instagram => (&settings.instagram_app_id, &settings.instagram_app_secret),
            Login::Facebook => (&settings.meta_app_id, &settings.meta_app_secret),
        };
        Some(App { id: id.clone()?, secret: secret.clone()? })
    }
}
