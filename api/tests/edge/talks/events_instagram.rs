//! Every event of an Instagram account that the fact sheet lists (§5.4, §5.5), from Meta's delivery to what the shop sees. Row 6
//! of the lessons is among them: no type of attachment, known or not, costs a message.

use super::Talks;
use super::lines::{Line, change, line, recorded};
use serde_json::{Value, json};

const STORED: &str = "message stored";

/// A message of the customer.
fn message(what: &'static str, comes: Value, shows: Value) -> Line {
    let mut comes = json!({ "message": comes });
    comes["message"]["mid"] = json!("m1");
    let mut shows = shows;
    shows["externalId"] = json!("m1");
    line(what, comes, shows, STORED).talk(json!({ "unreadCount": 1, "lastInboundAt": "*" }))
}

/// A file that is looked at, and found.
fn file(kind: &'static str, name: &str, shown: &str, content_type: &str) -> Line {
    let url = format!("$MEDIA/{name}");
    // Stories may not be kept, and of what is no picture there is none.
    let preview = if shown == "image" { json!("*") } else { Value::Null };
    message(
        kind,
        json!({ "attachments": [{ "type": kind, "payload": { "url": url } }] }),
        json!({ "kind": shown, "text": null, "attachments": [{ "type": kind, "url": url, "status": "available",
            "contentType": content_type, "bytes": "*", "previewUrl": preview }] }),
    )
}

