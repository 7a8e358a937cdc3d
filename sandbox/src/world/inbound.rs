//! What a customer does: writes, reacts, reads, takes back; and what the owner types in Meta's own app.
//! Each changes the thread and the window first and then becomes a webhook event, in one step under the lock.

use serde_json::Value;

use crate::{
    faults::Group,
    webhook::{
        emit::{Event, Field},
        events,
    },
};

use super::{
    World,
    people::{From, Message, Place},
};

/// A DM from a customer, and how many messages the Send API accepted after it and before the next one.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) mid: String,
    pub(crate) place: Place,
    pub(crate) replies: u64,
}

/// What a customer writes.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: Option<String>,
    pub(crate) attachments: Vec<Value>,
    pub(crate) reply_to: Option<String>,
    pub(crate) quick_reply: Option<String>,
    pub(crate) referral: Option<Value>,
    pub(crate) story: Option<Value>,
    pub(crate) postback: Option<Value>,
    pub(crate) unsupported: bool,
    pub(crate) timestamp: Option<i64>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) mid: String,
    pub(crate) timestamp: i64,
    pub(crate) deliveries: Vec<usize>,
}

impl World {
    pub(crate) fn new_mid(&mut self, account: usize) -> String {
        let instagram = self.accounts.get(account).is_instagram();
        self.ids.message(&mut self.rng, instagram)
    }

    /// Notes a DM: it opens the window and starts a new count of replies.
    fn note_dm(&mut self, place: Place, message: Message) {
        let at = message.at;
        self.counters.messages_in += 1;
        let index = self.inbound.len();
        self.inbound.push(Inbound { mid: message.mid.clone(), place, replies: 0 });
        let person = self.accounts.person_mut(place);
        person.last_dm = Some(index);
        person.last_inbound = Some(at);
        self.accounts.push(place, message);
    }

    /// A customer writes.
    pub(crate) fn write_as_customer(&mut self, place: Place, mut written: Written) -> Made {
        let now = self.clock.now();
        if self.accounts.get(place.account).standby
            && let Some(Value::Object(postback)) = &mut written.postback
        {
            // The payload is for the app that sent the button alone.
            postback.remove("payload");
        }
        let mid = self.new_mid(place.account);
        let timestamp = written.timestamp.unwrap_or(now);
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::inbound(&account.id, &person.id, timestamp);
        let element = events::written(&parties, &mid, &written);
        let bare_referral = written.referral.is_some()
            && written.text.is_none()
            && written.attachments.is_empty()
            && written.postback.is_none();
        if bare_referral {
            self.accounts.person_mut(place).last_inbound = Some(now);
        } else {
            let title = written.postback.as_ref().and_then(|postback| postback["title"].as_str());
            let text = written.text.clone().or_else(|| title.map(str::to_owned));
            let message = Message {
                mid: mid.clone(),
                from: From::Customer,
                text,
                attachments: written.attachments,
                at: now,
                metadata: None,
                deleted: false,
                edits: 0,
                reaction: None,
            };
            self.note_dm(place, message);
        }
        let deliveries = self.emit_dm(place, &mid, element);
        Made { mid, timestamp, deliveries }
    }

    fn emit_dm(&mut self, place: Place, mid: &str, element: String) -> Vec<usize> {
        let deliveries = self.tell(place, element, false);
        let account = self.accounts.get(place.account).id.clone();
        let others = ["duplicate", "reorder", "delay", "webhook_lost"];
        if self.faults.fire(Group::Event, &account, &others, &mut self.rng).is_some() {
            let now = self.clock.now();
            self.tell(place, events::spurious_edit(mid, now), false);
        }
        deliveries
    }

