//! Every element of the fact sheet's §5.4 to §5.7, as written there.
//! A table per section keeps the documented forms and what is read from them side by side.

use serde_json::json;

use super::*;
use crate::webhook::{MessageKind, Object, ReactionAction};

/// `(element, kind of event, kind of message)`.
type Row = (&'static str, &'static str, Option<MessageKind>);

#[rustfmt::skip]
const INSTAGRAM: &[Row] = &[
    (r#"{"message":{"mid":"M","text":"hello"}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"M","attachments":[{"type":"image","payload":{"url":"https://lookaside.fbsbx.com/..."}}]}}"#, "message", Some(MessageKind::Image)),
    (r#"{"message":{"mid":"M","attachments":[{"type":"ig_post","payload":{"ig_post_media_id":"1813..","title":"caption","url":"u"}}]}}"#, "message", Some(MessageKind::Share)),
    (r#"{"message":{"mid":"M","attachments":[{"type":"story_mention","payload":{"url":"u"}}]}}"#, "message", Some(MessageKind::StoryMention)),
    (r#"{"message":{"mid":"M","attachments":[{"type":"ig_story","payload":{"url":"u"}}]}}"#, "message", Some(MessageKind::Share)),
    (r#"{"message":{"mid":"M","text":"Yes","quick_reply":{"payload":"P"}}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"M","text":"re","reply_to":{"mid":"M0"}}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"M","text":"re","reply_to":{"story":{"id":"S","url":"u"}}}}"#, "message", Some(MessageKind::StoryReply)),
    (r#"{"message":{"mid":"M","text":"hi","is_echo":true}}"#, "echo", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"M","is_deleted":true}}"#, "message_deleted", None),
    (r#"{"message":{"mid":"M","is_unsupported":true}}"#, "message", Some(MessageKind::Unsupported)),
    (r#"{"message":{"mid":"M","text":"t","is_echo":true,"is_self":true}}"#, "echo", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"M","text":"hi","referral":{"ref":"R","ad_id":"A","source":"ADS","type":"OPEN_THREAD","ads_context_data":{"ad_title":"..","photo_url":"..","video_url":".."}}}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"M","attachments":[{"type":"like_heart"}]}}"#, "message", Some(MessageKind::Sticker)),
    (r#"{"reaction":{"mid":"M","action":"react","reaction":"love","emoji":"\u2764\ufe0f"}}"#, "reaction", None),
    (r#"{"reaction":{"mid":"M","action":"unreact"}}"#, "reaction", None),
    (r#"{"postback":{"mid":"M","title":"Price?","payload":"P"}}"#, "postback", None),
    (r#"{"referral":{"ref":"R","source":"S","type":"OPEN_THREAD"}}"#, "referral", None),
    (r#"{"read":{"mid":"M"}}"#, "read", None),
    (r#"{"message_edit":{"mid":"M","text":"new text","num_edit":1}}"#, "message_edit", None),
];

#[rustfmt::skip]
const PAGE: &[Row] = &[
    (r#"{"message":{"mid":"m","text":"hello","quick_reply":{"payload":"P"}}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"m","text":"re","reply_to":{"mid":"m_0","is_self_reply":false}}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"m","attachments":[{"type":"reel","payload":{"url":"u","reel_video_id":1,"title":"t"}}]}}"#, "message", Some(MessageKind::Reel)),
    (r#"{"message":{"mid":"m","attachments":[{"type":"post","payload":{"url":"u","title":"t","id":1}}]}}"#, "message", Some(MessageKind::Share)),
    (r#"{"message":{"mid":"m","attachments":[{"type":"image","payload":{"url":"u","sticker_id":1}},{"type":"sticker","payload":{"url":"u","sticker_id":369239263222822}}]}}"#, "message", Some(MessageKind::Sticker)),
    (r#"{"message":{"mid":"m","text":"see https:\/\/x","attachments":[{"type":"fallback","payload":{"url":"u","title":"t"}}]}}"#, "message", Some(MessageKind::Share)),
    (r#"{"message":{"mid":"m","text":"see https:\/\/x","attachments":[{"type":"fallback","payload":null}]}}"#, "message", Some(MessageKind::Share)),
    (r#"{"message":{"mid":"m","attachments":[{"type":"appointment_booking","payload":{"booking_id":"b","status":"requested","start_time":1739612400}}]}}"#, "message", Some(MessageKind::Unsupported)),
    (r#"{"message":{"mid":"m","attachments":[{"type":"template","payload":{"product":{"elements":[{"id":"1"}]}}}]}}"#, "message", Some(MessageKind::Template)),
    (r#"{"message":{"mid":"m","text":"t","referral":{"product":{"id":"P"}}}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"mid":"m","text":"t","commands":[{"name":"flights"}]}}"#, "message", Some(MessageKind::Text)),
    (r#"{"message":{"is_echo":true,"app_id":1517776481860111,"metadata":"OURS","mid":"m","text":"t"}}"#, "echo", Some(MessageKind::Text)),
    (r#"{"delivery":{"mids":["m_1"],"watermark":1458668856253}}"#, "delivery", None),
    (r#"{"delivery":{"watermark":1458668856253}}"#, "delivery", None),
    (r#"{"read":{"watermark":1458668856253}}"#, "read", None),
    (r#"{"reaction":{"mid":"m","action":"react","reaction":"smile","emoji":"\u2764\ufe0f"}}"#, "reaction", None),
    (r#"{"message_edit":{"mid":"m","text":"t","num_edit":"1"}}"#, "message_edit", None),
    (r#"{"postback":{"mid":"m","title":"Get Started","payload":"P","referral":{"ref":"r","source":"SHORTLINK","type":"OPEN_THREAD"}}}"#, "postback", None),
    (r#"{"referral":{"ref":"r","source":"ADS","type":"OPEN_THREAD","referer_uri":"u","ad_id":"a","ads_context_data":{}}}"#, "referral", None),
    (r#"{"optin":{"type":"notification_messages","payload":"p","notification_messages_token":"t","user_token_status":"REFRESHED"}}"#, "optin", None),
    (r#"{"account_linking":{"status":"linked","authorization_code":"c"}}"#, "account_linking", None),
    (r#"{"policy_enforcement":{"action":"block","reason":"r"}}"#, "policy_enforcement", None),
    (r#"{"pass_thread_control":{"previous_owner_app_id":null,"new_owner_app_id":"123","metadata":"m"}}"#, "thread_control", None),
    (r#"{"take_thread_control":{"previous_owner_app_id":"123","new_owner_app_id":"456"}}"#, "thread_control", None),
    (r#"{"request_thread_control":{"requested_owner_app_id":123456789}}"#, "thread_control", None),
    (r#"{"app_roles":{"123456789":["primary_receiver"]}}"#, "app_roles", None),
    (r#"{"response_feedback":{"feedback":"Good response","mid":"m"}}"#, "response_feedback", None),
    (r#"{"order":{"products":[{"id":1,"unit_price":11}],"note":"n"}}"#, "order", None),
];

#[test]
fn every_messaging_element() {
    for (object, rows) in [("instagram", INSTAGRAM), ("page", PAGE)] {
        for (element, kind, message_kind) in rows {
            let event = one(object, element);
            assert_eq!(event.kind(), *kind, "{element}");
            assert_eq!((event.sender.as_deref(), event.recipient.as_deref()), (Some("7"), Some("1")));
            assert_eq!((event.timestamp_ms, event.standby), (Some(1_789_999_999_000), false));
            let read = match &event.body {
                EventBody::Message(message) => Some(message.kind()),
                _ => None,
            };
            assert_eq!(read, *message_kind, "{element}");
        }
    }
}

#[test]
fn the_values_of_messages() {
    let echo = message(one("page", PAGE[11].0).body);
    assert_eq!((echo.app_id.as_deref(), echo.metadata.as_deref()), (Some("1517776481860111"), Some("OURS")));
    let story = message(one("instagram", INSTAGRAM[7].0).body).reply_to.unwrap().story.unwrap();
    assert_eq!((story.id.as_deref(), story.url.as_deref()), (Some("S"), Some("u")));
    let quick = message(one("instagram", INSTAGRAM[5].0).body);
    assert_eq!((quick.text.as_deref(), quick.quick_reply_payload.as_deref()), (Some("Yes"), Some("P")));
    let post = message(one("instagram", INSTAGRAM[2].0).body).attachments.remove(0);
    assert_eq!((post.id.as_deref(), post.title.as_deref()), (Some("1813.."), Some("caption")));
    let own = message(one("instagram", INSTAGRAM[11].0).body);
    assert!(own.is_echo && own.is_self && own.app_id.is_none());
}

#[test]
fn the_values_of_other_events() {
    let body = |element| one("page", element).body;
    let reaction = EventBody::Reaction {
        mid: "M".into(),
        action: ReactionAction::React,
        reaction: Some("love".into()),
        emoji: Some("\u{2764}\u{fe0f}".into()),
    };
    assert_eq!(body(INSTAGRAM[14].0), reaction);
    let action = ReactionAction::Unreact;
    assert_eq!(body(INSTAGRAM[15].0), EventBody::Reaction { mid: "M".into(), action, reaction: None, emoji: None });
    let edit = EventBody::Edit { mid: "m".into(), text: Some("t".into()), num_edit: 1 };
    assert_eq!(body(PAGE[16].0), edit);
    let watermark_ms = Some(1_458_668_856_253);
    assert_eq!(body(PAGE[12].0), EventBody::Delivered { mids: vec!["m_1".into()], watermark_ms });
    assert_eq!(body(PAGE[14].0), EventBody::Read { mid: None, watermark_ms });
    let action = Some("block".to_owned());
    assert_eq!(body(PAGE[21].0), EventBody::PolicyEnforcement { action, reason: Some("r".into()) });
    assert_eq!(body(PAGE[22].0), EventBody::ThreadControl { kind: "pass_thread_control" });
    assert_eq!(body(PAGE[20].0), EventBody::AccountLinking { status: Some("linked".into()) });
    let EventBody::Postback { payload, referral, .. } = body(PAGE[17].0) else { panic!("no postback") };
    assert_eq!((payload.as_deref(), referral.unwrap().source.as_deref()), (Some("P"), Some("SHORTLINK")));
    let EventBody::Order { value } = body(PAGE[27].0) else { panic!("no order") };
    assert_eq!(value["products"][0]["unit_price"], json!(11));
}

#[test]
fn every_change() {
    let rows = [
        (
            "instagram",
            r#"{"field":"comments","value":{"from":{"id":"7","username":"u"},"comment_id":"C","parent_id":"P","text":"t","media":{"id":"M"}}}"#,
            "comments",
        ),
        ("instagram", r#"{"field":"comments","value":{"id":"C","from":{"id":"7"},"text":"t"}}"#, "comments"),
        ("instagram", r#"{"field":"live_comments","value":{"id":"C"}}"#, "live_comments"),
        ("instagram", r#"{"field":"mentions","value":{"media_id":"1791","comment_id":"1789"}}"#, "mentions"),
        (
            "instagram",
            r#"{"field":"story_insights","value":{"media_id":"1788","impressions":444,"taps_back":-1}}"#,
            "story_insights",
        ),
        (
            "page",
            r#"{"field":"feed","value":{"item":"comment","verb":"add","post_id":"1_2","created_time":1520383571}}"#,
            "feed",
        ),
        ("page", r#"{"field":"mention","value":{}}"#, "mention"),
        ("page", r#"{"field":"ratings","value":{}}"#, "ratings"),
        ("page", r#"{"field":"leadgen","value":{}}"#, "leadgen"),
        ("page", r#"{"field":"something_new","value":[1]}"#, "change"),
        ("page", r#"{"field":"something_new"}"#, "change"),
    ];
    for (object, change, kind) in rows {
        let read = delivery(&under(object, "changes", change));
        assert_eq!(read.object, Object::from_name(object));
        assert_eq!(read.events.len(), 1);
        assert_eq!(read.events[0].kind(), kind, "{change}");
        assert!(matches!(read.events[0].body, EventBody::Change { .. }));
    }
    let feed = events(&under("page", "changes", rows[5].1)).remove(0);
    assert_eq!(feed.timestamp_ms, Some(1_520_383_571_000));
    let EventBody::Change { field, value } = feed.body else { panic!("no change") };
    assert_eq!((field.as_str(), &value["verb"]), ("feed", &json!("add")));
}
