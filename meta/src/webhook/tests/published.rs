//! Payloads as other projects published them, kept as files that other crates' tests use too.
//! Each must be read as what it is.

use super::*;
use crate::webhook::{MessageKind, Object};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/webhooks/", $name, ".json"))
    };
}

/// `(body, kind of event, kind of message)`.
pub(super) const FIXTURES: [(&str, &str, Option<MessageKind>); 12] = [
    (fixture!("fb_delivery"), "delivery", None),
    (fixture!("fb_message_quick_reply_page"), "message", Some(MessageKind::Text)),
    (fixture!("ig_attachment_ig_post"), "message", Some(MessageKind::Share)),
    (fixture!("ig_attachment_ig_reel"), "message", Some(MessageKind::Reel)),
    (fixture!("ig_attachment_image"), "message", Some(MessageKind::Image)),
    (fixture!("ig_attachment_share"), "message", Some(MessageKind::Share)),
    (fixture!("ig_comment_changes"), "comments", None),
    (fixture!("ig_message_text"), "message", Some(MessageKind::Text)),
    (fixture!("ig_read_seen"), "read", None),
    (fixture!("ig_referral_igme_link"), "referral", None),
    (fixture!("ig_reply_to_mid"), "message", Some(MessageKind::Text)),
    (fixture!("ig_story_reply"), "message", Some(MessageKind::StoryReply)),
];

#[test]
fn every_fixture_is_read_as_what_it_is() {
    for (body, kind, message_kind) in FIXTURES {
        let all = events(body);
        assert_eq!(all.len(), 1, "{body}");
        assert_eq!(all[0].kind(), kind, "{body}");
        if let Some(expected) = message_kind {
            assert_eq!(message(all[0].body.clone()).kind(), expected, "{body}");
            assert!(all[0].timestamp_ms.is_some() && all[0].sender.is_some(), "{body}");
        }
    }
}

#[test]
fn iso_moments_and_foreign_recipients() {
    let read = delivery(FIXTURES[2].0);
    assert_eq!(read.object, Object::Instagram);
    let event = &read.events[0];
    assert_eq!(event.timestamp_ms, Some(1_631_082_844_000));
    // Not the same account twice: the recipient is another id than the entry's.
    assert_eq!(event.account_id, "instagram-message-id-123");
    assert_eq!(event.recipient.as_deref(), Some("chatwoot-app-user-id-1"));
}

#[test]
fn the_vector_of_the_signature() {
    let body = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1790000000000,"messaging":[{"sender":{"id":"900000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1789999999000,"message":{"mid":"m_test_1","text":"\u00e4\u00f6\u00e5 https:\/\/example.test\/a"}}]}]}"#;
    let event = events(body).remove(0);
    assert_eq!(message(event.body).text.as_deref(), Some("äöå https://example.test/a"));
}
