//! The rules of Retail Assist: what a shop may do, what is stored, what is answered and when. No HTTP and no queue: a
//! function here does its work in the caller's transaction and returns what happened; the caller enqueues what follows.

pub mod api_keys;
pub mod audit;
pub mod clock;
pub mod compose;
pub mod connect;
pub mod connections;
pub mod context;
pub mod db;
pub mod feed;
pub mod id;
pub mod idempotency;
pub mod inbox;
pub mod leads;
pub mod notifications;
pub mod organizations;
pub mod outbound;
pub mod page;
pub mod password;
pub mod plans;
pub mod removal;
pub mod replies;
pub mod rotation;
pub mod scheduled;
pub mod sessions;
pub mod settings;
pub mod sign_in;
pub mod templates;
#[cfg(test)]
mod testing;
pub mod usage;
pub mod users;
pub mod variables;
pub mod vault;
pub mod window;

pub use context::Context;
pub use id::OrganizationId;
