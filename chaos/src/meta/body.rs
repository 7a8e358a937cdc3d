//! A webhook on the wire: the published shapes, escaped as Meta escapes them, and signed over exactly those bytes.

use super::plan::{Message, Webhook};
use crate::world::{INSTAGRAM_SECRET, META_SECRET, Platform, World};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write as _;

/// The bytes of a webhook sent at this time.
pub fn render(world: &World, webhook: &Webhook, now: i64) -> Vec<u8> {
    let object = match webhook.platform {
        Platform::Instagram => "instagram",
        Platform::Facebook => "page",
    };
    let entries: Vec<_> = webhook
        .entries
        .iter()
        .map(|entry| {
            let account = &world.accounts[entry.account].id;
            let count = i64::try_from(entry.messages.len()).unwrap_or_default();
            // Written one after the other, the last of them just now.
            let at = (1..).map(|n| now - count + n);
            let messaging: Vec<_> =
                entry.messages.iter().zip(at).map(|(message, at)| element(account, message, at)).collect();
            json!({ "id": account, "time": now, "messaging": messaging })
        })
        .collect();
    escaped(&json!({ "object": object, "entry": entries }).to_string()).into_bytes()
}

fn element(account: &str, message: &Message, at: i64) -> Value {
    let mid = &message.mid;
    let said = match message.text {
        Some(text) => json!({ "mid": mid, "text": text }),
        None => {
            let picture = json!({ "type": "image", "payload": { "url": "https://lookaside.example/ig?asset_id=1" } });
            json!({ "mid": mid, "attachments": [picture] })
        }
    };
    json!({
        "sender": { "id": message.customer }, "recipient": { "id": account }, "timestamp": at, "message": said,
    })
}

/// Everything beyond ASCII as `\u` with lower-case digits, and slashes with a backslash.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        match c {
            '/' => text.push_str("\\/"),
            c if c.is_ascii() => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _a_string_takes_everything = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// What the header `X-Hub-Signature-256` says of these bytes.
pub fn signature(platform: Platform, body: &[u8]) -> String {
    let secret = match platform {
        Platform::Instagram => INSTAGRAM_SECRET,
        Platform::Facebook => META_SECRET,
    };
    format!("sha256={}", hex::encode(sign(secret, body)))
}

fn sign(secret: &str, body: &[u8]) -> Vec<u8> {
    // A key of any length is accepted, so this branch is never taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_escaped_and_signed_as_published() {
        let body = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1790000000000,"messaging":[{"sender":{"id":"900000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1789999999000,"message":{"mid":"m_test_1","text":"äöå https://example.test/a"}}]}]}"#;
        let escaped = escaped(body);
        assert!(escaped.contains(r"\u00e4\u00f6\u00e5 https:\/\/example.test\/a"), "{escaped}");
        let signed = hex::encode(sign("sandbox_app_secret_0123456789abcdef", escaped.as_bytes()));
        assert_eq!(signed, "f4f3173eca6f0ba6d833ebe35e3e3dfbe94d1119ec82efcf7b8773a8e266959f");
        assert_eq!(super::escaped("\u{1f642}"), r"\ud83d\ude42");
    }
}
