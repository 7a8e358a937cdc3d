//! What the checker's log says, put together: which messages were sent in which webhook, what was acknowledged, and every kind of
//! answer counted.

use crate::log::{Entry, Outcome, Written};
use std::collections::{BTreeMap, BTreeSet};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Every message that left, by Meta's id of it, with the number of its webhook.
    pub messages: BTreeMap<String, (Written, u32)>,
    /// How many webhooks were made.
    pub webhooks: usize,
    /// Webhooks that were answered 200 at least once.
    pub acknowledged: BTreeSet<u32>,
    /// Every attempt.
    pub attempts: u64,
    /// Of them, those of webhooks that had been acknowledged.
    pub redelivered: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// No connection.
    pub not_connected: u64,
    /// Cut off after bytes were sent, by what was seen.
    pub cut_off: BTreeMap<String, u64>,
    /// No answer in time.
    pub timed_out: u64,
    /// Attempts that the log breaks off at.
    pub open: u64,
    /// Whether the log says that everything was acknowledged.
    pub done: bool,
    /// From the first attempt to the last answer, in milliseconds.
    pub took_ms: i64,
}

impl History {
    /// Of a log.
    pub fn of(entries: &[Entry]) -> Self {
        let mut history = Self::default();
        let mut attempts: BTreeMap<u64, u32> = BTreeMap::new();
        let (mut first, mut last) = (None, 0);
        for entry in entries {
            match entry {
                Entry::Made { webhook, messages } => {
                    history.webhooks += 1;
                    let messages = messages.iter().map(|one| (one.mid.clone(), (one.clone(), *webhook)));
                    history.messages.extend(messages);
                }
                Entry::Attempt { webhook, attempt, again, at, .. } => {
                    first.get_or_insert(*at);
                    attempts.insert(*attempt, *webhook);
                    history.attempts += 1;
                    history.redelivered += u64::from(*again);
                }
                Entry::Answer { attempt, outcome, at } => {
                    last = *at;
                    let Some(webhook) = attempts.remove(attempt) else { continue };
                    if outcome.is_acknowledged() {
                        history.acknowledged.insert(webhook);
                    }
                    match outcome {
                        Outcome::Status(status) => *history.statuses.entry(*status).or_default() += 1,
                        Outcome::NotConnected => history.not_connected += 1,
                        Outcome::CutOff(how) => *history.cut_off.entry(how.clone()).or_default() += 1,
                        Outcome::TimedOut => history.timed_out += 1,
                    }
                }
                Entry::Done { .. } => history.done = true,
            }
        }
        history.open = attempts.len() as u64;
        history.took_ms = first.map_or(0, |first| last - first);
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_200_acknowledges() {
        let written =
            |mid: &str| Written { mid: mid.to_owned(), account: "a".to_owned(), customer: "c".to_owned(), text: None };
        let attempt = |webhook, attempt, again| Entry::Attempt { webhook, attempt, to: 0, again, at: 10 };
        let answer = |attempt, outcome| Entry::Answer { attempt, outcome, at: 25 };
        let history = History::of(&[
            Entry::Made { webhook: 1, messages: vec![written("m1"), written("m2")] },
            attempt(1, 0, false),
            answer(0, Outcome::Status(503)),
            Entry::Made { webhook: 2, messages: vec![written("m3")] },
            attempt(2, 1, false),
            attempt(1, 2, false),
            answer(1, Outcome::Status(200)),
            answer(2, Outcome::CutOff("reset".to_owned())),
            attempt(2, 3, true),
        ]);
        assert_eq!(history.acknowledged, BTreeSet::from([2]));
        assert_eq!((history.webhooks, history.messages.len(), history.messages["m2"].1), (2, 3, 1));
        assert_eq!((history.attempts, history.redelivered, history.open), (4, 1, 1));
        assert_eq!(history.statuses, BTreeMap::from([(200, 1), (503, 1)]));
        assert_eq!((history.cut_off["reset"], history.done, history.took_ms), (1, false, 15));
    }
}
