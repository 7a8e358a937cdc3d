//! From an error of Meta to what it means for the product: one table, read from top to bottom.
//! The same number means different things at different calls, so the table is keyed by operation and error.

mod rule;
mod table;
#[cfg(test)]
mod tests;

pub use rule::{Codes, Http, Rule};
pub use table::{DEAD_TOKEN, RULES};

use crate::error::{Cause, GraphError};

/// What was being done when the error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An authorization code is turned into a token; a code works once.
    CodeExchange,
    /// A short-lived token is turned into a long-lived one.
    TokenExchange,
    /// A long-lived Instagram token gets a new life.
    TokenRefresh,
    /// Which Pages and accounts a token reaches.
    ReadAccounts,
    /// Name and picture of a person.
    ReadProfile,
    /// Messages of a conversation.
    ReadConversation,
    /// Which permissions were granted.
    ReadPermissions,
    /// Which webhooks an account delivers.
    ReadSubscription,
    /// Webhooks of an account are switched on.
    Subscribe,
    /// Webhooks of an account are switched off.
    Unsubscribe,
    /// A message is sent; the one call that must not be repeated blindly.
    Send,
    /// A token is inspected with the app's own token.
    DebugToken,
    /// The app's permissions are given back.
    Revoke,
    /// What Meta knows of the app itself is read, with the app's own token.
    ReadApp,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 14] = [
        Self::CodeExchange,
        Self::TokenExchange,
        Self::TokenRefresh,
        Self::ReadAccounts,
        Self::ReadProfile,
        Self::ReadConversation,
        Self::ReadPermissions,
        Self::ReadSubscription,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Send,
        Self::DebugToken,
        Self::Revoke,
        Self::ReadApp,
    ];

    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeExchange => "code_exchange",
            Self::TokenExchange => "token_exchange",
            Self::TokenRefresh => "token_refresh",
            Self::ReadAccounts => "read_accounts",
            Self::ReadProfile => "read_profile",
            Self::ReadConversation => "read_conversation",
            Self::ReadPermissions => "read_permissions",
            Self::ReadSubscription => "read_subscription",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Send => "send",
            Self::DebugToken => "debug_token",
            Self::Revoke => "revoke",
            Self::ReadApp => "read_app",
        }
    }
}

/// What an error means, which is what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Repeat later; the call had no effect or may be repeated without harm.
    Transient,
    /// Wait as long as Meta asks, then repeat.
    RateLimited,
    /// The token is dead or lacks a permission: the owner must connect again.
    Reconnect,
    /// Meta restricts the account: stop, and tell the owner.
    AccountRestricted,
    /// The 24 hours since the person's last message are over.
    WindowClosed,
    /// This person cannot be written to.
    RecipientUnavailable,
    /// The owner must change a setting at Meta; connecting again alone does not help.
    OwnerAction,
    /// Our app is set up wrongly or lacks an access level: neither repeating nor connecting again helps.
    AppConfiguration,
    /// The login is spent: the person must start it again.
    LoginRestart,
    /// Will fail again with the same content.
    Permanent,
    /// It is not known whether the message was sent: never repeat by itself.
    UnknownOutcome,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::Transient,
        Self::RateLimited,
        Self::Reconnect,
        Self::AccountRestricted,
        Self::WindowClosed,
        Self::RecipientUnavailable,
        Self::OwnerAction,
        Self::AppConfiguration,
        Self::LoginRestart,
        Self::Permanent,
        Self::UnknownOutcome,
    ];

    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited => "rate_limited",
            Self::Reconnect => "reconnect",
            Self::AccountRestricted => "account_restricted",
            Self::WindowClosed => "window_closed",
            Self::RecipientUnavailable => "recipient_unavailable",
            Self::OwnerAction => "owner_action",
            Self::AppConfiguration => "app_configuration",
            Self::LoginRestart => "login_restart",
            Self::Permanent => "permanent",
            Self::UnknownOutcome => "unknown_outcome",
        }
    }
}

/// The class of an error, and a sentence for the person who has to deal with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// What to do.
    pub class: ErrorClass,
    /// What happened and what helps, in one sentence.
    pub hint: &'static str,
}

/// Looks an error up in [`RULES`]: the first rule that applies decides.
pub fn classify(operation: Operation, error: &GraphError) -> Classified {
    match RULES.iter().find(|rule| rule.applies(operation, error)) {
        Some(rule) => Classified { class: rule.class, hint: rule.hint },
        // The last rule applies to everything (tested); were it lost, the careful answer is the right one.
        None => Classified { class: ErrorClass::UnknownOutcome, hint: "Meta answered in a way that is not known." },
    }
}

/// Whether Meta does not offer a call here, or refuses it as such: the same call would be answered so for ever, and what it
/// would have told is not to be had. A page or a list that is none comes from hosts that do not have the call.
pub fn is_not_offered(operation: Operation, error: &GraphError) -> bool {
    let no_answer_of_it = error.cause == Cause::NotJson && error.http_status.is_some_and(|status| status < 500);
    no_answer_of_it || classify(operation, error).class == ErrorClass::Permanent
}