#[tokio::test]
async fn what_customers_write_is_shown_whatever_it_is() {
    let talks = Talks::new().await;
    let mut lines = vec![
        message(
            "text",
            json!({ "text": "hällo 😀 https://example.test/a" }),
            json!({ "direction": "inbound", "origin": "contact", "kind": "text", "text": "hällo 😀 https://example.test/a",
                "attachments": [], "reactions": [], "status": null, "extra": null, "standby": false, "reconciled": false }),
        ),
        file("image", "a.jpg", "image", "image/jpeg"),
        file("video", "a.mp4", "video", "video/mp4"),
        file("audio", "a.mp3", "audio", "audio/mpeg"),
        file("file", "a.pdf", "file", "application/pdf"),
        file("media", "b.png", "share", "image/png"),
        file("story_mention", "c.jpg", "story_mention", "image/jpeg"),
        file("ig_reel", "d.mp4", "reel", "video/mp4"),
        file("reel", "e.mp4", "reel", "video/mp4"),
        file("story", "f.jpg", "share", "image/jpeg"),
        file("share", "h.png", "share", "image/png"),
        file("like_heart", "i.png", "sticker", "image/png"),
    ];
    lines.extend([
        message(
            "a shared story names its address otherwise",
            json!({ "attachments": [{ "type": "ig_story", "payload": { "story_media_url": "$MEDIA/g.jpg" } }] }),
            json!({ "kind": "share", "attachments": [{ "type": "ig_story", "url": "$MEDIA/g.jpg", "status": "available" }] }),
        ),
        message(
            "a shared post, with what it is",
            json!({ "attachments": [{ "type": "ig_post", "payload":
                { "ig_post_media_id": "18130000000000001", "title": "Caption", "url": "$MEDIA/p.jpg" } }] }),
            json!({ "kind": "share", "attachments": [{ "type": "ig_post", "externalId": "18130000000000001",
                "title": "Caption", "url": "$MEDIA/p.jpg", "status": "available", "previewUrl": null }] }),
        ),
        message(
            "one share as two attachments",
            json!({ "attachments": [{ "type": "ig_post", "payload": { "url": "$MEDIA/p.jpg" } },
                { "type": "share", "payload": { "url": "$MEDIA/p.jpg" } }] }),
            json!({ "kind": "share", "attachments": [{ "type": "ig_post", "status": "available" },
                { "type": "share", "status": "available" }] }),
        ),
        message(
            "a group of pictures",
            json!({ "attachments": [{ "type": "image", "payload": { "url": "$MEDIA/a.jpg" } },
                { "type": "image", "payload": { "url": "$MEDIA/b.png" } }] }),
            json!({ "kind": "image", "attachments": [{ "contentType": "image/jpeg", "previewUrl": "*" },
                { "contentType": "image/png", "previewUrl": "*" }] }),
        ),
        message(
            "a picture without an address",
            json!({ "attachments": [{ "type": "image" }] }),
            json!({ "kind": "image", "attachments": [{ "type": "image", "url": null, "status": "missing" }] }),
        ),
        message(
            "a type nobody knows",
            json!({ "attachments": [{ "type": "hologram", "payload": { "url": "$MEDIA/a.jpg", "depth": 3 } }] }),
            json!({ "kind": "unsupported", "attachments": [{ "type": "hologram", "status": "available",
                "payload": { "depth": 3 } }] }),
        ),
        message(
            "a type nobody knows, with words",
            json!({ "text": "look", "attachments": [{ "type": "hologram" }] }),
            json!({ "kind": "text", "text": "look", "attachments": [{ "type": "hologram" }] }),
        ),
        message("unsupported", json!({ "is_unsupported": true }), json!({ "kind": "unsupported", "attachments": [] })),
        message(
            "unsupported with an attachment",
            json!({ "is_unsupported": true, "attachments": [{ "type": "image", "payload": { "url": "$MEDIA/a.jpg" } }] }),
            json!({ "kind": "unsupported", "attachments": [{ "type": "image", "url": "$MEDIA/a.jpg" }] }),
        ),
        message(
            "a tapped quick reply",
            json!({ "text": "Yes", "quick_reply": { "payload": "WANTS_BLUE" } }),
            json!({ "kind": "text", "text": "Yes", "extra": { "quickReplyPayload": "WANTS_BLUE" } }),
        ),
        message(
            "an answer to a message we do not have",
            json!({ "text": "re", "reply_to": { "mid": "long ago" } }),
            json!({ "kind": "text", "text": "re", "inReplyTo": null }),
        ),
        message(
            "an answer to a story",
            json!({ "text": "re", "reply_to": { "story": { "id": "st1", "url": "$MEDIA/s.jpg" } } }),
            json!({ "kind": "story_reply", "text": "re", "attachments": [],
                "extra": { "story": { "id": "st1", "url": "$MEDIA/s.jpg" } } }),
        ),
        message(
            "a picture in answer to a story",
            json!({ "attachments": [{ "type": "image", "payload": { "url": "$MEDIA/a.jpg" } }],
                "reply_to": { "story": { "id": "st1" } } }),
            json!({ "kind": "story_reply", "attachments": [{ "type": "image", "status": "available", "previewUrl": null }] }),
        ),
        message(
            "from an ad",
            json!({ "text": "hi", "referral": { "ref": "R", "ad_id": "120210000000000001", "source": "ADS",
                "type": "OPEN_THREAD", "ads_context_data": { "ad_title": "Summer", "photo_url": "p", "video_url": "v" } } }),
            json!({ "kind": "text", "extra": { "referral": { "type": "ad", "adId": "120210000000000001", "adTitle": "Summer" } } }),
        )
        .talk(json!({ "leadSource": { "type": "ad", "adId": "120210000000000001", "ref": "R", "adTitle": "Summer",
            "first": { "adId": "120210000000000001" }, "last": { "adId": "120210000000000001" } } })),
        line(
            "an ice breaker",
            json!({ "postback": { "mid": "p1", "title": "Price?", "payload": "PRICE" } }),
            json!({ "direction": "inbound", "kind": "postback", "text": "Price?", "externalId": "p1",
                "extra": { "postbackPayload": "PRICE" } }),
            "postback stored",
        )
        .talk(json!({ "unreadCount": 1, "windowClosesAt": "*" })),
        line(
            "an ice breaker without an id",
            json!({ "postback": { "title": "Price?" } }),
            json!({ "kind": "postback", "text": "Price?", "externalId": null }),
            "postback stored",
        ),
    ]);
    talks.play(&talks.instagram, lines).await;
    talks.stop().await;
}

