//! Faults: where they act, the table of them, and the engine that decides when one fires.
//! All are apart so that the table can be read at a glance.

pub(crate) mod catalogue;
pub(crate) mod engine;
pub(crate) mod group;

pub(crate) use engine::{Faults, Fired};
pub(crate) use group::Group;
