//! The places a fault can act at, each with the name that lists show.
//! They stand apart from the table, so that the table stays one thing to read.

/// Where a fault acts; of each group at most one fires at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// The send is refused or disturbed before it is accepted.
    Refusal,
    /// The send is accepted and its answer is disturbed.
    Answer,
    /// The echo of an accepted send.
    Echo,
    /// A read of conversations or profiles.
    Read,
    /// A read of a profile.
    Profile,
    /// A webhook event as it is made.
    Event,
    /// One attempt to deliver a webhook.
    Attempt,
    /// The redirect from the dialog to the program, after a person has allowed.
    Dialog,
    /// A code is exchanged for a token, with either product.
    CodeExchange,
    /// A short-lived token is exchanged for a long-lived one, with either product.
    LongLived,
    /// An Instagram token is refreshed.
    Refresh,
    /// `/me` and what a token reads about itself.
    Identity,
    /// `/me/accounts`.
    AccountList,
    /// `/me/permissions`.
    Permissions,
    /// `POST subscribed_apps`.
    Subscribe,
    /// `DELETE subscribed_apps`.
    Unsubscribe,
    /// `GET subscribed_apps`.
    SubscriptionRead,
    /// A completion of the stand-in for a model.
    Model,
    /// A file is fetched.
    MediaRead,
}

impl Group {
    /// The name in lists.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refusal => "send, before it is accepted",
            Self::Answer => "send, its answer",
            Self::Echo => "send, its echo",
            Self::Read => "reads",
            Self::Profile => "profile read",
            Self::Event => "webhook event",
            Self::Attempt => "webhook attempt",
            Self::Dialog => "consent, its redirect",
            Self::CodeExchange => "code exchange",
            Self::LongLived => "long-lived exchange",
            Self::Refresh => "refresh",
            Self::Identity => "identity read",
            Self::AccountList => "account list",
            Self::Permissions => "permission read",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::SubscriptionRead => "subscription read",
            Self::Model => "model",
            Self::MediaRead => "media read",
        }
    }

    /// Whether a call of this kind tells whose it is; else a fault cannot be one account's.
    pub(crate) fn knows_account(self) -> bool {
        !matches!(self, Self::Model | Self::MediaRead)
    }
}
