//! Authorization codes: who allowed what, for which redirect address, and whether the code has been used.
//! Instagram's live an hour as documented; Facebook says nothing, so ten minutes is our choice.

use crate::world::{World, accounts::Login};

const INSTAGRAM_CODE_MS: i64 = 3_600_000;
const FACEBOOK_CODE_MS: i64 = 600_000;

/// Who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An account of Instagram Login.
    Account(usize),
    /// A Facebook person.
    Person(usize),
}

/// One code.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) product: Login,
    pub(crate) subject: Subject,
    /// Must come again, byte for byte, when the code is exchanged.
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued_at: i64,
    pub(crate) used: bool,
}

impl Code {
    pub(crate) fn expired(&self, now: i64) -> bool {
        let life = match self.product {
            Login::Instagram => INSTAGRAM_CODE_MS,
            Login::Facebook => FACEBOOK_CODE_MS,
        };
        now - self.issued_at >= life
    }
}

impl World {
    /// The ids a fault may name for someone who signs in: their own, and the Pages they have granted.
    pub(crate) fn subject_ids(&self, subject: Subject) -> Vec<String> {
        match subject {
            Subject::Account(account) => vec![self.accounts.get(account).id.clone()],
            Subject::Person(person) => {
                let pages = self.granted(person);
                let pages = pages.iter().map(|managed| self.accounts.get(managed.page).id.clone());
                std::iter::once(self.managers[person].id.clone()).chain(pages).collect()
            }
        }
    }
}
