//! The bytes of a webhook: ASCII JSON with `\uXXXX` in lower case and `\/`, keys in Meta's order.
//! The signature is over exactly these bytes, so they are text from the start and never parsed again.

use std::fmt::Write;

use serde::Serialize;

/// A JSON object whose keys stay in the order they were put.
#[derive(Debug)]
pub(crate) struct Ordered(String);

impl Ordered {
    pub(crate) fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a value; one that cannot be JSON becomes null, which none of ours does.
    pub(crate) fn put(self, key: &str, value: impl Serialize) -> Self {
        let text = serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned());
        self.put_raw(key, &text)
    }

    pub(crate) fn put_some(self, key: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    pub(crate) fn put_raw(mut self, key: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        let key = serde_json::to_string(key).unwrap_or_default();
        self.0.push_str(&key);
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The elements of one entry.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) account_id: &'a str,
    pub(crate) time: i64,
    /// `messaging`, `standby` or `changes`.
    pub(crate) field: &'static str,
    pub(crate) elements: Vec<&'a str>,
}

/// The whole body, escaped.
pub(crate) fn envelope(object: &str, entries: &[Entry<'_>]) -> Vec<u8> {
    let entries: Vec<String> = entries
        .iter()
        .map(|entry| {
            // `changes` count in seconds, everything else in milliseconds.
            let time = if entry.field == "changes" { entry.time / 1000 } else { entry.time };
            Ordered::new()
                .put("id", entry.account_id)
                .put("time", time)
                .put_raw(entry.field, &format!("[{}]", entry.elements.join(",")))
                .finish()
        })
        .collect();
    let text = Ordered::new().put("object", object).put_raw("entry", &format!("[{}]", entries.join(","))).finish();
    escape(&text).into_bytes()
}

/// JSON text as Meta writes it: nothing but ASCII, and no bare slash.
pub(crate) fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            // What is escaped already stays as it is.
            '\\' => {
                out.push(c);
                if let Some(next) = chars.next() {
                    push(&mut out, next, next == '/');
                }
            }
            _ => push(&mut out, c, false),
        }
    }
    out
}

fn push(out: &mut String, c: char, escaped: bool) {
    match c {
        '/' if !escaped => out.push_str("\\/"),
        c if c.is_ascii() => out.push(c),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the fact sheet.
    pub(crate) const VECTOR: &str = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1790000000000,"messaging":[{"sender":{"id":"900000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1789999999000,"message":{"mid":"m_test_1","text":"\u00e4\u00f6\u00e5 https:\/\/example.test\/a"}}]}]}"#;

    #[test]
    fn the_vector_comes_out_byte_for_byte() {
        use crate::{
            webhook::{events, signature},
            world::inbound::Written,
        };
        let parties = events::Parties::inbound("17841400000000001", "900000000000001", 1_789_999_999_000);
        let written = Written { text: Some("äöå https://example.test/a".to_owned()), ..Written::default() };
        let element = events::written(&parties, "m_test_1", &written);
        let entry = Entry {
            account_id: "17841400000000001",
            time: 1_790_000_000_000,
            field: "messaging",
            elements: vec![&element],
        };
        let body = envelope("instagram", &[entry]);
        assert_eq!(String::from_utf8(body.clone()).unwrap(), VECTOR);
        assert_eq!(body.len(), 278);
        let secret = "sandbox_app_secret_0123456789abcdef";
        assert_eq!(
            signature::sha256(secret, &body),
            "f4f3173eca6f0ba6d833ebe35e3e3dfbe94d1119ec82efcf7b8773a8e266959f"
        );
        assert_eq!(signature::sha1(secret, &body), "f0dfaa047135c153f74f6235f8521a21656e44a8");
    }

    #[test]
    fn escapes_once_and_in_surrogate_pairs() {
        assert_eq!(escape(r#"{"a":"/ \/ 😀 \u00E4"}"#), r#"{"a":"\/ \/ \ud83d\ude00 \u00E4"}"#);
        assert_eq!(escape(r#""\\/""#), r#""\\\/""#);
        assert_eq!(escape("\"\\ä"), "\"\\\\u00e4");
    }

    #[test]
    fn changes_count_in_seconds() {
        let entry = Entry { account_id: "1", time: 1_790_000_000_999, field: "changes", elements: vec!["{}"] };
        let body = String::from_utf8(envelope("page", &[entry])).unwrap();
        assert_eq!(body, r#"{"object":"page","entry":[{"id":"1","time":1790000000,"changes":[{}]}]}"#);
    }
}
