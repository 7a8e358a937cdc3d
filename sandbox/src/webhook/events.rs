//! The elements of a webhook entry, one function per event, keys in the order of Meta's samples.
//! They are JSON text, because the bytes are what is signed.

use serde_json::{Value, json};

use crate::world::inbound::Written;

use super::body::Ordered;

/// The app id of the Page inbox, in echoes of what an owner types there.
pub(crate) const PAGE_INBOX_APP_ID: u64 = 263_902_037_430_900;

/// Who writes to whom, and when.
#[derive(Debug)]
pub(crate) struct Parties {
    sender: String,
    recipient: String,
    timestamp: i64,
}

impl Parties {
    pub(crate) fn inbound(account: &str, person: &str, timestamp: i64) -> Self {
        Self { sender: person.to_owned(), recipient: account.to_owned(), timestamp }
    }

    pub(crate) fn outbound(account: &str, person: &str, timestamp: i64) -> Self {
        Self { sender: account.to_owned(), recipient: person.to_owned(), timestamp }
    }

    fn head(&self) -> Ordered {
        Ordered::new().put("sender", json!({"id": self.sender})).put("recipient", json!({"id": self.recipient}))
    }

    fn element(&self, key: &str, body: Ordered) -> String {
        self.head().put("timestamp", self.timestamp).put_raw(key, &body.finish()).finish()
    }
}

/// A short attachment (`{type,url}`) becomes a full one; a full one stays.
pub(crate) fn attachment(given: &Value) -> Value {
    match (&given["payload"], given["url"].as_str()) {
        (Value::Null, Some(url)) => json!({"type": given["type"], "payload": {"url": url}}),
        _ => given.clone(),
    }
}

/// What a customer writes: a message, a button, or a bare referral.
pub(crate) fn written(parties: &Parties, mid: &str, written: &Written) -> String {
    if let Some(postback) = &written.postback {
        let body = Ordered::new()
            .put("mid", mid)
            .put_some("title", postback.get("title"))
            .put_some("payload", postback.get("payload"))
            .put_some("referral", written.referral.as_ref());
        return parties.element("postback", body);
    }
    let empty = written.text.is_none() && written.attachments.is_empty() && !written.unsupported;
    if let Some(referral) = written.referral.as_ref().filter(|_| empty) {
        return parties.head().put("timestamp", parties.timestamp).put("referral", referral).finish();
    }
    let reply_to = match (&written.reply_to, &written.story) {
        (Some(mid), _) => Some(json!({"mid": mid})),
        (None, Some(story)) => Some(json!({"story": story})),
        (None, None) => None,
    };
    let attachments: Vec<Value> = written.attachments.iter().map(attachment).collect();
    let body = Ordered::new()
        .put("mid", mid)
        .put_some("text", written.text.as_ref())
        .put_some("quick_reply", written.quick_reply.as_ref().map(|payload| json!({"payload": payload})))
        .put_some("reply_to", reply_to)
        .put_some("attachments", (!attachments.is_empty()).then_some(attachments))
        .put_some("is_unsupported", written.unsupported.then_some(true))
        .put_some("referral", written.referral.as_ref());
    parties.element("message", body)
}

/// What an echo repeats.
#[derive(Debug)]
pub(crate) struct Echo<'a> {
    pub(crate) mid: &'a str,
    pub(crate) text: Option<&'a str>,
    pub(crate) attachment: Option<&'a Value>,
    pub(crate) metadata: Option<&'a str>,
    pub(crate) app_id: Option<u64>,
}

/// A message of the account's own, come back.
pub(crate) fn echo(parties: &Parties, echo: &Echo<'_>) -> String {
    let attachments = echo.attachment.map(|attachment| match attachment {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    });
    let body = Ordered::new()
        .put("mid", echo.mid)
        .put_some("text", echo.text)
        .put_some("attachments", attachments)
        .put("is_echo", true)
        .put_some("app_id", echo.app_id)
        .put_some("metadata", echo.metadata);
    parties.element("message", body)
}

/// A reaction (its name and emoji), or its end.
pub(crate) fn reaction(parties: &Parties, mid: &str, reaction: Option<(&str, &str)>) -> String {
    let action = if reaction.is_some() { "react" } else { "unreact" };
    let body = Ordered::new()
        .put("mid", mid)
        .put("action", action)
        .put_some("reaction", reaction.map(|(name, _)| name))
        .put_some("emoji", reaction.map(|(_, emoji)| emoji));
    parties.element("reaction", body)
}

/// Instagram names the message, Messenger a moment.
pub(crate) fn read(parties: &Parties, mid: Option<&str>, watermark: i64) -> String {
    let body = match mid {
        Some(mid) => Ordered::new().put("mid", mid),
        None => Ordered::new().put("watermark", watermark),
    };
    parties.element("read", body)
}

/// Messenger's delivery receipt, which has no timestamp.
pub(crate) fn delivery(parties: &Parties, mids: &[String], watermark: i64) -> String {
    let body = Ordered::new().put_some("mids", (!mids.is_empty()).then_some(mids)).put("watermark", watermark);
    parties.head().put_raw("delivery", &body.finish()).finish()
}

pub(crate) fn unsend(parties: &Parties, mid: &str) -> String {
    parties.element("message", Ordered::new().put("mid", mid).put("is_deleted", true))
}

pub(crate) fn edit(parties: &Parties, mid: &str, text: &str, number: u64) -> String {
    let body = Ordered::new().put("mid", mid).put("text", text).put("num_edit", number);
    parties.element("message_edit", body)
}

/// Seen in the wild: an edit that is none, from nobody.
pub(crate) fn spurious_edit(mid: &str, timestamp: i64) -> String {
    let body = Ordered::new().put("mid", mid).put("num_edit", 0).finish();
    Ordered::new().put("timestamp", timestamp).put_raw("message_edit", &body).finish()
}
