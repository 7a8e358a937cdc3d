//! From an event to deliveries: which apps get it, alone or in a batch, and which fault befalls it on the way.
//! Runs under the lock and only fills the queue; the deliverer does the rest.

use std::time::{Duration, Instant};

use crate::{
    faults::Group,
    world::{World, accounts::Login, people::Place},
};

use super::{
    body::{self, Entry},
    delivery::{Delivery, Lane, State},
    events,
    queue::{Batched, Later},
};

/// The list of an entry an element belongs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Field {
    Messaging,
    Standby,
    Changes,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Messaging => "messaging",
            Self::Standby => "standby",
            Self::Changes => "changes",
        }
    }
}

/// Something an account's subscribers are told.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) account: usize,
    pub(crate) person: Option<usize>,
    pub(crate) field: Field,
    pub(crate) element: String,
}

impl World {
    /// Why nobody is told, if so.
    fn no_subscriber(&self, account: usize, object: &str) -> Option<String> {
        if !self.accounts.get(account).subscribed {
            return Some("the account is not subscribed to webhooks".to_owned());
        }
        self.webhook_url(object).is_none().then(|| "no webhook address is set".to_owned())
    }

    pub(crate) fn webhook_url(&self, object: &str) -> Option<&str> {
        let config = &self.config;
        let url = if object == "page" { &config.webhook_url_facebook } else { &config.webhook_url_instagram };
        url.as_deref()
    }

    /// Tells them of something in a conversation; on standby when another app owns it.
    pub(crate) fn tell(&mut self, place: Place, element: String, urgent: bool) -> Vec<usize> {
        let field = if self.accounts.get(place.account).standby { Field::Standby } else { Field::Messaging };
        self.emit(Event { account: place.account, person: Some(place.person), field, element }, urgent)
    }

    /// Tells the subscribers. An urgent event waits for no batch and no lane, and no fault befalls it.
    pub(crate) fn emit(&mut self, event: Event, urgent: bool) -> Vec<usize> {
        let account = self.accounts.get(event.account);
        let object = account.object();
        let account_id = account.id.clone();
        let apps = account.logins.clone();
        let now = self.clock.now();
        let mut made = Vec::new();
        for app in apps {
            let skip = self.no_subscriber(event.account, object).or_else(|| self.no_field(&event, object));
            if self.config.batch.is_some() && !urgent && skip.is_none() {
                made.extend(self.add_to_batch(object, app, &event));
                continue;
            }
            let entry =
                Entry { account_id: &account_id, time: now, field: event.field.name(), elements: vec![&event.element] };
            let delivery = Delivery {
                object,
                app,
                changes: event.field == Field::Changes,
                accounts: vec![event.account],
                updates: 1,
                body: body::envelope(object, &[entry]),
                state: if skip.is_some() { State::Skipped } else { State::Waiting },
                created_at: now,
                first_attempt_at: None,
                next_attempt_at: None,
                attempts: Vec::new(),
                duplicate: false,
                error: skip,
                lane: (!urgent).then_some(Lane::Thread { account: event.account, person: event.person }),
            };
            made.push(self.add_delivery(delivery, urgent));
        }
        made
    }

    fn add_delivery(&mut self, delivery: Delivery, urgent: bool) -> usize {
        let skipped = delivery.state == State::Skipped;
        let account = delivery.accounts.first().copied().unwrap_or_default();
        let lane = delivery.lane;
        let index = self.queue.keep(delivery);
        if skipped {
            return index;
        }
        if urgent {
            self.counters.webhooks_queued += 1;
            self.queue.enqueue(index);
            return index;
        }
        let account_id = self.accounts.get(account).id.clone();
        let fault = self.faults.fire(Group::Event, &account_id, &["spurious_edit"], &mut self.rng);
        if fault.as_ref().is_some_and(|fault| fault.name == "webhook_lost") {
            self.queue.deliveries[index].error = Some("lost by the fault webhook_lost".to_owned());
            self.queue.finish(index, State::Lost);
            return index;
        }
        self.counters.webhooks_queued += 1;
        let wait = fault.as_ref().map_or(0, |fault| fault.number("ms"));
        let at = Instant::now() + Duration::from_millis(wait);
        match fault.as_ref().map(|fault| fault.name) {
            Some("delay") => {
                self.queue.deliveries[index].lane = None;
                self.queue.later(at, Later::Deliver(index));
                return index;
            }
            Some("reorder") => {
                self.queue.held.entry(account).or_default().push(index);
                self.queue.later(at, Later::Overtaken { delivery: index, account });
                return index;
            }
            Some("duplicate") => {
                let copies = fault.as_ref().map_or(1, |fault| fault.number("copies")).min(100);
                for _ in 0..copies {
                    self.add_copy(index);
                }
            }
            _ => {}
        }
        self.queue.enqueue(index);
        // Whoever waited to be overtaken by this one now stands right behind it.
        for held in self.queue.held.remove(&account).unwrap_or_default() {
            self.queue.deliveries[held].lane = lane;
            self.queue.enqueue(held);
        }
        index
    }

