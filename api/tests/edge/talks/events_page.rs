//! Every event of a Page that the fact sheet lists (§5.6, §5.7), from Meta's delivery to what the shop sees. What changes no
//! conversation is recorded with its reason, so that an operator can tell it from what was lost.

use super::Talks;
use super::lines::{Line, change, line, recorded};
use serde_json::{Value, json};

const NO_CONVERSATION: &str = "recorded only: changes no conversation";

/// A message of the customer.
fn message(what: &'static str, comes: Value, shows: Value) -> Line {
    let mut comes = json!({ "message": comes });
    comes["message"]["mid"] = json!("m_1");
    let mut shows = shows;
    shows["externalId"] = json!("m_1");
    line(what, comes, shows, "message stored").talk(json!({ "platform": "facebook", "unreadCount": 1 }))
}

/// One attachment, as it comes and as it is shown.
fn attachment(what: &'static str, comes: Value, kind: &str, shows: Value) -> Line {
    message(what, json!({ "attachments": [comes] }), json!({ "kind": kind, "attachments": [shows] }))
}

fn file(kind: &'static str, name: &str, shown: &str) -> Line {
    let url = format!("$MEDIA/{name}");
    let preview = if shown == "image" { json!("*") } else { Value::Null };
    attachment(
        kind,
        json!({ "type": kind, "payload": { "url": url } }),
        shown,
        json!({ "type": kind, "url": url, "status": "available", "bytes": "*", "previewUrl": preview }),
    )
}

/// Something that is recorded and changes nothing; `parties`: whether it has any.
fn nothing(kind: &'static str, recorded: &str, value: Value, parties: bool) -> Line {
    let mut comes = json!({ kind: value });
    if !parties {
        (comes["sender"], comes["recipient"]) = (Value::Null, Value::Null);
    }
    line(kind, comes, Value::Null, &format!("{recorded} ignored: {NO_CONVERSATION}"))
}