    /// A raw element, taken at its word: a message in it is a DM, a reaction opens the window.
    pub(crate) fn raw_event(&mut self, account: usize, field: Field, element: String) -> Vec<usize> {
        let parsed: Value = serde_json::from_str(&element).unwrap_or_default();
        let sender = parsed["sender"]["id"].as_str();
        let ours = self.accounts.get(account).id.as_str();
        let from_customer = sender.filter(|sender| *sender != ours && field != Field::Changes);
        let Some(sender) = from_customer.map(str::to_owned) else {
            return self.emit(Event { account, person: None, field, element }, false);
        };
        let person = self.accounts.get_mut(account).person_or_new(&sender);
        let place = Place { account, person };
        let now = self.clock.now();
        let message = &parsed["message"];
        let written = message.is_object() && message["is_deleted"] != true && message["is_echo"] != true;
        if written || parsed["postback"].is_object() {
            let body = if written { message } else { &parsed["postback"] };
            let text = body["text"].as_str().or_else(|| body["title"].as_str());
            let mid = body["mid"].as_str().map(str::to_owned);
            let known = mid.as_ref().is_some_and(|mid| self.accounts.message_mut(place, mid).is_some());
            // The same event again is a duplicate, not another DM.
            if !known {
                let message = Message {
                    mid: mid.unwrap_or_else(|| self.new_mid(account)),
                    from: From::Customer,
                    text: text.map(str::to_owned),
                    attachments: body["attachments"].as_array().cloned().unwrap_or_default(),
                    at: now,
                    metadata: None,
                    deleted: false,
                    edits: 0,
                    reaction: None,
                };
                self.note_dm(place, message);
            }
        } else if parsed["reaction"].is_object() || parsed["referral"].is_object() {
            self.accounts.person_mut(place).last_inbound = Some(now);
        }
        self.emit(Event { account, person: Some(person), field, element }, false)
    }

    /// The owner types in Meta's own app: an echo that is not from our app.
    pub(crate) fn write_as_owner(&mut self, place: Place, text: String) -> Made {
        let now = self.clock.now();
        let mid = self.new_mid(place.account);
        self.counters.owner_messages += 1;
        self.accounts.push(
            place,
            Message {
                mid: mid.clone(),
                from: From::Owner,
                text: Some(text.clone()),
                attachments: Vec::new(),
                at: now,
                metadata: None,
                deleted: false,
                edits: 0,
                reaction: None,
            },
        );
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::outbound(&account.id, &person.id, now);
        let app_id = (!account.is_instagram()).then_some(events::PAGE_INBOX_APP_ID);
        let echo = events::Echo { mid: &mid, text: Some(&text), attachment: None, metadata: None, app_id };
        let element = events::echo(&parties, &echo);
        self.counters.echoes += 1;
        let deliveries = self.tell(place, element, false);
        Made { mid, timestamp: now, deliveries }
    }

    pub(crate) fn react(&mut self, place: Place, mid: &str, reaction: Option<(&str, &str)>) -> Vec<usize> {
        let now = self.clock.now();
        self.accounts.person_mut(place).last_inbound = Some(now);
        if let Some(message) = self.accounts.message_mut(place, mid) {
            message.reaction = reaction.map(|(name, _)| name.to_owned());
        }
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::inbound(&account.id, &person.id, now);
        let element = events::reaction(&parties, mid, reaction);
        self.tell(place, element, false)
    }

    pub(crate) fn read_receipt(&mut self, place: Place, mid: Option<&str>, watermark: Option<i64>) -> Vec<usize> {
        let now = self.clock.now();
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::inbound(&account.id, &person.id, now);
        let mid = if account.is_instagram() { mid } else { None };
        let element = events::read(&parties, mid, watermark.unwrap_or(now));
        self.tell(place, element, false)
    }

    pub(crate) fn delivery_receipt(&mut self, place: Place, mids: &[String]) -> Vec<usize> {
        let now = self.clock.now();
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::inbound(&account.id, &person.id, now);
        let element = events::delivery(&parties, mids, now);
        self.tell(place, element, false)
    }

    pub(crate) fn unsend(&mut self, place: Place, mid: &str) -> Vec<usize> {
        let now = self.clock.now();
        if let Some(message) = self.accounts.message_mut(place, mid) {
            message.deleted = true;
        }
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::inbound(&account.id, &person.id, now);
        let element = events::unsend(&parties, mid);
        self.tell(place, element, false)
    }

    pub(crate) fn edit(&mut self, place: Place, mid: &str, text: &str, number: Option<u64>) -> Vec<usize> {
        let now = self.clock.now();
        let number = match self.accounts.message_mut(place, mid) {
            Some(message) => {
                message.edits += 1;
                message.text = Some(text.to_owned());
                number.unwrap_or(message.edits)
            }
            None => number.unwrap_or(1),
        };
        let (account, person) = self.accounts.at(place);
        let parties = events::Parties::inbound(&account.id, &person.id, now);
        let element = events::edit(&parties, mid, text, number);
        self.tell(place, element, false)
    }
}
