//! Connecting accounts: the login at Meta from its start to the accounts chosen, as one row that every step moves on.
//! Whatever is secret in between (code, token, candidates) lies sealed in that row; jobs hold its id only.

mod content;
mod flow;
mod handle;
mod save;
mod state;

pub(crate) use content::place;
pub use content::{Candidate, Content};
pub use flow::{
    Arrival, Binding, FlowError, Started, accept, arrive, ask, discover, exchanged, expire, fail, find_by_handle, load,
    not_asked, refused, start,
};
pub use handle::Handle;
pub use save::{SaveError, Saved, Selection, check, made_by, save};
pub use state::{LIFETIME, StateError};

use crate::connections::{LoginRoute, Platform};
use meta::{Asks, Login};

/// What an attempt asks Meta for, from what the shop wants and how the operator has Instagram connected.
pub fn asks(platform: Platform, instagram_login: Login) -> Asks {
    match (platform, instagram_login) {
        (Platform::Facebook, _) => Asks::PageMessages,
        (Platform::Instagram, Login::Instagram) => Asks::InstagramMessages,
        (Platform::Instagram, Login::Facebook) => Asks::InstagramThroughPages,
    }
}

/// As stored.
pub(crate) fn asks_name(asks: Asks) -> &'static str {
    match asks {
        Asks::InstagramMessages => "instagram_messages",
        Asks::PageMessages => "page_messages",
        Asks::InstagramThroughPages => "instagram_through_pages",
    }
}

/// From what is stored.
pub fn asks_of(name: &str) -> Option<Asks> {
    [Asks::InstagramMessages, Asks::PageMessages, Asks::InstagramThroughPages]
        .into_iter()
        .find(|asks| asks_name(*asks) == name)
}

/// Which API speaks for the accounts that are found so.
pub fn route_of(asks: Asks) -> LoginRoute {
    match asks {
        Asks::InstagramMessages => LoginRoute::InstagramLogin,
        Asks::PageMessages => LoginRoute::FacebookPage,
        Asks::InstagramThroughPages => LoginRoute::InstagramViaPage,
    }
}