#[tokio::test]
async fn what_customers_write_is_shown_whatever_it_is() {
    let talks = Talks::new().await;
    let booking = json!({ "booking_id": "b1", "status": "requested", "start_time": 1_739_612_400, "end_time": 1_739_616_000,
        "timezone": "America/Los_Angeles" });
    let product = json!({ "elements": [{ "id": "1", "retailer_id": "r", "image_url": "i", "title": "Shirt", "subtitle": "blue" }] });
    let mut lines = vec![
        message(
            "a tapped quick reply",
            json!({ "text": "hello", "quick_reply": { "payload": "P" } }),
            json!({ "direction": "inbound", "kind": "text", "text": "hello", "extra": { "quickReplyPayload": "P" } }),
        ),
        message(
            "commands",
            json!({ "text": "to Rome", "commands": [{ "name": "flights" }] }),
            json!({ "kind": "text", "text": "to Rome" }),
        ),
        file("image", "a.jpg", "image"),
        file("audio", "a.aac", "audio"),
        file("video", "a.mp4", "video"),
        file("file", "a.pdf", "file"),
        file("reel", "b.mp4", "reel"),
    ];
    lines.extend([
        attachment(
            "a reel, with what it is",
            json!({ "type": "ig_reel", "payload": { "url": "$MEDIA/c.mp4", "reel_video_id": 778, "title": "Look" } }),
            "reel",
            json!({ "type": "ig_reel", "externalId": "778", "title": "Look", "status": "available" }),
        ),
        attachment(
            "a post",
            json!({ "type": "post", "payload": { "url": "$MEDIA/d.jpg", "title": "News", "id": 18_091_626_484_740_369_u64 } }),
            "share",
            json!({ "type": "post", "externalId": "18091626484740369", "title": "News", "status": "available" }),
        ),
        attachment(
            "a post of Instagram",
            json!({ "type": "ig_post", "payload": { "url": "$MEDIA/e.jpg", "title": "News", "id": 7 } }),
            "share",
            json!({ "type": "ig_post", "externalId": "7", "status": "available" }),
        ),
        attachment(
            "a sticker",
            json!({ "type": "sticker", "payload": { "url": "$MEDIA/s.png", "sticker_id": 369_239_263_222_822_u64 } }),
            "sticker",
            json!({ "type": "sticker", "externalId": "369239263222822", "status": "available", "previewUrl": null }),
        ),
        attachment(
            "a sticker without a picture",
            json!({ "type": "sticker", "payload": { "sticker_id": 369_239_263_222_822_u64 } }),
            "sticker",
            json!({ "type": "sticker", "externalId": "369239263222822", "status": "missing" }),
        ),
        message(
            "a sticker that comes as a picture too",
            json!({ "attachments": [{ "type": "image", "payload": { "url": "$MEDIA/s.png", "sticker_id": 1 } },
                { "type": "sticker", "payload": { "url": "$MEDIA/s.png", "sticker_id": 1 } }] }),
            json!({ "kind": "sticker", "attachments": [{ "type": "image" }, { "type": "sticker" }] }),
        ),
        message(
            "a link",
            json!({ "text": "see https://shop.test/x", "attachments":
                [{ "type": "fallback", "payload": { "url": "https://shop.test/x", "title": "A page" } }] }),
            json!({ "kind": "share", "text": "see https://shop.test/x", "attachments":
                [{ "type": "fallback", "url": "https://shop.test/x", "title": "A page", "status": "link", "note": null }] }),
        ),
        message(
            "a link without more",
            json!({ "text": "see https://shop.test/x", "attachments": [{ "type": "fallback" }] }),
            json!({ "kind": "share", "text": "see https://shop.test/x", "attachments": [{ "type": "fallback", "status": "missing" }] }),
        ),
        attachment(
            "a booking",
            json!({ "type": "appointment_booking", "payload": booking }),
            "unsupported",
            json!({ "type": "appointment_booking", "payload": booking }),
        ),
        attachment(
            "a product",
            json!({ "type": "template", "payload": { "product": product } }),
            "template",
            json!({ "type": "template", "payload": { "product": product } }),
        ),
        attachment("a type nobody knows", json!({ "type": "hologram" }), "unsupported", json!({ "type": "hologram", "status": "missing" })),
        message(
            "about a product",
            json!({ "text": "is it blue?", "referral": { "product": { "id": "P7" } } }),
            json!({ "text": "is it blue?", "extra": { "referral": { "type": "product", "productId": "P7" } } }),
        )
        .talk(json!({ "leadSource": { "type": "product", "productId": "P7" } })),
        message(
            "from an ad",
            json!({ "text": "hi", "referral": { "ref": "R", "ad_id": "120", "source": "ADS", "type": "OPEN_THREAD",
                "ads_context_data": { "ad_title": "Summer", "post_id": "1", "product_id": "P8", "flow_id": "f" } } }),
            json!({ "text": "hi", "extra": { "referral": { "type": "ad", "adId": "120", "productId": "P8" } } }),
        )
        .talk(json!({ "leadSource": { "type": "ad", "adId": "120", "ref": "R" } })),
        line(
            "a button, by a link",
            json!({ "postback": { "mid": "m_p", "title": "Get Started", "payload": "GO",
                "referral": { "ref": "spring", "source": "SHORTLINK", "type": "OPEN_THREAD" } } }),
            json!({ "kind": "postback", "text": "Get Started", "extra": { "postbackPayload": "GO", "referral": { "ref": "spring" } } }),
            "postback stored",
        )
        .talk(json!({ "leadSource": { "type": "link", "ref": "spring" }, "windowClosesAt": "*" })),
    ]);
    talks.play(&talks.page, lines).await;
    talks.stop().await;
}

