//! Opens the envelope: `{"object": …, "entry": [{"messaging"|"standby"|"changes": […]}]}` (fact sheet §5.3).
//! Entries and elements stay raw until their turn, so that a bad one is an event of its own and nothing more.

use serde_json::value::RawValue;
use thiserror::Error;

use super::element::{self, Element};
use super::event::{Delivery, Event, EventBody, Object};
use super::{repair, time};
use crate::json::{self, Fields};

/// The body as a whole is not a delivery; nothing could be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MalformedBody {
    /// Not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON, but no object (or array of objects) with `object` and `entry`.
    #[error("the body is not a webhook delivery")]
    NotADelivery,
}

/// Reads the body of a webhook POST. Verify its signature first, over the same bytes.
///
/// A bare array around one or more envelopes is accepted. Elements that cannot be read become
/// [`EventBody::Malformed`], one event each; so does an envelope or entry that is none.
///
/// # Errors
/// [`MalformedBody`] when there is no envelope at all.
pub fn parse(body: &[u8]) -> Result<Delivery, MalformedBody> {
    let text = repair::repaired(body);
    let text = text.trim_start_matches('\u{feff}');
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| MalformedBody::NotJson)?;
    let envelopes = json::elements(raw).unwrap_or_else(|| vec![raw]);
    let envelopes: Vec<_> = envelopes.into_iter().map(Envelope::open).collect();
    let object = envelopes.iter().flatten().next().ok_or(MalformedBody::NotADelivery)?.object.clone();
    let mut reader = Reader { events: Vec::new() };
    for envelope in &envelopes {
        match envelope {
            None => reader.push("", None, Element::malformed("the envelope has no object or no entry")),
            // Routing is by object and account; a delivery has one object, so these cannot be placed.
            Some(envelope) if envelope.object != object => {
                reader.push("", None, Element::malformed("the envelope is of another object than the first"));
            }
            Some(envelope) => envelope.entries.iter().for_each(|entry| reader.entry(entry)),
        }
    }
    Ok(Delivery { object, events: reader.events })
}

struct Envelope<'a> {
    object: Object,
    entries: Vec<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    fn open(raw: &'a RawValue) -> Option<Self> {
        let fields = Fields::of(raw)?;
        let object = Object::from_name(&fields.text("object")?);
        Some(Self { object, entries: list(fields.get("entry")?) })
    }
}

/// The elements of an array; anything else is taken for the one element of a list that was not written.
fn list(raw: &RawValue) -> Vec<&RawValue> {
    json::elements(raw).unwrap_or_else(|| vec![raw])
}

struct Reader {
    events: Vec<Event>,
}

impl Reader {
    fn entry(&mut self, raw: &RawValue) {
        let Some(fields) = Fields::of(raw) else {
            return self.push("", None, Element::malformed("the entry is not an object"));
        };
        let account_id = fields.id("id").unwrap_or_default();
        let sent_ms = fields.get("time").and_then(time::milliseconds);
        let mut found = false;
        // Postbacks have been described under a key of their own.
        for key in ["messaging", "messaging_postbacks", "standby"] {
            for raw in fields.get(key).map(list).unwrap_or_default() {
                let element = element::messaging(raw, &account_id);
                self.push(&account_id, sent_ms, Element { standby: key == "standby", ..element });
            }
            found |= fields.has(key);
        }
        for raw in fields.get("changes").map(list).unwrap_or_default() {
            let element = match Fields::of(raw) {
                Some(change) => element::change(&change, &account_id),
                None => Element::malformed("the change is not an object"),
            };
            self.push(&account_id, sent_ms, element);
        }
        found |= fields.has("changes");
        if found {
            return;
        }
        let element = match fields.has("field") {
            true => element::change(&fields, &account_id),
            false => Element::only(EventBody::Unknown { keys: element::keys(&fields, &["id", "time"]) }),
        };
        self.push(&account_id, sent_ms, element);
    }

    fn push(&mut self, account_id: &str, sent_ms: Option<i64>, element: Element) {
        // A body is far smaller than 2^32 elements; saturating keeps the arithmetic free of panics.
        let index = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.events.push(Event {
            index,
            account_id: account_id.to_owned(),
            standby: element.standby,
            sender: element.sender,
            recipient: element.recipient,
            timestamp_ms: element.timestamp_ms.or(sent_ms),
            body: element.body,
        });
    }
}
