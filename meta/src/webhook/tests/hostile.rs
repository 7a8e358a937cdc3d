//! Bodies made to break the parser: damaged, mutated, enormous, deeply nested.
//! None may panic, and a bad element may cost nothing but itself.

use proptest::prelude::*;

use super::published::FIXTURES;
use super::*;

#[test]
fn one_bad_element_of_a_thousand_costs_one() {
    let deep = format!("{}1{}", "[".repeat(3000), "]".repeat(3000));
    let bad = [
        "7".to_owned(),
        "null".to_owned(),
        r#"{"message":"x"}"#.to_owned(),
        r#"{"message":{"is_deleted":true}}"#.to_owned(),
        format!(r#"{{"message":{deep}}}"#),
    ];
    for broken in bad {
        let element = |at| match at {
            499 => broken.clone(),
            at => format!(r#"{{"sender":{{"id":"7"}},"message":{{"mid":"m{at}","text":"t"}}}}"#),
        };
        let elements: Vec<_> = (0..1000).map(element).collect();
        let all = events(&under("page", "messaging", &elements.join(",")));
        assert_eq!(all.len(), 1000);
        for (at, event) in all.into_iter().enumerate() {
            assert_eq!(event.index as usize, at);
            if at == 499 {
                assert_eq!(event.kind(), "malformed", "{broken}");
            } else {
                assert_eq!(message(event.body).mid, Some(format!("m{at}")));
            }
        }
    }
}

#[test]
fn deep_nesting_costs_only_what_is_nested() {
    let deep = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let read = message(one("page", &format!(r#"{{"message":{{"mid":"m","text":"t","attachments":[{{"type":"template","payload":{deep}}}],"x":{deep}}}}}"#)).body);
    assert_eq!((read.text.as_deref(), read.attachments.len()), (Some("t"), 1));
    assert_eq!(
        kinds(&under("page", "changes", &format!(r#"{{"field":"feed","value":{deep}}},{{"field":"feed"}}"#))),
        ["malformed", "feed"]
    );
    assert!(parse(deep.as_bytes()).is_err());
    assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn unknown_keys_are_bounded() {
    let keys: Vec<_> = (0..1000).map(|at| format!(r#""{}{at}":1"#, "ä".repeat(500))).collect();
    let EventBody::Unknown { keys } = one("page", &format!("{{{}}}", keys.join(","))).body else {
        panic!("known keys")
    };
    assert!(keys.len() <= 16 && keys.iter().all(|key| key.chars().count() <= 64));
}

fn holds_nul(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|text| text.contains('\0'))
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body: Vec<u8>) {
        let _ = parse(&body);
    }

    #[test]
    fn any_damage_to_a_fixture_is_survived(
        which in 0..FIXTURES.len(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..30usize, ".{0,12}"), 0..6),
    ) {
        let mut body = FIXTURES[which].0.as_bytes().to_vec();
        for (at, length, text) in cuts {
            let from = at.index(body.len() + 1);
            let to = (from + length).min(body.len());
            body.splice(from..to, text.into_bytes());
        }
        if let Ok(delivery) = parse(&body) {
            for event in &delivery.events {
                prop_assert!(!event.kind().is_empty());
                prop_assert!(!holds_nul(&event.sender) && !event.account_id.contains('\0'));
                if let EventBody::Message(message) = &event.body {
                    prop_assert!(!holds_nul(&message.text) && !holds_nul(&message.mid));
                    let _ = message.kind();
                }
            }
        }
    }

    /// Whatever stands in one element, its neighbours are read, as long as the whole is JSON.
    #[test]
    fn neighbours_are_never_hurt(key in "message|reaction|read|postback|referral|delivery|order|message_edit", value in json_value()) {
        let good = r#"{"message":{"mid":"good","text":"t"}}"#;
        let all = events(&under("page", "messaging", &format!(r#"{good},{{"{key}":{value}}},{good}"#)));
        prop_assert_eq!(all.len(), 3);
        for at in [0, 2] {
            prop_assert_eq!(all[at].kind(), "message");
        }
    }
}

/// Any JSON value, with the keys that matter.
fn json_value() -> impl Strategy<Value = String> {
    let key = "mid|text|attachments|payload|type|reply_to|story|referral|action|watermark|mids|id|num_edit|is_deleted";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("JSON has none", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
        "[ -!#-\\[\\]-~]{0,12}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""\ud800\u0000""#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((key, inner), 0..5).prop_map(|all| {
                let pairs: Vec<_> = all.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}
