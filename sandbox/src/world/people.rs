//! Customers of an account, their threads, and what the Send API accepted for them.
//! Everything is found by index: fifty thousand messages must not make a test slow.

use serde_json::{Value, json};

use crate::clock::rfc3339;

/// Twenty-four hours.
pub(crate) const WINDOW_MS: i64 = 24 * 3_600_000;
/// How long a human agent may answer.
pub(crate) const HUMAN_AGENT_MS: i64 = 7 * 24 * 3_600_000;

/// Where a person is: the account's and the person's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) account: usize,
    pub(crate) person: usize,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Customer,
    App,
    Owner,
}

impl From {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::App => "app",
            Self::Owner => "owner",
        }
    }
}

/// A message of a thread.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) mid: String,
    pub(crate) from: From,
    pub(crate) text: Option<String>,
    pub(crate) attachments: Vec<Value>,
    pub(crate) at: i64,
    pub(crate) metadata: Option<String>,
    pub(crate) deleted: bool,
    pub(crate) edits: u64,
    pub(crate) reaction: Option<String>,
}

impl Message {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "mid": self.mid, "from": self.from.name(), "text": self.text, "attachments": self.attachments,
            "at": rfc3339(self.at), "metadata": self.metadata, "deleted": self.deleted, "edits": self.edits,
            "reaction": self.reaction,
        })
    }
}

/// A customer of one account; the same human has another id at another account.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) profile_pic: Option<String>,
    /// When the window was last opened.
    pub(crate) last_inbound: Option<i64>,
    /// When anything was last said, for the order of conversations.
    pub(crate) last_message: i64,
    pub(crate) messages: Vec<Message>,
    /// Indices into the list of everything sent.
    pub(crate) sent: Vec<usize>,
    /// Index of the latest DM in the list of everything received.
    pub(crate) last_dm: Option<usize>,
}

impl Person {
    /// Whether the account may write to this person now.
    pub(crate) fn may_be_written_to(&self, now: i64, window: i64) -> bool {
        self.last_inbound.is_some_and(|at| now.saturating_sub(at) < window)
    }

    pub(crate) fn to_json(&self, account_id: &str) -> Value {
        json!({
            "id": self.id, "accountId": account_id, "name": self.name, "username": self.username,
            "profilePic": self.profile_pic, "lastInboundAt": self.last_inbound.map(rfc3339),
            "windowClosesAt": self.last_inbound.map(|at| rfc3339(at + WINDOW_MS)),
            "messages": self.messages.len(),
        })
    }

    /// Keeps who this is, forgets what was said.
    pub(crate) fn forget_messages(&mut self) {
        *self = Self {
            id: std::mem::take(&mut self.id),
            name: self.name.take(),
            username: self.username.take(),
            profile_pic: self.profile_pic.take(),
            ..Self::default()
        };
    }
}

/// A message the Send API accepted.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) mid: String,
    pub(crate) account_id: String,
    pub(crate) recipient_id: String,
    pub(crate) text: Option<String>,
    pub(crate) attachment: Option<Value>,
    pub(crate) metadata: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) messaging_type: Option<String>,
    pub(crate) at: i64,
    /// What became of the answer.
    pub(crate) answer: &'static str,
    pub(crate) route: String,
}

impl Sent {
    pub(crate) fn answer_lost(&self) -> bool {
        !matches!(self.answer, "ok" | "late" | "held")
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "mid": self.mid, "accountId": self.account_id, "recipientId": self.recipient_id, "text": self.text,
            "attachment": self.attachment, "metadata": self.metadata, "tag": self.tag,
            "messagingType": self.messaging_type, "at": rfc3339(self.at), "answer": self.answer,
            "answerLost": self.answer_lost(), "route": self.route,
        })
    }
}