#[tokio::test]
async fn what_is_said_of_a_message_is_shown_on_it() {
    let talks = Talks::new().await;
    let hello = json!({ "externalId": "$HELLO", "text": "Hello?" });
    let with = |more: Value| {
        let mut one = hello.clone();
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    };
    let answer =
        |status: &str| json!({ "text": "Yes!", "direction": "outbound", "origin": "person", "status": status });
    let lines = vec![
        line(
            "an answer to a message",
            json!({ "message": { "mid": "m2", "text": "re", "reply_to": { "mid": "$HELLO" } } }),
            json!([{ "text": "re", "inReplyTo": "$OUR_HELLO" }, hello]),
            STORED,
        )
        .after_hello(),
        line("the same message again", json!({ "message": { "mid": "$HELLO", "text": "Hello?" } }), hello.clone(),
            "message duplicate: known by its mid")
        .after_hello()
        .talk(json!({ "unreadCount": 1 })),
        line(
            "our own answer comes back",
            json!({ "message": { "mid": "$ANSWER", "text": "Yes!", "is_echo": true } }),
            json!([answer("sent"), hello]),
            "echo merged_echo: an echo of a message we sent",
        )
        .after_answer()
        .talk(json!({ "unreadCount": 1 })),
        line(
            "typed in the app",
            json!({ "message": { "mid": "e1", "text": "it is me", "is_echo": true } }),
            json!([{ "text": "it is me", "direction": "outbound", "origin": "external", "status": "sent", "externalId": "e1" }, hello]),
            "echo stored",
        )
        .after_hello()
        .talk(json!({ "unreadCount": 1 })),
        line(
            "sent by another app, with a picture",
            json!({ "message": { "mid": "e2", "is_echo": true, "app_id": 4_242,
                "attachments": [{ "type": "image", "payload": { "url": "$MEDIA/a.jpg" } }] } }),
            json!([{ "kind": "image", "origin": "external", "extra": { "appId": "4242" }, "attachments": [{ "status": "available" }] }, hello]),
            "echo stored",
        )
        .after_hello(),
        line("typed in the app to somebody new", json!({ "message": { "mid": "e3", "text": "hi", "is_echo": true } }),
            json!({ "origin": "external", "text": "hi" }), "echo stored")
        .talk(json!({ "unreadCount": 0, "windowClosesAt": null })),
        line("a test to oneself", json!({ "message": { "mid": "s1", "text": "t", "is_echo": true, "is_self": true } }),
            Value::Null, "echo ignored: the account wrote to itself"),
        line(
            "unsent",
            json!({ "message": { "mid": "$HELLO", "is_deleted": true } }),
            json!({ "kind": "deleted", "text": null, "attachments": [], "extra": null, "deletedAt": "*", "externalId": "$HELLO" }),
            "message_deleted updated: message_deleted",
        )
        .after_hello(),
        line("unsent, of a message we never saw", json!({ "message": { "mid": "never", "is_deleted": true } }), hello.clone(),
            "message_deleted updated: message_deleted")
        .after_hello(),
        line(
            "a reaction",
            json!({ "reaction": { "mid": "$HELLO", "action": "react", "reaction": "love", "emoji": "\u{2764}\u{fe0f}" } }),
            with(json!({ "reactions": [{ "by": "$PERSON", "reaction": "love", "emoji": "\u{2764}\u{fe0f}" }] })),
            "reaction updated: reaction",
        )
        .after_hello(),
        line(
            "a reaction to our answer",
            json!({ "reaction": { "mid": "$ANSWER", "action": "react", "reaction": "love", "emoji": "\u{2764}\u{fe0f}" } }),
            json!([{ "text": "Yes!", "reactions": [{ "by": "$PERSON", "reaction": "love" }] }, hello]),
            "reaction updated: reaction",
        )
        .after_answer(),
        line("a reaction taken back that was never there", json!({ "reaction": { "mid": "$HELLO", "action": "unreact" } }),
            with(json!({ "reactions": [] })), "reaction updated: reaction")
        .after_hello(),
        line("read, by message", json!({ "read": { "mid": "$ANSWER" } }), json!([answer("read"), hello]), "read updated: read")
            .after_answer(),
        line(
            "read, by message, with the time of another clock",
            json!({ "timestamp": 1_614_000_000_000_u64, "read": { "mid": "$ANSWER" } }),
            json!([answer("read"), hello]),
            "read updated: read",
        )
        .after_answer(),
        line("read, of a message we never saw", json!({ "read": { "mid": "never" } }), json!([answer("sent"), hello]),
            "read updated: read")
        .after_answer(),
        line(
            "the shop's own words, without a mark",
            json!({ "sender": { "id": "$ACCOUNT" }, "recipient": { "id": "$PERSON" },
                "message": { "mid": "own", "text": "it is me" } }),
            json!([{ "origin": "external", "direction": "outbound", "text": "it is me", "status": "sent" }, hello]),
            "message stored",
        )
        .after_hello()
        .talk(json!({ "unreadCount": 1 })),
        line(
            "edited",
            json!({ "message_edit": { "mid": "$HELLO", "text": "Hello!", "num_edit": 1 } }),
            with(json!({ "text": "Hello!", "editedAt": "*" })),
            "message_edit updated: message_edit",
        )
        .after_hello(),
        line(
            "edited, with the number as text and the other name",
            json!({ "message_edits": { "mid": "$HELLO", "text": "Hello!", "num_edit": "2" } }),
            with(json!({ "text": "Hello!", "editedAt": "*" })),
            "message_edit updated: message_edit",
        )
        .after_hello(),
        line("an edit of a message we never saw", json!({ "message_edit": { "mid": "never", "text": "x", "num_edit": 1 } }),
            with(json!({ "editedAt": null })), "message_edit updated: message_edit")
        .after_hello(),
        line(
            "an edit that is none, from nobody",
            json!({ "sender": null, "recipient": null, "message_edit": { "mid": "$HELLO", "num_edit": 0 } }),
            with(json!({ "editedAt": null })),
            "message_edit ignored: an edit that edits nothing",
        )
        .after_hello(),
        line("read by nobody", json!({ "sender": null, "read": { "mid": "x" } }), Value::Null, "read ignored: no sender"),
        line(
            "back by a link",
            json!({ "referral": { "ref": "spring", "source": "IGME_LINK", "type": "OPEN_THREAD" } }),
            hello.clone(),
            "referral updated: lead source",
        )
        .after_hello()
        .talk(json!({ "unreadCount": 1, "leadSource": { "type": "link", "ref": "spring" } })),
        line("by a link, without a word", json!({ "referral": { "ref": "spring", "source": "IGME_LINK", "type": "OPEN_THREAD" } }),
            Value::Null, "referral updated: lead source"),
        line("an event with keys nobody knows", json!({ "telepathy": { "mid": "x" }, "aura": 1 }), Value::Null,
            "unknown ignored: unknown event with aura, telepathy"),
        line("an event that cannot be read", json!({ "message": "not an object" }), Value::Null,
            "malformed failed: malformed: the event is not an object"),
    ];
    talks.play(&talks.instagram, lines).await;
    talks.stop().await;
}