#[tokio::test]
async fn what_is_said_of_a_message_is_shown_on_it() {
    let talks = Talks::new().await;
    let now = talks.logins.world.ctx.now();
    let hello = json!({ "externalId": "$HELLO", "text": "Hello?" });
    let answer =
        |status: &str| json!({ "text": "Yes!", "direction": "outbound", "origin": "person", "status": status });
    let lines = vec![
        line(
            "an answer to a message",
            json!({ "message": { "mid": "m_2", "text": "re", "reply_to": { "mid": "$HELLO", "is_self_reply": true } } }),
            json!([{ "text": "re", "inReplyTo": "$OUR_HELLO" }, hello]),
            "message stored",
        )
        .after_hello(),
        line(
            "our own answer comes back",
            json!({ "message": { "mid": "$ANSWER", "text": "Yes!", "is_echo": true, "app_id": 100_000_000_000_001_u64 } }),
            json!([answer("sent"), hello]),
            "echo merged_echo: an echo of a message we sent",
        )
        .after_answer(),
        line(
            "typed in the Page's inbox",
            json!({ "message": { "mid": "m_e", "text": "it is me", "is_echo": true, "app_id": 263_902_037_430_900_u64 } }),
            json!([{ "origin": "external", "text": "it is me", "status": "sent", "extra": { "appId": "263902037430900" } }, hello]),
            "echo stored",
        )
        .after_hello(),
        line(
            "delivered, without a time",
            json!({ "timestamp": null, "delivery": { "mids": ["$ANSWER"], "watermark": now + 3_600_000 } }),
            json!([answer("delivered"), hello]),
            "delivery updated: delivery",
        )
        .after_answer(),
        line("delivered, without ids", json!({ "delivery": { "watermark": now + 3_600_000 } }), json!([answer("delivered"), hello]),
            "delivery updated: delivery")
        .after_answer(),
        line(
            "delivered, by name, with the time of another clock",
            json!({ "delivery": { "mids": ["$ANSWER"], "watermark": 1_458_668_856_253_u64 } }),
            json!([answer("delivered"), hello]),
            "delivery updated: delivery",
        )
        .after_answer(),
        line("delivered before it was sent", json!({ "delivery": { "watermark": 1_458_668_856_253_u64 } }),
            json!([answer("sent"), hello]), "delivery updated: delivery")
        .after_answer(),
        line("read", json!({ "read": { "watermark": now + 3_600_000 } }), json!([answer("read"), hello]), "read updated: read")
            .after_answer(),
        line(
            "a reaction",
            json!({ "reaction": { "mid": "$ANSWER", "action": "react", "reaction": "smile", "emoji": "\u{2764}\u{fe0f}" } }),
            json!([{ "text": "Yes!", "reactions": [{ "reaction": "smile", "emoji": "\u{2764}\u{fe0f}" }] }, hello]),
            "reaction updated: reaction",
        )
        .after_answer(),
        line(
            "edited, with the number as text",
            json!({ "message_edit": { "mid": "$HELLO", "text": "Hello!", "num_edit": "1" } }),
            json!({ "text": "Hello!", "editedAt": "*" }),
            "message_edit updated: message_edit",
        )
        .after_hello(),
        line(
            "edited, without a number",
            json!({ "message_edit": { "mid": "$HELLO", "text": "Hello!", "num_edit": "<NUM_EDIT>" } }),
            json!({ "text": "Hello!", "editedAt": "*" }),
            "message_edit updated: message_edit",
        )
        .after_hello(),
        line(
            "the shop's own words, without a mark",
            json!({ "sender": { "id": "$ACCOUNT" }, "recipient": { "id": "$PERSON" },
                "message": { "mid": "m_own", "text": "it is me" } }),
            json!([{ "origin": "external", "direction": "outbound", "text": "it is me", "status": "sent" }, hello]),
            "message stored",
        )
        .after_hello()
        .talk(json!({ "unreadCount": 1 })),
        line(
            "unsent",
            json!({ "message": { "mid": "$HELLO", "is_deleted": true } }),
            json!({ "kind": "deleted", "text": null, "deletedAt": "*" }),
            "message_deleted updated: message_deleted",
        )
        .after_hello(),
        line(
            "back by an ad",
            json!({ "referral": { "ref": "again", "source": "ADS", "type": "OPEN_THREAD", "referer_uri": "https://a.test",
                "ad_id": "8", "ads_context_data": {} } }),
            hello.clone(),
            "referral updated: lead source",
        )
        .after_hello()
        .talk(json!({ "leadSource": { "type": "ad", "adId": "8", "ref": "again" } })),
        line("the dashboard's test", json!({ "sender": { "id": "12334" }, "recipient": { "id": "23245" },
            "timestamp": "1527459824", "message": { "mid": "m_t", "text": "random_text" } }), Value::Null,
            "test_message ignored: a test from Meta's dashboard"),
    ];
    talks.play(&talks.page, lines).await;
    talks.stop().await;
}

