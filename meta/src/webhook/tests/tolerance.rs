//! Forms that no document promises and that came nevertheless, or may come.
//! A delivery is answered 200 and never comes again, so what is not read here is lost.

use super::*;
use crate::webhook::{MalformedBody, Object};

#[test]
fn an_array_around_the_envelope() {
    let text = under("instagram", "messaging", r#"{"message":{"mid":"a","text":"x"}}"#);
    assert_eq!(kinds(&format!("[{text}]")), ["message"]);
    let all = events(&format!("\u{feff} [{text},7,{{\"object\":\"instagram\"}},{text}] "));
    assert_eq!(all.iter().map(Event::kind).collect::<Vec<_>>(), ["message", "malformed", "malformed", "message"]);
    assert_eq!(all.iter().map(|event| event.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let page = under("page", "messaging", r#"{"message":{"mid":"b"}}"#);
    let mixed = delivery(&format!("[{text},{page}]"));
    assert_eq!(mixed.object, Object::Instagram);
    assert_eq!(mixed.events[1].kind(), "malformed");
}

#[test]
fn what_is_no_delivery_at_all() {
    for body in ["", "{", "nope", "{}x", "\u{0}"] {
        assert_eq!(parse(body.as_bytes()), Err(MalformedBody::NotJson), "{body}");
    }
    let empty = r#"{"object":"","entry":[]}"#;
    for body in [
        "null",
        "1",
        "\"a\"",
        "[]",
        "{}",
        "[1]",
        r#"{"object":"page"}"#,
        r#"{"entry":[]}"#,
        r#"{"object":{},"entry":[]}"#,
        r#"{"object":"page","entry":null}"#,
        empty,
    ] {
        assert_eq!(parse(body.as_bytes()), Err(MalformedBody::NotADelivery), "{body}");
    }
    assert_eq!(events(r#"{"object":"page","entry":[],"more":1}"#), []);
    let other = delivery(r#"{"object":"user","entry":[{"id":"1","changes":[{"field":"photos"}]}]}"#);
    assert_eq!((other.object.as_str(), other.events[0].kind()), ("user", "change"));
}

#[test]
fn index_counts_every_element_of_every_entry() {
    let body = r#"{"object":"page","entry":[
        {"id":"1","messaging":[{"message":{"mid":"a"}},7],"standby":[{"message":{"mid":"b"}}],"changes":[{"field":"feed"},"x"]},
        {"id":"2","messaging":[]},
        "bad",
        {"id":3,"hop_context":[]},
        {"id":"4","field":"comments","value":{"id":"c"}},
        {"id":"5","messaging_postbacks":[{"postback":{"title":"t"}}]},
        {"messaging":{"message":{"mid":"z"}}}
    ]}"#;
    let all = events(body);
    let read: Vec<_> =
        all.iter().map(|event| (event.index, event.account_id.as_str(), event.kind(), event.standby)).collect();
    let expected = [
        (0, "1", "message", false),
        (1, "1", "malformed", false),
        (2, "1", "message", true),
        (3, "1", "feed", false),
        (4, "1", "malformed", false),
        (5, "", "malformed", false),
        (6, "3", "unknown", false),
        (7, "4", "comments", false),
        (8, "5", "postback", false),
        (9, "", "message", false),
    ];
    assert_eq!(read, expected);
}

#[test]
fn the_dashboards_test_button() {
    let changes = r#"{"object":"instagram","entry":[{"id":"0","time":1727459824,"changes":[{"field":"messages","value":{"sender":{"id":"12334"},"recipient":{"id":"23245"},"timestamp":"1527459824","message":{"mid":"random_mid","text":"random_text"}}}]}]}"#;
    let event = events(changes).remove(0);
    assert_eq!((event.kind(), event.timestamp_ms), ("test_message", Some(1_527_459_824_000)));
    let page = under(
        "page",
        "messaging",
        r#"{"sender":{"id":"12334"},"recipient":{"id":"23245"},"message":{"mid":"m","text":"t"}}"#,
    );
    assert_eq!(kinds(&page), ["test_message"]);
    let postback = r#"{"object":"instagram","entry":[{"id":0,"changes":[{"field":"messaging_postbacks","value":{"sender":{"id":"12334"},"recipient":{"id":"23245"},"postback":{"mid":"m"}}}]}]}"#;
    assert_eq!(kinds(postback), ["test_message"]);
    // One of the two ids alone may be a person's.
    let person = under(
        "page",
        "messaging",
        r#"{"sender":{"id":"12334"},"recipient":{"id":"1"},"message":{"mid":"m","text":"t"}}"#,
    );
    assert_eq!(kinds(&person), ["message"]);
    let comment = r#"{"object":"instagram","entry":[{"id":"0","changes":[{"field":"comments","value":{"id":"c"}}]}]}"#;
    assert_eq!(kinds(comment), ["comments"]);
}

#[test]
fn messaging_in_changes_form() {
    let value =
        r#"{"sender":{"id":"7"},"recipient":{"id":"1"},"timestamp":1789999999,"message":{"mid":"m","text":"t"}}"#;
    for (field, standby) in [("messages", false), ("message_echoes", false), ("standby", true)] {
        let event =
            events(&under("instagram", "changes", &format!(r#"{{"field":"{field}","value":{value}}}"#))).remove(0);
        assert_eq!((event.kind(), event.standby), ("message", standby));
        assert_eq!((event.sender.as_deref(), event.timestamp_ms), (Some("7"), Some(1_789_999_999_000)));
    }
    let flat = format!(r#"{{"object":"instagram","entry":[{{"id":"1","field":"messages","value":{value}}}]}}"#);
    assert_eq!(kinds(&flat), ["message"]);
    assert_eq!(kinds(&under("instagram", "changes", r#"{"field":"messages","value":"x"}"#)), ["change"]);
    assert_eq!(kinds(&under("instagram", "changes", r#"{"value":{}}"#)), ["malformed"]);
}

#[test]
fn missing_and_odd_people_and_moments() {
    // The spurious edit: no sender, no recipient (§5.4).
    let event = events(&under("instagram", "messaging", r#"{"message_edit":{"mid":"m","num_edit":0}}"#)).remove(0);
    assert_eq!((event.sender, event.recipient, event.timestamp_ms), (None, None, Some(1_790_000_000_000)));
    assert_eq!(event.body, EventBody::Edit { mid: "m".into(), text: None, num_edit: 0 });
    let optin = events(&under("page", "messaging", r#"{"sender":{"user_ref":"r"},"recipient":{"id":"1"},"optin":{}}"#))
        .remove(0);
    assert_eq!((optin.kind(), optin.sender), ("optin", None));
    let big = events(&under(
        "page",
        "messaging",
        r#"{"sender":{"id":17841405793187218999},"recipient":7,"timestamp":"soon","read":{}}"#,
    ))
    .remove(0);
    assert_eq!((big.sender.as_deref(), big.recipient), (Some("17841405793187218999"), None));
    assert_eq!(big.timestamp_ms, Some(1_790_000_000_000));
    let none =
        events(r#"{"object":"page","entry":[{"id":"1","time":5,"messaging":[{"read":{},"timestamp":0}]}]}"#).remove(0);
    assert_eq!(none.timestamp_ms, None);
}

#[test]
fn several_keys_no_key_wrong_types() {
    let cases = [
        (r#"{"read":{"mid":"m"},"reaction":{"mid":"m"},"message":{"mid":"m","text":"t"}}"#, "message"),
        (r#"{"message":null,"read":{"mid":"m"}}"#, "read"),
        (r#"{"message":{"mid":"a"},"message":{"mid":"b"}}"#, "message"),
        (r#"{"message":"text"}"#, "malformed"),
        (r#"{"message":[]}"#, "malformed"),
        (r#"{"message":{"is_deleted":true}}"#, "malformed"),
        (r#"{"reaction":{"action":"react"}}"#, "malformed"),
        (r#"{"reaction":{"mid":"m","action":"wave","emoji":"x"}}"#, "reaction"),
        (r#"{"message":{}}"#, "message"),
        (r#"{"delivery":{"mids":"m"}}"#, "delivery"),
        (r#"{"optin":true}"#, "optin"),
        (r#"{}"#, "unknown"),
        (r#"{"sender":{"id":"7"},"surprise":{"a":1}}"#, "unknown"),
        ("null", "malformed"),
        ("[]", "malformed"),
    ];
    for (element, kind) in cases {
        assert_eq!(kinds(&under("page", "messaging", element)), [kind], "{element}");
    }
    let unknown = events(&under("page", "messaging", cases[12].0)).remove(0).body;
    assert_eq!(unknown, EventBody::Unknown { keys: vec!["surprise".into()] });
    let twice = message(events(&under("page", "messaging", cases[2].0)).remove(0).body);
    assert_eq!(twice.mid.as_deref(), Some("b"));
    let standby = events(&under("page", "standby", r#"{"postback":{"title":"t"}}"#)).remove(0);
    assert!(standby.standby && matches!(standby.body, EventBody::Postback { payload: None, .. }));
}

#[test]
fn text_that_no_string_or_database_can_hold() {
    let cases = [
        (r"a\u0000b", "a\u{fffd}b"),
        (r"\ud800", "\u{fffd}"),
        (r"x\udc00y", "x\u{fffd}y"),
        (r"\ud83d\ude00", "\u{1f600}"),
        (r"\u{2764}", "\u{2764}"),
    ];
    for (wire, expected) in cases {
        let event = one("page", &format!(r#"{{"message":{{"mid":"m","text":"{wire}"}}}}"#));
        assert_eq!(message(event.body).text.as_deref(), Some(expected), "{wire}");
    }
    let change = events(&under("page", "changes", r#"{"field":"feed","value":{"message":"\u0000\ud800"}}"#)).remove(0);
    let EventBody::Change { value, .. } = change.body else { panic!("no change") };
    assert_eq!(value["message"], "\u{fffd}\u{fffd}");
}
