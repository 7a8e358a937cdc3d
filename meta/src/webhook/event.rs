//! What a delivery contains: events, in the order they stand in the body.
//! The shapes follow what the product needs to know, not the nesting of Meta's JSON (fact sheet §5.3–§5.7).

use serde_json::Value;

use super::message::{Message, Referral};

/// One POST of Meta to the webhook, of up to 1,000 events that may belong to several accounts and tenants.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The product all events belong to.
    pub object: Object,
    /// All events, including those that were not understood.
    pub events: Vec<Event>,
}

/// The product a delivery is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// Instagram direct messages and comments, through either login.
    Instagram,
    /// Messenger and the Facebook Page.
    Page,
    /// A product this crate does not know (`user`, `permissions`, …), by Meta's name.
    Other(String),
}

impl Object {
    /// Reads Meta's name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "instagram" => Self::Instagram,
            "page" => Self::Page,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Meta's name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Instagram => "instagram",
            Self::Page => "page",
            Self::Other(name) => name,
        }
    }
}

/// One element of `messaging`, `standby` or `changes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Position over the whole delivery, from 0, with every element counted: the same for the same body.
    pub index: u32,
    /// `entry.id`: the Instagram professional account or the Page; empty if absent, `"0"` in dashboard tests.
    pub account_id: String,
    /// True when another app owns the thread (`entry.standby`).
    pub standby: bool,
    /// Who acted: the person, or the account itself in an echo. Absent in some events and when addressed by `user_ref`.
    pub sender: Option<String>,
    /// The other side; not always equal to `account_id`.
    pub recipient: Option<String>,
    /// Event time in Unix milliseconds, else the time of sending (`entry.time`), else none.
    pub timestamp_ms: Option<i64>,
    /// What happened.
    pub body: EventBody,
}

impl Event {
    /// [`EventBody::kind`] of the body.
    pub fn kind(&self) -> &'static str {
        self.body.kind()
    }
}

/// Whether a reaction was set or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReactionAction {
    /// Set, or replaced by another.
    React,
    /// Taken back; there is then no reaction and no emoji.
    Unreact,
}

/// What happened (§5.4 and §5.6 for messaging, §5.5 and §5.7 for changes).
#[derive(Debug, Clone, PartialEq)]
pub enum EventBody {
    /// A message of the person, or an echo of one the account sent.
    Message(Message),
    /// The message `mid` was unsent; it may be one we never saw.
    Deleted {
        /// Id of the message that is gone.
        mid: String,
    },
    /// The message `mid` has a new text. Meta also sends spurious edits with `num_edit` 0, no text and no sender.
    Edit {
        /// Id of the edited message.
        mid: String,
        /// The new text.
        text: Option<String>,
        /// How often it was edited so far.
        num_edit: u32,
    },
    /// A reaction to the message `mid`.
    Reaction {
        /// Id of the message reacted to.
        mid: String,
        /// Set or taken back.
        action: ReactionAction,
        /// Meta's word (`love`, `smile`, …).
        reaction: Option<String>,
        /// The emoji itself.
        emoji: Option<String>,
    },
    /// A tap on a button, an icebreaker or the menu.
    Postback {
        /// Id, unique like a message's.
        mid: Option<String>,
        /// The label that was tapped.
        title: Option<String>,
        /// What the button carries; only given to the app that sent it, and never in standby.
        payload: Option<String>,
        /// Where the person came from.
        referral: Option<Referral>,
    },
    /// The person opened the thread through a link or an ad.
    Referral(Referral),
    /// The person has read: one message (Instagram), or everything up to a moment (Messenger).
    Read {
        /// The message read.
        mid: Option<String>,
        /// Unix milliseconds.
        watermark_ms: Option<i64>,
    },
    /// Messages arrived at the person's device (Messenger only).
    Delivered {
        /// Ids; may be empty, the watermark then tells.
        mids: Vec<String>,
        /// Unix milliseconds.
        watermark_ms: Option<i64>,
    },
    /// The person opted in or out of notifications. Its tokens are not kept.
    Optin,
    /// The person linked or unlinked an account of ours. The authorization code is not kept.
    AccountLinking {
        /// `linked` or `unlinked`.
        status: Option<String>,
    },
    /// Meta warned, blocked or unblocked the account.
    PolicyEnforcement {
        /// `warning`, `block` or `unblock`.
        action: Option<String>,
        /// Meta's words; absent on unblock.
        reason: Option<String>,
    },
    /// The thread moved between apps.
    ThreadControl {
        /// `pass_thread_control`, `take_thread_control` or `request_thread_control`.
        kind: &'static str,
    },
    /// The app's roles in Conversation Routing changed.
    AppRoles,
    /// The person rated an answer.
    ResponseFeedback {
        /// Meta's words (`Good response`, `Bad response`).
        feedback: Option<String>,
        /// The message rated.
        mid: Option<String>,
    },
    /// An order placed in the chat.
    Order {
        /// Products and note, as Meta sent them.
        value: Value,
    },
    /// A change that is no messaging event: a comment, a mention, a post, …
    Change {
        /// Meta's field name.
        field: String,
        /// As Meta sent it.
        value: Value,
    },
    /// The dashboard's test: account `"0"`, or the constant ids 12334 and 23245.
    TestMessage,
    /// An element with no known key.
    Unknown {
        /// The keys it has besides sender, recipient and timestamp, bounded in number and length.
        keys: Vec<String>,
    },
    /// An element that cannot be read.
    Malformed {
        /// What is wrong, in one sentence without content.
        reason: String,
    },
}

impl EventBody {
    /// A snake_case name for the record. Changes carry Meta's field name when it is a known one, else `change`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Message(message) if message.is_echo => "echo",
            Self::Message(_) => "message",
            Self::Deleted { .. } => "message_deleted",
            Self::Edit { .. } => "message_edit",
            Self::Reaction { .. } => "reaction",
            Self::Postback { .. } => "postback",
            Self::Referral(_) => "referral",
            Self::Read { .. } => "read",
            Self::Delivered { .. } => "delivery",
            Self::Optin => "optin",
            Self::AccountLinking { .. } => "account_linking",
            Self::PolicyEnforcement { .. } => "policy_enforcement",
            Self::ThreadControl { .. } => "thread_control",
            Self::AppRoles => "app_roles",
            Self::ResponseFeedback { .. } => "response_feedback",
            Self::Order { .. } => "order",
            Self::Change { field, .. } => change_kind(field),
            Self::TestMessage => "test_message",
            Self::Unknown { .. } => "unknown",
            Self::Malformed { .. } => "malformed",
        }
    }
}

/// Field names of changes that are known; a name from outside must not become a label of a metric.
const CHANGES: [&str; 8] =
    ["comments", "live_comments", "mentions", "story_insights", "feed", "mention", "ratings", "leadgen"];

fn change_kind(field: &str) -> &'static str {
    CHANGES.into_iter().find(|known| *known == field).unwrap_or("change")
}