#[tokio::test]
async fn what_is_no_message_is_recorded_and_shown_nowhere() {
    let talks = Talks::new().await;
    let from = json!({ "id": "9", "username": "u" });
    let media = json!({ "id": "1", "media_product_type": "FEED" });
    let lines = vec![
        // Through a Page, and by Instagram Login.
        recorded(
            "comments",
            json!({ "from": from, "comment_id": "c1", "parent_id": "c0", "text": "nice", "media": media }),
        ),
        recorded("comments", json!({ "id": "c1", "from": from, "text": "nice", "media": media, "parent_id": "c0" })),
        recorded("live_comments", json!({ "id": "c1", "from": from, "text": "hi" })),
        recorded("mentions", json!({ "media_id": "1", "comment_id": "2" })),
        recorded("story_insights", json!({ "media_id": "1", "impressions": 444, "exits": -1 })),
        change(
            "a field nobody knows",
            json!({ "field": "weather", "value": 3 }),
            "change ignored: recorded only: not a direct message",
        ),
        change(
            "the dashboard's test, with the ids of the account",
            json!({ "field": "messages", "value": { "sender": { "id": "12334" }, "recipient": { "id": "23245" },
                "timestamp": "1527459824", "message": { "mid": "random_mid", "text": "random_text" } } }),
            "test_message ignored: a test from Meta's dashboard",
        ),
        change(
            "a change without a field",
            json!({ "value": {} }),
            "malformed failed: malformed: the change names no field",
        ),
    ];
    talks.play(&talks.instagram, lines).await;
    assert_eq!(talks.get("/api/conversations").await["items"], json!([]));
    talks.stop().await;
}

/// A `messages` change that is no test is a message (§5.5), and what is said before a message comes is respected when it does.
#[tokio::test]
async fn what_comes_too_early_is_not_lost() {
    let talks = Talks::new().await;
    let (account, person) = (&talks.instagram, "900000000000001");
    let from = json!({ "sender": { "id": person }, "recipient": { "id": account.external_id } });
    let element = |more: Value| {
        let mut one = from.clone();
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one["timestamp"] = json!(talks.logins.world.ctx.now());
        one
    };
    for early in [
        json!({ "message": { "mid": "unsent", "is_deleted": true } }),
        json!({ "message_edit": { "mid": "edited", "text": "new words", "num_edit": 1 } }),
        json!({ "reaction": { "mid": "loved", "action": "react", "reaction": "love", "emoji": "x" } }),
        json!({ "referral": { "ref": "first", "source": "IGME_LINK", "type": "OPEN_THREAD" } }),
    ] {
        talks.event(account, "messaging", element(early)).await;
    }
    assert_eq!(talks.conversation(account, person).await, Value::Null, "nothing was said yet");
    for mid in ["unsent", "edited", "loved"] {
        talks.logins.advance(1_000).await;
        let message = element(json!({ "message": { "mid": mid, "text": mid } }));
        talks.event(account, "changes", json!({ "field": "messages", "value": message })).await;
    }
    let shown = talks.messages(account, person).await;
    assert_eq!(shown[0]["reactions"], json!([{ "by": person, "reaction": "love", "emoji": "x" }]));
    assert_eq!((&shown[1]["text"], &shown[1]["editedAt"].is_string()), (&json!("new words"), &true));
    assert_eq!((&shown[2]["kind"], &shown[2]["text"]), (&json!("deleted"), &Value::Null));
    assert_eq!(talks.conversation(account, person).await["leadSource"]["ref"], "first");
    talks.stop().await;
}