#[tokio::test]
async fn what_changes_no_conversation_is_recorded_and_shown_nowhere() {
    let talks = Talks::new().await;
    let lines = vec![
        nothing(
            "optin",
            "optin",
            json!({ "type": "notification_messages", "payload": "P", "notification_messages_token": "t",
            "user_token_status": "REFRESHED", "notification_messages_status": "STOP NOTIFICATIONS" }),
            true,
        ),
        line(
            "optin of a plugin",
            json!({ "sender": { "user_ref": "u1" }, "optin": { "ref": "r", "user_ref": "u1" } }),
            Value::Null,
            &format!("optin ignored: {NO_CONVERSATION}"),
        ),
        nothing("account_linking", "account_linking", json!({ "status": "linked", "authorization_code": "a" }), true),
        nothing("policy_enforcement", "policy_enforcement", json!({ "action": "warning", "reason": "spam" }), false),
        nothing("policy_enforcement", "policy_enforcement", json!({ "action": "unblock" }), false),
        nothing(
            "pass_thread_control",
            "thread_control",
            json!({ "previous_owner_app_id": null, "new_owner_app_id": "123",
            "metadata": "m" }),
            true,
        ),
        nothing(
            "take_thread_control",
            "thread_control",
            json!({ "previous_owner_app_id": "123", "new_owner_app_id": "456" }),
            true,
        ),
        nothing("request_thread_control", "thread_control", json!({ "requested_owner_app_id": 123_456_789 }), true),
        nothing("app_roles", "app_roles", json!({ "123456789": ["primary_receiver"] }), false),
        nothing("response_feedback", "response_feedback", json!({ "feedback": "Good response", "mid": "m_1" }), true),
        nothing(
            "order",
            "order",
            json!({ "products": [{ "id": 1, "retailer_id": "r", "name": "Shirt", "unit_price": 11,
            "currency": "THB", "quantity": 1 }], "note": "soon" }),
            true,
        ),
        recorded(
            "feed",
            json!({ "item": "comment", "verb": "add", "post_id": "1_2", "comment_id": "2_3", "parent_id": "1_2",
            "from": { "id": "9", "name": "n" }, "message": "nice", "created_time": 1_520_383_571 }),
        ),
        recorded("mention", json!({ "post_id": "1_2", "item": "post", "verb": "add" })),
        recorded("ratings", json!({ "open_graph_story_id": "1", "rating": 5, "review_text": "nice" })),
        recorded("leadgen", json!({ "leadgen_id": 1, "page_id": 2, "form_id": 3, "created_time": 1_520_383_571 })),
        change(
            "a field nobody knows",
            json!({ "field": "weather", "value": [] }),
            "change ignored: recorded only: not a direct message",
        ),
    ];
    talks.play(&talks.page, lines).await;
    assert_eq!(talks.get("/api/conversations").await["items"], json!([]));
    talks.stop().await;
}
