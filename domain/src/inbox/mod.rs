//! The inbox: what contacts and shops wrote to each other. Storage is commutative: any order of arrival, and any number of
//! redeliveries, gives the same rows. Storing and reading have a file each.

pub mod attachments;
pub mod backfill;
mod changes;
pub mod contacts;
mod echo;
pub(crate) mod lock;
mod people;
mod receipts;
mod rows;
mod search;
pub mod store;
mod summary;
pub mod threads;

pub use lock::conversation as lock_conversation;
pub use rows::WITHOUT_MID;

pub(crate) use changes::catch_up;
pub(crate) use echo::by_words;
pub(crate) use summary::refresh;
