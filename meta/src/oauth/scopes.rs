//! Which permissions are asked for, and which of them nothing works without (fact sheet §1.3).
//! The names differ by login product; those of Instagram Login before 2025 are refused by Meta.

use super::Login;

/// What the login is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// Direct messages of an Instagram account through Instagram Login.
    InstagramMessages,
    /// Messages of Pages.
    PageMessages,
    /// Direct messages of Instagram accounts through the Pages they are linked to.
    InstagramThroughPages,
}

/// A permission that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Meta's name.
    pub name: &'static str,
    /// Nothing works without it. The others help to find Pages, and may be declined.
    pub needed: bool,
}

const fn needed(name: &'static str) -> Scope {
    Scope { name, needed: true }
}

const fn helpful(name: &'static str) -> Scope {
    Scope { name, needed: false }
}

const INSTAGRAM_MESSAGES: &[Scope] =
    &[needed("instagram_business_basic"), needed("instagram_business_manage_messages")];

const PAGE_MESSAGES: &[Scope] = &[
    needed("pages_show_list"),
    needed("pages_messaging"),
    needed("pages_manage_metadata"),
    helpful("pages_read_engagement"),
    helpful("business_management"),
];

const INSTAGRAM_THROUGH_PAGES: &[Scope] = &[
    needed("pages_show_list"),
    needed("pages_manage_metadata"),
    needed("pages_read_engagement"),
    needed("instagram_basic"),
    needed("instagram_manage_messages"),
    helpful("pages_messaging"),
    helpful("business_management"),
];

impl Asks {
    /// The login product that is asked.
    pub fn login(self) -> Login {
        match self {
            Self::InstagramMessages => Login::Instagram,
            Self::PageMessages | Self::InstagramThroughPages => Login::Facebook,
        }
    }

    /// What is asked for, in the order in which it is shown.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::InstagramMessages => INSTAGRAM_MESSAGES,
            Self::PageMessages => PAGE_MESSAGES,
            Self::InstagramThroughPages => INSTAGRAM_THROUGH_PAGES,
        }
    }

    /// The needed permissions that are not among the granted ones.
    pub fn missing(self, granted: &[String]) -> Vec<&'static str> {
        let lacks = |scope: &&Scope| scope.needed && !granted.iter().any(|name| name == scope.name);
        self.scopes().iter().filter(lacks).map(|scope| scope.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_what_only_helps_is_not() {
        let granted: Vec<String> = ["pages_show_list", "pages_messaging"].map(str::to_owned).to_vec();
        assert_eq!(Asks::PageMessages.missing(&granted), ["pages_manage_metadata"]);
        let all: Vec<String> = Asks::InstagramMessages.scopes().iter().map(|scope| scope.name.to_owned()).collect();
        assert!(Asks::InstagramMessages.missing(&all).is_empty());
        assert_eq!(Asks::InstagramMessages.missing(&[]).len(), 2);
    }

    #[test]
    fn no_name_is_one_that_meta_has_retired() {
        for asks in [Asks::InstagramMessages, Asks::PageMessages, Asks::InstagramThroughPages] {
            for scope in asks.scopes() {
                assert!(!scope.name.starts_with("business_basic") && !scope.name.starts_with("business_manage_"));
                assert_eq!(asks.login() == Login::Instagram, scope.name.starts_with("instagram_business_"));
            }
        }
    }
}
