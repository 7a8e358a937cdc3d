//! What is going to be delivered: webhooks of 1 to 10 messages of several customers to one or two accounts, from a seed. Made
//! before anything is sent, so that the customers' windows can be open by then.

use crate::world::{Account, Platform, World};
use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;

/// Messages of one customer to an account that answers. Five replies in ten minutes are the most the product gives anybody,
/// for fear of talking to a machine; less than that, and every message must have its reply.
pub const MOST_FROM_ONE: u32 = 3;
/// Customers who write to an account that answers at about the same time.
const AT_ONCE: usize = 60;
/// Customers of an account that does not answer.
const REGULARS: u64 = 3_000;

const TEXTS: [&str; 6] = [
    "Do you have it in blue?",
    "When do you open on Sunday / Monday?",
    "Wie viel kostet das? äöå ß",
    "🙂 thanks 👍🏽",
    "\"quoted\" & <b>bold</b> \\ back",
    "two\nlines\tand a tab",
];

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Meta's id of it.
    pub mid: String,
    /// Meta's id of the customer.
    pub customer: String,
    /// What it says; without words it is a picture.
    pub text: Option<&'static str>,
}

/// What one POST carries for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index of the account.
    pub account: usize,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// One POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Counts from 0.
    pub number: u32,
    /// Whose product.
    pub platform: Platform,
    /// One or two, of different accounts.
    pub entries: Vec<Entry>,
}

/// Makes webhooks.
#[derive(Debug)]
pub struct Maker<'a> {
    world: &'a World,
    rng: StdRng,
    made: u32,
    mids: u64,
    customers: u64,
    /// By account that answers: who is writing, and how often they still will.
    writing: BTreeMap<usize, Vec<(String, u32)>>,
}

impl<'a> Maker<'a> {
    /// With accounts of both sorts, where both are wanted.
    pub fn new(world: &'a World) -> anyhow::Result<Self> {
        let any = |answers: bool| world.accounts.iter().any(|account| account.answers == answers);
        ensure!(any(true) || world.answered == 0, "no account answers");
        ensure!(any(false) || world.answered == 100, "every account answers");
        let rng = StdRng::seed_from_u64(world.seed);
        Ok(Self { world, rng, made: 0, mids: 0, customers: 0, writing: BTreeMap::new() })
    }

    /// The next one.
    pub fn make(&mut self) -> Webhook {
        let answers = self.rng.random_range(0..100) < self.world.answered;
        let of = |wanted: &dyn Fn(&Account) -> bool| -> Vec<usize> {
            let all = self.world.accounts.iter().enumerate();
            all.filter(|(_, account)| account.answers == answers && wanted(account)).map(|(at, _)| at).collect()
        };
        let all = of(&|_| true);
        let first = all[self.rng.random_range(0..all.len())];
        let platform = self.world.accounts[first].platform;
        let others: Vec<_> =
            of(&|account| account.platform == platform).into_iter().filter(|other| *other != first).collect();
        // Most people are told one thing at a time, but not all.
        let count = if self.rng.random_bool(0.5) { 1 } else { self.rng.random_range(2..=10) };
        // Some are for two accounts at once.
        let moved = if !others.is_empty() && self.rng.random_bool(0.2) { count / 2 } else { 0 };
        let mut entries = vec![Entry { account: first, messages: self.messages(first, count - moved) }];
        if moved > 0 {
            let second = others[self.rng.random_range(0..others.len())];
            entries.push(Entry { account: second, messages: self.messages(second, moved) });
        }
        let number = self.made;
        self.made += 1;
        Webhook { number, platform, entries }
    }

    fn messages(&mut self, account: usize, count: u32) -> Vec<Message> {
        (0..count)
            .map(|_| {
                self.mids += 1;
                let prefix = match self.world.accounts[account].platform {
                    Platform::Instagram => "aWdf",
                    Platform::Facebook => "m_",
                };
                let text = (!self.rng.random_bool(0.1)).then(|| TEXTS[self.rng.random_range(0..TEXTS.len())]);
                Message {
                    mid: format!("{prefix}{:x}_{}", self.world.seed, self.mids),
                    customer: self.customer(account),
                    text,
                }
            })
            .collect()
    }

    fn customer(&mut self, account: usize) -> String {
        if !self.world.accounts[account].answers {
            return format!("{}", 8_000_000_000 + self.rng.random_range(0..REGULARS));
        }
        let desk = self.writing.entry(account).or_default();
        if desk.len() < AT_ONCE {
            self.customers += 1;
            // Among them some who write once: with more, one reply too many can hide behind another that is missing.
            let times = self.rng.random_range(1..=MOST_FROM_ONE);
            desk.push((format!("{}", 9_000_000_000 + self.customers), times));
        }
        let at = self.rng.random_range(0..desk.len());
        let (customer, left) = &mut desk[at];
        let customer = customer.clone();
        *left -= 1;
        if *left == 0 {
            desk.swap_remove(at);
        }
        customer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};
    use std::path::PathBuf;

    pub(crate) fn world(answered: u8) -> World {
        let account = |n: usize| Account {
            id: format!("{n}"),
            platform: if n.is_multiple_of(2) { Platform::Instagram } else { Platform::Facebook },
            organization: String::new(),
            answers: n < 4,
        };
        World {
            dir: PathBuf::new(),
            database_url: String::new(),
            sandbox: String::new(),
            apis: Vec::new(),
            balance: crate::world::Balance::Alternate,
            accounts: (0..8).map(account).collect(),
            seed: 7,
            webhooks: 0,
            rate: 0,
            redelivered: 0,
            answered,
            final_within: 0,
            echoes: true,
        }
    }

    #[test]
    fn webhooks_have_one_to_ten_messages_whose_ids_are_unique_and_customers_stay_within_bounds() {
        let world = world(60);
        let mut maker = Maker::new(&world).unwrap();
        let (mut mids, mut from) = (HashSet::new(), HashMap::<_, u32>::new());
        let (mut answered, mut several) = (0, 0);
        for number in 0..3_000 {
            let webhook = maker.make();
            assert_eq!(webhook.number, number);
            let count = webhook.entries.iter().map(|entry| entry.messages.len()).sum::<usize>();
            assert!((1..=10).contains(&count));
            several += usize::from(webhook.entries.len() > 1);
            for entry in &webhook.entries {
                let account = &world.accounts[entry.account];
                assert_eq!(account.platform, webhook.platform);
                assert!(!entry.messages.is_empty());
                for message in &entry.messages {
                    assert!(mids.insert(message.mid.clone()));
                    *from.entry((account.answers, entry.account, message.customer.clone())).or_default() += 1;
                }
            }
            answered += usize::from(world.accounts[webhook.entries[0].account].answers);
        }
        assert!((1_600..2_000).contains(&answered) && several > 100, "{answered} {several}");
        assert!(from.iter().all(|((answers, ..), count)| !answers || *count <= MOST_FROM_ONE));
        assert!(from.values().filter(|count| **count > 1).count() > 100);
    }

    #[test]
    fn the_same_seed_makes_the_same() {
        let world = world(100);
        let make = || {
            let mut maker = Maker::new(&world).unwrap();
            (0..50).map(|_| maker.make()).collect::<Vec<_>>()
        };
        assert_eq!(make(), make());
    }
}
