//! Faults: the table of them and the engine that decides when one fires.
//! Both are apart so that the table can be read at a glance.

pub(crate) mod catalogue;
pub(crate) mod engine;

pub(crate) use catalogue::Group;
pub(crate) use engine::{Faults, Fired};
