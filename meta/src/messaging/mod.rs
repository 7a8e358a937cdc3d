//! Messages: sending them, their limits, and reading a conversation back to see what was sent.
//! Both products share one interface with small differences, which are stated here once.

mod conversation;
mod limit;
mod profile;
mod send;

use crate::client::Host;

pub use conversation::{ConversationMessage, ListedConversation};
pub use limit::{TextLimit, text_limit};
pub use profile::Profile;
pub use send::{Content, SendError, SendRequest, Sent, Tag};

/// Which way leads to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// Instagram Login: graph.instagram.com with the Instagram user token (fact sheet §6.1).
    InstagramLogin,
    /// Messenger: graph.facebook.com with the Page token and a PSID (§6.3).
    FacebookPage,
    /// Instagram through Facebook Login: graph.facebook.com with the Page token and an IGSID (§6.2).
    InstagramViaPage,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 3] = [Self::InstagramLogin, Self::FacebookPage, Self::InstagramViaPage];

    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InstagramLogin => "instagram_login",
            Self::FacebookPage => "facebook_page",
            Self::InstagramViaPage => "instagram_via_page",
        }
    }

    pub(crate) fn host(self) -> Host {
        match self {
            Self::InstagramLogin => Host::InstagramGraph,
            Self::FacebookPage | Self::InstagramViaPage => Host::FacebookGraph,
        }
    }
}
