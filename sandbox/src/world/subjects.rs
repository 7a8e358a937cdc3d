//! What befalls the tokens of someone who signed in: the app removed, a password changed, a permission taken back.
//! Meta tells nobody; the program learns it from its next call.

use crate::oauth::codes::Subject;

use super::{
    World,
    tokens::{Death, Token},
};

impl World {
    /// The tokens of a person, or of an account and the Page it is reached through.
    pub(crate) fn tokens_of(&self, subject: Subject) -> Vec<usize> {
        let meant = |token: &Token| match subject {
            Subject::Person(person) => token.person == Some(person),
            Subject::Account(account) => {
                let page = self.accounts.get(account).page;
                token.account.is_some_and(|own| own == account || Some(own) == page)
            }
        };
        self.tokens.known().filter(|(_, token)| meant(token)).map(|(index, _)| index).collect()
    }

    /// Kills them; answers how many were alive.
    pub(crate) fn kill_tokens(&mut self, subject: Subject, death: Death) -> usize {
        if let (Subject::Person(person), Death::AppRemoved) = (subject, death) {
            self.managers[person].grant = None;
        }
        let alive = self.count_valid(subject);
        for index in self.tokens_of(subject) {
            self.tokens.get_mut(index).death.get_or_insert(death);
        }
        alive
    }

    /// Ends their time; answers how many were alive.
    pub(crate) fn expire_tokens(&mut self, subject: Subject) -> usize {
        let (now, alive) = (self.clock.now(), self.count_valid(subject));
        for index in self.tokens_of(subject) {
            let token = self.tokens.get_mut(index);
            token.expires_at = Some(token.expires_at.map_or(now, |at| at.min(now)));
        }
        alive
    }

    fn count_valid(&self, subject: Subject) -> usize {
        let tokens = self.tokens_of(subject);
        tokens.into_iter().filter(|index| self.token_problem(self.tokens.get(*index)).is_none()).count()
    }

    /// Takes permissions away from them and from what was granted.
    pub(crate) fn remove_permissions(&mut self, subject: Subject, removed: &[String]) -> usize {
        if let Subject::Person(person) = subject
            && let Some(grant) = &mut self.managers[person].grant
        {
            let (gone, left) = std::mem::take(&mut grant.scopes).into_iter().partition(|name| removed.contains(name));
            grant.scopes = left;
            grant.declined.extend::<Vec<String>>(gone);
        }
        let tokens = self.tokens_of(subject);
        for index in &tokens {
            self.tokens.get_mut(*index).scopes.retain(|scope| !removed.contains(scope));
        }
        tokens.len()
    }
}
