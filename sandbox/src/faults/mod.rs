//! Faults: the table of them and the engine that decides when one fires.
//! Both are apart so that the table can be read at a glance.

pub(crate) mod catalogue;
