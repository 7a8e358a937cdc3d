//! Making tokens: how long each kind lives, and what `expires_in` says about it.
//! Sixty days are never quite sixty days with Meta, so a client cannot rely on the number.

use rand::RngExt;
use serde_json::{Value, json};

use crate::world::{
    World,
    accounts::Login,
    tokens::{Kind, Token},
};

const HOUR_S: u64 = 3_600;
const SIXTY_DAYS_S: u64 = 60 * 86_400;

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or_default() * 1000
}

impl World {
    /// The seconds a new long-lived token lives.
    fn sixty_days(&mut self) -> u64 {
        let drift = self.config.expires_in_drift_seconds;
        if drift == 0 { SIXTY_DAYS_S } else { SIXTY_DAYS_S - self.rng.random_range(1..=drift) }
    }

    /// A new token of that kind, for the same holder and with the same permissions as `like`.
    /// Answers its text and the seconds it lives; none: it does not expire.
    pub(crate) fn issue(&mut self, kind: Kind, like: &Token) -> (String, Option<u64>) {
        let lives = match kind {
            Kind::InstagramShort | Kind::UserShort => Some(HOUR_S),
            Kind::InstagramLong | Kind::UserLong => Some(self.sixty_days()),
            Kind::Page | Kind::App | Kind::Fixed => None,
        };
        let now = self.clock.now();
        let text = self.ids.token(&mut self.rng, like.product == Login::Instagram);
        let text = if kind == Kind::App { format!("{}|{text}", self.app_id(like.product)) } else { text };
        let token = Token {
            text: text.clone(),
            kind,
            issued_at: now,
            expires_at: lives.map(|seconds| now + ms(seconds)),
            death: None,
            refreshed_from: None,
            ..like.clone()
        };
        self.tokens.add(token);
        (text, lives)
    }

    /// A token that nobody has yet, to issue one like it.
    pub(crate) fn blank_token(product: Login) -> Token {
        Token {
            text: String::new(),
            kind: Kind::App,
            product,
            account: None,
            person: None,
            scopes: Vec::new(),
            issued_at: 0,
            expires_at: None,
            death: None,
            refreshed_from: None,
        }
    }

    /// Sixty more days for a token: another text, or the same one living on.
    pub(crate) fn prolong(&mut self, index: usize) -> (String, u64) {
        let now = self.clock.now();
        let old = self.tokens.get(index).clone();
        if self.config.refresh_rotates {
            // The old one lives on until its own end: whoever lost the answer can refresh it again.
            let (text, lives) = self.issue(Kind::InstagramLong, &old);
            if let Some(new) = self.tokens.find(&text) {
                self.tokens.get_mut(new).refreshed_from = Some(old.text);
            }
            return (text, lives.unwrap_or_default());
        }
        let lives = self.sixty_days();
        let token = self.tokens.get_mut(index);
        token.issued_at = now;
        token.expires_at = Some(now + ms(lives));
        token.refreshed_from = Some(old.text.clone());
        (old.text, lives)
    }

    /// The token of a Page, as a user token finds it: it lives as long as its parent, or for ever.
    pub(crate) fn page_token(&mut self, page: usize, parent: &Token) -> String {
        let expires_at = if parent.kind == Kind::UserShort { parent.expires_at } else { None };
        let same = |token: &Token| {
            token.kind == Kind::Page
                && token.account == Some(page)
                && token.person == parent.person
                && token.expires_at == expires_at
                && token.scopes == parent.scopes
                && token.death.is_none()
        };
        if let Some((_, token)) = self.tokens.known().find(|(_, token)| same(token)) {
            return token.text.clone();
        }
        let like = Token { account: Some(page), ..parent.clone() };
        let (text, _) = self.issue(Kind::Page, &like);
        if let Some(index) = self.tokens.find(&text) {
            self.tokens.get_mut(index).expires_at = expires_at;
        }
        text
    }
}

/// The usual answer to whoever gets a token.
pub(crate) fn answer(token: &str, expires_in: Option<u64>) -> Value {
    let mut body = json!({"access_token": token, "token_type": "bearer"});
    if let Some(seconds) = expires_in {
        body["expires_in"] = seconds.into();
    }
    body
}