    /// The same bytes once more, without waiting for the first.
    fn add_copy(&mut self, index: usize) {
        let original = &self.queue.deliveries[index];
        let copy = Delivery {
            object: original.object,
            app: original.app,
            changes: original.changes,
            accounts: original.accounts.clone(),
            updates: original.updates,
            body: original.body.clone(),
            state: State::Waiting,
            created_at: original.created_at,
            first_attempt_at: None,
            next_attempt_at: None,
            attempts: Vec::new(),
            duplicate: true,
            error: None,
            lane: None,
        };
        let copy = self.queue.keep(copy);
        self.counters.webhooks_queued += 1;
        self.counters.duplicates += 1;
        self.queue.enqueue(copy);
    }

    fn add_to_batch(&mut self, object: &'static str, app: Login, event: &Event) -> Option<usize> {
        let settings = self.config.batch?;
        let batch = self.queue.batches.entry((object, app)).or_default();
        batch.updates.push(Batched { account: event.account, field: event.field, element: event.element.clone() });
        if batch.updates.len() >= settings.max_events {
            return self.flush(object, app);
        }
        if batch.updates.len() == 1 {
            let flush = Later::Flush { object, app, number: batch.number };
            self.queue.later(Instant::now() + Duration::from_millis(settings.max_ms), flush);
        }
        None
    }

    /// Sends the open batch of an address.
    fn flush(&mut self, object: &'static str, app: Login) -> Option<usize> {
        let batch = self.queue.batches.get_mut(&(object, app))?;
        batch.number += 1;
        let updates = std::mem::take(&mut batch.updates);
        if updates.is_empty() {
            return None;
        }
        let now = self.clock.now();
        let mut entries: Vec<(usize, Entry<'_>)> = Vec::new();
        for update in &updates {
            let field = update.field.name();
            // Neighbours of one account share an entry; going back further would change the order of updates.
            match entries.last_mut() {
                Some((account, entry)) if *account == update.account && entry.field == field => {
                    entry.elements.push(&update.element);
                }
                _ => {
                    let account_id = &self.accounts.get(update.account).id;
                    let elements = vec![update.element.as_str()];
                    entries.push((update.account, Entry { account_id, time: now, field, elements }));
                }
            }
        }
        let mut accounts: Vec<usize> = entries.iter().map(|(account, _)| *account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let entries: Vec<Entry<'_>> = entries.into_iter().map(|(_, entry)| entry).collect();
        let delivery = Delivery {
            object,
            app,
            changes: updates.iter().all(|update| update.field == Field::Changes),
            accounts,
            updates: updates.len(),
            body: body::envelope(object, &entries),
            state: State::Waiting,
            created_at: now,
            first_attempt_at: None,
            next_attempt_at: None,
            attempts: Vec::new(),
            duplicate: false,
            error: None,
            lane: Some(Lane::Batch { object, app }),
        };
        Some(self.add_delivery(delivery, false))
    }

    /// Does everything whose real time has come.
    pub(crate) fn do_later(&mut self, now: Instant) {
        while let Some(later) = self.queue.take_later(now) {
            match later {
                Later::Deliver(index) => self.queue.enqueue(index),
                Later::Overtaken { delivery, account } => {
                    let held = self.queue.held.get_mut(&account);
                    let still = held.and_then(|held| {
                        let at = held.iter().position(|held| *held == delivery)?;
                        Some(held.remove(at))
                    });
                    if let Some(index) = still {
                        self.queue.enqueue(index);
                    }
                }
                Later::Echo { place, sent } => {
                    self.emit_echo(place, sent, false);
                }
                Later::Flush { object, app, number } => {
                    let open = self.queue.batches.get(&(object, app));
                    if open.is_some_and(|batch| batch.number == number) {
                        self.flush(object, app);
                    }
                }
            }
        }
    }

    /// The echo of a message we accepted.
    pub(crate) fn emit_echo(&mut self, place: Place, sent: usize, urgent: bool) -> Vec<usize> {
        let now = self.clock.now();
        let (account, person) = self.accounts.at(place);
        let sent = &self.sent[sent];
        let parties = events::Parties::outbound(&account.id, &person.id, now);
        let instagram = account.is_instagram();
        let app_id = if account.logins.contains(&Login::Instagram) {
            &self.config.instagram_app_id
        } else {
            &self.config.meta_app_id
        };
        let shown = !instagram || self.config.instagram_echo_app_id;
        let echo = events::Echo {
            mid: &sent.mid,
            text: sent.text.as_deref(),
            attachment: sent.attachment.as_ref(),
            metadata: sent.metadata.as_deref().filter(|_| !instagram),
            app_id: app_id.parse().ok().filter(|_| shown),
        };
        let element = events::echo(&parties, &echo);
        self.counters.echoes += 1;
        self.tell(place, element, urgent)
    }
}
