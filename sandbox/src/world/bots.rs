//! Customers that are bots: whatever an account sends them, they write back, for ever if they are let.
//! Only so a test can see that two bots do not keep each other talking.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{World, inbound::Written, people::Place};

/// How much of a message is repeated, so that an echo of an echo does not grow without end.
const REPEATED: usize = 500;

/// How a customer answers.
#[derive(Debug)]
pub(crate) struct Bot {
    /// Always the same; none: what was heard, with a number.
    pub(crate) text: Option<String>,
    pub(crate) delay_ms: i64,
    pub(crate) max: Option<u64>,
    /// Messages decided on; some of them may still be to come.
    planned: u64,
    wrote: u64,
}

impl Bot {
    pub(crate) fn new(text: Option<String>, delay_ms: i64, max: Option<u64>) -> Self {
        Self { text, delay_ms, max, planned: 0, wrote: 0 }
    }
}

/// All of them, and what they are about to write.
#[derive(Debug, Default)]
pub(crate) struct Bots {
    list: HashMap<Place, Bot>,
    /// By the sandbox's clock, in the order in which they were decided on.
    due: BTreeMap<(i64, u64), (Place, String)>,
    number: u64,
}

impl Bots {
    /// What is still to be written.
    pub(crate) fn pending(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Makes a customer a bot, anew if they are one already.
    pub(crate) fn start(&mut self, place: Place, bot: Bot) {
        self.due.retain(|_, (of, _)| *of != place);
        self.list.insert(place, bot);
    }

    /// Stops them all, in the middle of a sentence.
    pub(crate) fn stop(&mut self) -> usize {
        self.due.clear();
        self.list.drain().count()
    }
}

impl World {
    /// An account's message has reached a customer.
    pub(crate) fn heard(&mut self, place: Place, text: Option<&str>) {
        let now = self.clock.now();
        let Some(bot) = self.bots.list.get_mut(&place) else { return };
        if bot.max.is_some_and(|max| bot.planned >= max) {
            return;
        }
        bot.planned += 1;
        let words = bot.text.clone().unwrap_or_else(|| {
            let heard: String = text.unwrap_or("[attachment]").chars().take(REPEATED).collect();
            format!("{heard} ({})", bot.planned)
        });
        self.bots.number += 1;
        self.bots.due.insert((now.saturating_add(bot.delay_ms), self.bots.number), (place, words));
    }

    /// Lets those write whose time has come.
    pub(crate) fn let_bots_write(&mut self) {
        let now = self.clock.now();
        while let Some(first) = self.bots.due.first_entry().filter(|first| first.key().0 <= now) {
            let (place, text) = first.remove();
            if let Some(bot) = self.bots.list.get_mut(&place) {
                bot.wrote += 1;
            }
            self.write_as_customer(place, Written { text: Some(text), ..Written::default() });
        }
    }

    /// One bot as the control interface shows it.
    pub(crate) fn bot_json(&self, place: Place) -> Option<Value> {
        let bot = self.bots.list.get(&place)?;
        let (account, person) = self.accounts.at(place);
        Some(json!({
            "accountId": account.id, "customerId": person.id, "text": bot.text, "delayMs": bot.delay_ms, "max": bot.max,
            "wrote": bot.wrote, "waiting": self.bots.due.values().filter(|(of, _)| *of == place).count(),
        }))
    }

    /// All of them, in the order of accounts and customers.
    pub(crate) fn bots_json(&self) -> Vec<Value> {
        let mut places: Vec<Place> = self.bots.list.keys().copied().collect();
        places.sort_unstable_by_key(|place| (place.account, place.person));
        places.into_iter().filter_map(|place| self.bot_json(place)).collect()
    }
}
