//! Webhooks: events, their bytes and signatures, the queue with Meta's retry rules, and the sender.
//! Each step is a file; only the sender touches the network.

pub(crate) mod body;
pub(crate) mod deliverer;
pub(crate) mod delivery;
pub(crate) mod emit;
pub(crate) mod events;
pub(crate) mod fields;
pub(crate) mod outcome;
pub(crate) mod queue;
pub(crate) mod signature;
