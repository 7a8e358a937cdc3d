//! Every access token there is, what it may do, and why it is dead if it is.
//! A token never leaves the list: a test must be able to read why Meta refuses it.

use std::collections::HashMap;

use super::{World, accounts::Login};

/// Where a token comes from, and so how long it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    InstagramShort,
    InstagramLong,
    UserShort,
    UserLong,
    Page,
    App,
    /// Made with an account by the control interface: it does not expire by itself.
    Fixed,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InstagramShort => "instagramShort",
            Self::InstagramLong => "instagramLong",
            Self::UserShort => "userShort",
            Self::UserLong => "userLong",
            Self::Page => "page",
            Self::App => "app",
            Self::Fixed => "fixed",
        }
    }

    /// What `issued_at` of `debug_token` is shown for.
    pub(crate) fn long_lived(self) -> bool {
        !matches!(self, Self::InstagramShort | Self::UserShort)
    }
}

/// What killed a token before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    AppRemoved,
    PasswordChanged,
}

/// Why a token is not valid now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    AppRemoved,
    PasswordChanged,
    /// Since when.
    Expired(i64),
    /// The person no longer manages the Page.
    RoleLost,
}

impl Problem {
    /// The subcode of error 190.
    pub(crate) fn subcode(self) -> u32 {
        match self {
            Self::AppRemoved => 458,
            Self::PasswordChanged => 460,
            Self::Expired(_) => 463,
            Self::RoleLost => 492,
        }
    }
}

/// One access token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) kind: Kind,
    pub(crate) product: Login,
    /// The Page, or the account of Instagram Login.
    pub(crate) account: Option<usize>,
    /// The Facebook person behind it.
    pub(crate) person: Option<usize>,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) death: Option<Death>,
    pub(crate) refreshed_from: Option<String>,
}

impl Token {
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

/// All tokens, found by their text.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    list: Vec<Token>,
    by_text: HashMap<String, usize>,
}

impl Tokens {
    pub(crate) fn add(&mut self, token: Token) -> usize {
        let index = self.list.len();
        self.by_text.insert(token.text.clone(), index);
        self.list.push(token);
        index
    }

    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        self.by_text.get(text).copied()
    }

    pub(crate) fn get(&self, index: usize) -> &Token {
        &self.list[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Token {
        &mut self.list[index]
    }

    /// Nobody knows that text any more.
    pub(crate) fn forget(&mut self, text: &str) {
        self.by_text.remove(text);
    }

    /// Those that are still known, oldest first.
    pub(crate) fn known(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.list.iter().enumerate().filter(|(index, token)| self.by_text.get(&token.text) == Some(index))
    }
}

impl World {
    /// Why that token is not valid now; none: it is.
    pub(crate) fn token_problem(&self, token: &Token) -> Option<Problem> {
        match token.death {
            Some(Death::AppRemoved) => return Some(Problem::AppRemoved),
            Some(Death::PasswordChanged) => return Some(Problem::PasswordChanged),
            None => {}
        }
        if let Some(at) = token.expires_at.filter(|at| *at <= self.clock.now()) {
            return Some(Problem::Expired(at));
        }
        let (Some(person), Some(page)) = (token.person, token.account) else { return None };
        self.managed_page(person, page).is_none().then_some(Problem::RoleLost)
    }

    /// Gives an account the token the control interface chose; the one before is unknown from then on.
    pub(crate) fn fix_token(&mut self, account: usize, text: String) {
        let product = if self.accounts.get(account).is_instagram() { Login::Instagram } else { Login::Facebook };
        if let Some(old) = self.accounts.get_mut(account).token.replace(text.clone()) {
            self.tokens.forget(&old);
        }
        self.tokens.add(Token {
            text,
            kind: Kind::Fixed,
            product,
            account: Some(account),
            person: None,
            scopes: crate::oauth::scopes::known(product).iter().map(|scope| (*scope).to_owned()).collect(),
            issued_at: self.clock.now(),
            expires_at: None,
            death: None,
            refreshed_from: None,
        });
    }
}
