//! Webhook deliveries of both products (`object: instagram` and `object: page`), from body bytes to events.
//! Parsing never loses a neighbour to a bad element: each is read alone, and what is not understood is kept as such.

mod element;
mod envelope;
mod event;
mod message;
mod message_kind;
mod read;
mod repair;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use time::from_text as moment;

pub use envelope::{MalformedBody, parse};
pub use event::{Delivery, Event, EventBody, Object, ReactionAction};
pub use message::{Attachment, Message, Referral, ReplyTo, Story};
pub use message_kind::MessageKind;
