//! Tests of the parser as a whole: what Meta documents, what was published, and what must be survived.
//! Each file looks from one side; the small parts have their tests beside them.

mod elements;
mod hostile;
mod published;
mod tolerance;

use super::{Delivery, Event, EventBody, Message, parse};

fn delivery(body: &str) -> Delivery {
    parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn events(body: &str) -> Vec<Event> {
    delivery(body).events
}

/// A delivery for account 1 with these elements under `key`.
fn under(object: &str, key: &str, elements: &str) -> String {
    format!(r#"{{"object":"{object}","entry":[{{"id":"1","time":1790000000000,"{key}":[{elements}]}}]}}"#)
}

/// The one event of a messaging element, given without sender, recipient and timestamp.
fn one(object: &str, inner: &str) -> Event {
    let inner = inner.trim().trim_start_matches('{');
    let element = format!(r#"{{"sender":{{"id":"7"}},"recipient":{{"id":"1"}},"timestamp":1789999999000,{inner}"#);
    let mut all = events(&under(object, "messaging", &element));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn message(body: EventBody) -> Message {
    match body {
        EventBody::Message(message) => message,
        other => panic!("no message: {other:?}"),
    }
}

fn kinds(body: &str) -> Vec<&'static str> {
    events(body).iter().map(Event::kind).collect()
}
