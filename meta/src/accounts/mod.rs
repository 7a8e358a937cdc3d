//! Which accounts a token reaches (fact sheet §3), and whether their webhooks are switched on (§4).
//! Lists are followed page by page on our own addresses: what Meta answers decides the cursor, never the host.

mod instagram;
mod list;
mod pages;
mod permissions;
mod subscription;
#[cfg(test)]
mod tests;

pub use instagram::InstagramAccount;
pub use list::Cursor;
pub use pages::{LinkedInstagram, Page};
pub use subscription::{Asset, FIELDS_INSTAGRAM, FIELDS_PAGE};
