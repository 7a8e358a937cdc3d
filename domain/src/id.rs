//! Ids as others see them: a prefix that tells what it is, and a UUID version 7 whose order is the order of creation.
//! Inside, ids are plain UUIDs; this file is the only place that reads or writes the public form.

use crate::clock::Millis;
use std::fmt;
use std::sync::Mutex;
use uuid::{ContextV7, Timestamp, Uuid};

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// `org_…`
    Organization,
    /// `usr_…`
    User,
    /// `con_…`
    Connection,
    /// `cnv_…`
    Conversation,
    /// `msg_…`
    Message,
    /// `job_…`
    Job,
    /// `dlv_…`
    Delivery,
    /// `key_…`
    ApiKey,
    /// `ntf_…`
    Notification,
    /// `ctc_…`
    Contact,
    /// `tpl_…`
    Template,
    /// `sch_…`
    ScheduledMessage,
    /// `led_…`
    Lead,
    /// `att_…`
    Attachment,
}

impl IdKind {
    /// The prefix without its underscore.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Organization => "org",
            Self::User => "usr",
            Self::Connection => "con",
            Self::Conversation => "cnv",
            Self::Message => "msg",
            Self::Job => "job",
            Self::Delivery => "dlv",
            Self::ApiKey => "key",
            Self::Notification => "ntf",
            Self::Contact => "ctc",
            Self::Template => "tpl",
            Self::ScheduledMessage => "sch",
            Self::Lead => "led",
            Self::Attachment => "att",
        }
    }

    /// The public form of `id`.
    pub fn show(self, id: Uuid) -> String {
        format!("{}_{}", self.prefix(), id.simple())
    }

    /// Reads the public form back; anything else is `None`, which callers answer like a missing row.
    pub fn parse(self, text: &str) -> Option<Uuid> {
        let hex = text.strip_prefix(self.prefix())?.strip_prefix('_')?;
        if hex.len() != 32 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        Uuid::try_parse(hex).ok()
    }
}

/// The organization whose data a query may touch. Functions take this and not a bare UUID, so that a call that forgot the
/// tenant does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganizationId(pub Uuid);

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&IdKind::Organization.show(self.0))
    }
}

/// Shared so that ids made in one millisecond keep their order.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new UUID version 7 at `now`; ids from one process sort in the order they were made.
pub fn new_id(now: Millis) -> Uuid {
    let millis = u64::try_from(now).unwrap_or(0);
    // A panic while holding the lock cannot leave the counter in a state that makes ids collide: 74 bits stay random.
    let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let nanos = u32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(&*context, millis / 1_000, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_ids_round_trip_and_refuse_strangers() {
        let id = new_id(1_790_000_000_000);
        let shown = IdKind::Message.show(id);
        assert!(shown.starts_with("msg_"));
        assert_eq!(IdKind::Message.parse(&shown), Some(id));
        assert_eq!(IdKind::Job.parse(&shown), None);
        for bad in ["", "msg_", "msg_x", &shown.to_uppercase(), &format!("{shown}0"), "msg_../../etc"] {
            assert_eq!(IdKind::Message.parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_of_one_millisecond_keep_their_order() {
        let ids: Vec<_> = (0..10_000).map(|_| new_id(1_790_000_000_000)).collect();
        assert!(ids.windows(2).all(|w| w[0] < w[1]));
    }
}
