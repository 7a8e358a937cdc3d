//! What is noted, each thing once and no more of it than is worth telling one by one, and what of it other processes are still
//! to be told.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Changes of an organization that are told one by one; more at once are told as [`What::Everything`].
pub const MOST: usize = 100;
/// Organizations in the outbox; beyond that, while nothing goes out, all of them are to read again.
const ORGANIZATIONS: usize = 10_000;
/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// So much that what is shown is best read again.
    Everything,
    /// A message is new, changed or gone; its conversation shows it, too.
    Message {
        /// Of this conversation.
        conversation: Uuid,
        /// The message.
        id: Uuid,
    },
    /// The contact has received or read more than before: what was sent since then may show another status.
    Receipts {
        /// Of this conversation.
        conversation: Uuid,
        /// How far the contact had come, in milliseconds since 1970 UTC.
        since: i64,
    },
    /// A conversation, or whom it is with.
    Conversation(Uuid),
    /// A connected account.
    Connection(Uuid),
    /// A message that is to be sent at a later time.
    ScheduledMessage(Uuid),
}

/// Changes by organization, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted(BTreeMap<Uuid, BTreeSet<What>>);

impl Noted {
    /// One more.
    pub fn add(&mut self, organization: Uuid, what: What) {
        let of_it = self.0.entry(organization).or_default();
        if of_it.contains(&What::Everything) {
            return;
        }
        of_it.insert(what);
        if what == What::Everything || of_it.len() > MOST {
            *of_it = BTreeSet::from([What::Everything]);
        }
    }

    /// All of another's.
    pub fn merge(&mut self, other: Self) {
        for (organization, what) in other.into_iter() {
            self.add(organization, what);
        }
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn by_organization(self) -> BTreeMap<Uuid, BTreeSet<What>> {
        self.0
    }

    /// One by one, those of an organization together.
    #[expect(clippy::should_implement_trait, reason = "the iterator has no name")]
    pub fn into_iter(self) -> impl Iterator<Item = (Uuid, What)> {
        self.0.into_iter().flat_map(|(organization, all)| all.into_iter().map(move |what| (organization, what)))
    }
}

/// What is taken from the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// These changes.
    Changes(Noted),
    /// More than was kept: everybody is to read again.
    Spilled,
}

/// What other processes are still to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Somebody carries it there; nothing is kept for nobody.
    pub(super) is_carried: bool,
    noted: Noted,
    /// There was more than can be kept.
    spilled: bool,
    /// Some of it is on its way.
    leaving: bool,
}

impl Outbox {
    /// Keeps it where somebody carries it; true where that is so.
    pub(super) fn keep(&mut self, noted: &Noted) -> bool {
        if self.is_carried && !self.spilled {
            self.noted.merge(noted.clone());
            if self.noted.0.len() > ORGANIZATIONS {
                (self.noted, self.spilled) = (Noted::default(), true);
            }
        }
        self.is_carried
    }

    pub(super) fn take(&mut self) -> Outgoing {
        self.leaving = true;
        let noted = std::mem::take(&mut self.noted);
        if std::mem::take(&mut self.spilled) { Outgoing::Spilled } else { Outgoing::Changes(noted) }
    }

    pub(super) fn left(&mut self, back: Option<Outgoing>) {
        self.leaving = false;
        match back {
            None => {}
            Some(Outgoing::Changes(noted)) => _ = self.keep(&noted),
            Some(Outgoing::Spilled) => (self.noted, self.spilled) = (Noted::default(), true),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.noted.is_empty() && !self.spilled && !self.leaving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(organization: u128, what: impl IntoIterator<Item = u128>) -> Noted {
        let mut noted = Noted::default();
        let organization = Uuid::from_u128(organization);
        what.into_iter().for_each(|id| noted.add(organization, What::Conversation(Uuid::from_u128(id))));
        noted
    }

    #[test]
    fn the_same_is_noted_once_and_too_much_as_everything() {
        let mut all = noted(1, [1, 2, 1]);
        all.merge(noted(1, [2, 3]));
        assert_eq!(all.clone().into_iter().count(), 3);
        all.merge(noted(2, 0..=MOST as u128));
        all.merge(noted(2, [7]));
        let of_two = all.by_organization().remove(&Uuid::from_u128(2));
        assert_eq!(of_two, Some(BTreeSet::from([What::Everything])));
    }

    #[test]
    fn the_outbox_keeps_nothing_for_nobody_and_gives_up_what_is_too_much() {
        let mut outbox = Outbox::default();
        assert!(!outbox.keep(&noted(1, [1])) && outbox.is_empty());
        outbox.is_carried = true;
        assert!(outbox.keep(&noted(1, [1])) && !outbox.is_empty());
        assert_eq!(outbox.take(), Outgoing::Changes(noted(1, [1])));
        assert!(!outbox.is_empty(), "it is on its way");
        outbox.keep(&noted(2, [1]));
        outbox.left(Some(Outgoing::Changes(noted(1, [1]))));
        let mut both = noted(1, [1]);
        both.merge(noted(2, [1]));
        assert_eq!(outbox.take(), Outgoing::Changes(both));
        outbox.left(None);
        assert!(outbox.is_empty());
        for organization in 0..=ORGANIZATIONS as u128 {
            outbox.keep(&noted(organization, [1]));
        }
        assert_eq!(outbox.take(), Outgoing::Spilled);
        outbox.left(Some(Outgoing::Spilled));
        outbox.keep(&noted(1, [1]));
        assert_eq!(outbox.take(), Outgoing::Spilled);
        outbox.left(None);
        assert!(outbox.is_empty());
    }
}
