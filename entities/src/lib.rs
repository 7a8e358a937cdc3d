//! The tables, one file each, as sea-orm entities. No logic lives here: rules are in `domain`, the ledger in `jobs`.

pub mod api_key;
pub mod audit_entry;
pub mod connection;
pub mod contact;
pub mod conversation;
pub mod delivery;
pub mod delivery_event;
pub mod hold;
pub mod job;
pub mod job_attempt;
pub mod message;
pub mod message_mark;
pub mod organization;
pub mod plan;
pub mod plan_slot;
pub mod queue;
pub mod schedule;
pub mod session;
pub mod sign_in_failure;
pub mod usage_counter;
pub mod user;
pub mod worker;
pub mod write_probe;
