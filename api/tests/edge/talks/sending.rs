//! Sending by hand: a text, a template, a file; the way of a message as the API shows it; what fits into one message, what is
//! sent in parts, and what is refused whole.

use super::shop::{ANN, BEN};
use super::{Account, Talks};
use domain::id::{IdKind, new_id};
use serde_json::{Value, json};

/// A family of four and a flag: one character each to people, several to programs.
const FAMILY: &str = "👨‍👩‍👧‍👦";
const FLAG: &str = "🇫🇮";

#[tokio::test]
async fn a_message_goes_its_way_and_every_step_is_shown() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        talks.logins.fault("hold_answer", Some(1)).await;
        let made = talks.write(&talk, json!({ "text": "We have it in blue." })).await;
        assert_eq!(
            (&made["direction"], &made["origin"], &made["kind"]),
            (&json!("outbound"), &json!("person"), &json!("text"))
        );
        assert_eq!((&made["externalId"], &made["error"], &made["partOf"]), (&Value::Null, &Value::Null, &Value::Null));
        talks.until_held().await;
        talks.until_status(&talk, &made, "sending").await;
        talks.release().await;
        talks.until_status(&talk, &made, "sent").await;
        talks.settled().await;

        let sent = talks.sent(account, ANN).await;
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!((&sent[0]["text"], &sent[0]["tag"]), (&json!("We have it in blue."), &Value::Null));
        let on_facebook = account.id == talks.page.id;
        // Messenger echoes what stands in the metadata; of Instagram that is not known, so none is sent.
        assert_eq!(sent[0]["metadata"], if on_facebook { made["id"].clone() } else { Value::Null });
        // The echo is this message, and no second one.
        let rows = talks.written(&talk).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0]["externalId"], &rows[0]["status"]), (&sent[0]["mid"], &json!("sent")));

        let whose = json!({ "accountId": account.external_id, "customerId": ANN });
        let mut about = whose.clone();
        if on_facebook {
            about["mids"] = json!([sent[0]["mid"]]);
            talks.logins.control("/sandbox/receipts", about).await;
            talks.until_status(&talk, &made, "delivered").await;
            talks.logins.control("/sandbox/reads", whose).await;
        } else {
            about["mid"] = sent[0]["mid"].clone();
            talks.logins.control("/sandbox/reads", about).await;
        }
        talks.until_status(&talk, &made, "read").await;
        let shown = talks.conversation(account, ANN).await;
        assert_eq!((&shown["lastMessage"]["id"], &shown["lastMessage"]["status"]), (&made["id"], &json!("read")));
    }
    talks.stop().await;
}

#[tokio::test]
async fn what_is_taken_is_answered_as_queued_however_fast_it_leaves() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    for number in 0..30 {
        talks.write(&talk, json!({ "text": format!("Number {number}") })).await;
    }
    talks.settled().await;
    let expected: Vec<String> = (0..30).map(|number| format!("Number {number}")).collect();
    assert_eq!(talks.texts(&talks.page, ANN).await, expected, "in the order they were written");
    talks.stop().await;
}

#[tokio::test]
async fn a_template_is_filled_in_and_a_file_is_named() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let ada = json!({ "accountId": account.external_id, "id": ANN, "name": "Ada Lovelace", "username": "ada" });
        talks.logins.control("/sandbox/customers", ada).await;
        let nobody = json!({ "accountId": account.external_id, "id": BEN, "name": null, "username": null });
        talks.logins.control("/sandbox/customers", nobody).await;
    }
    let text = "Hi {{contact.firstName|there}}, {{ account.name }} thanks you{{contact.nothing}}";
    let unknown = talks.send("POST", "/api/templates", json!({ "name": "Thanks", "text": text })).await;
    assert_eq!(unknown.code(), "invalid_request");
    let thanks = talks.template("Thanks", &text.replace("{{contact.nothing}}", "!"), &[]).await;
    for account in [&talks.instagram, &talks.page] {
        let shop = talks.get(&format!("/api/meta/connections/{}", account.id)).await["name"].clone();
        let talk = talks.talk(account, ANN).await;
        let made = talks.write(&talk, json!({ "templateId": thanks })).await;
        let filled = format!("Hi Ada, {} thanks you!", shop.as_str().unwrap());
        assert_eq!(
            (&made["text"], &made["templateId"], &made["kind"]),
            (&json!(filled), &json!(thanks), &json!("text"))
        );
        talks.until_status(&talk, &made, "sent").await;

        let file = json!({ "attachment": { "type": "image", "url": "https://shop.test/blue.png?size=m" } });
        let made = talks.write(&talk, file).await;
        assert_eq!((&made["kind"], &made["text"]), (&json!("image"), &Value::Null));
        assert_eq!(made["attachments"][0]["url"], "https://shop.test/blue.png?size=m");
        talks.until_status(&talk, &made, "sent").await;
        talks.settled().await;
        let sent = talks.sent(account, ANN).await;
        assert_eq!((sent.len(), &sent[0]["text"]), (2, &json!(filled)));
        assert_eq!(sent[1]["attachment"]["type"], "image");
        assert_eq!(sent[1]["attachment"]["payload"]["url"], "https://shop.test/blue.png?size=m");
        assert_eq!(talks.written(&talk).await.len(), 2, "the file's echo is the file");
    }
    // Nothing is known of this one but an id.
    let talk = talks.talk(&talks.page, BEN).await;
    let made = talks.write(&talk, json!({ "templateId": thanks })).await;
    assert!(made["text"].as_str().unwrap().starts_with("Hi there, "), "{made}");
    talks.stop().await;
}

/// Writes a text and returns the parts that Meta got, which are the parts that are shown.
async fn parts(talks: &Talks, account: &Account, talk: &str, text: &str) -> Vec<String> {
    let before = (talks.texts(account, ANN).await.len(), talks.written(talk).await.len());
    let made = talks.write(talk, json!({ "text": text })).await;
    talks.settled().await;
    let sent = talks.texts(account, ANN).await.split_off(before.0);
    let rows = talks.written(talk).await;
    let mut rows: Vec<&Value> =
        rows.iter().filter(|one| one["id"] == made["id"] || one["partOf"] == made["id"]).collect();
    rows.sort_by_key(|one| one["part"].as_i64());
    assert!(rows.iter().all(|one| one["status"] == "sent"), "{rows:?}");
    let shown: Vec<&str> = rows.iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(shown, sent);
    assert_eq!(rows[0]["id"], made["id"]);
    let group = if rows.len() > 1 { made["id"].clone() } else { Value::Null };
    assert!(rows.iter().all(|one| one["partOf"] == group), "{rows:?}");
    assert_eq!(
        rows.iter().map(|one| one["part"].as_u64().unwrap()).collect::<Vec<_>>(),
        (0..rows.len() as u64).collect::<Vec<_>>()
    );
    sent
}

#[tokio::test]
async fn what_fits_is_counted_in_bytes_on_instagram_and_in_characters_in_messenger() {
    let talks = Talks::new().await;
    let (on_instagram, on_facebook) = (talks.talk(&talks.instagram, ANN).await, talks.talk(&talks.page, ANN).await);
    // A unit, how many fill a message exactly, and what one more costs.
    let bytes = [("a", 1000), ("ä", 500), ("€", 333), ("😀", 250), (FAMILY, 40), (FLAG, 125)];
    let characters = [("a", 2000), ("ä", 2000), ("€", 2000), ("😀", 2000), (FAMILY, 285), (FLAG, 1000)];
    for (account, talk, units) in [(&talks.instagram, &on_instagram, bytes), (&talks.page, &on_facebook, characters)] {
        for (unit, most) in units {
            let full = unit.repeat(most);
            assert_eq!(parts(&talks, account, talk, &full).await, std::slice::from_ref(&full), "{unit}");
            // Nothing is torn apart: the last whole one goes into the second message.
            assert_eq!(parts(&talks, account, talk, &unit.repeat(most + 1)).await, [full, unit.to_owned()], "{unit}");
            let shifted = format!("b{}", unit.repeat(most));
            let got = parts(&talks, account, talk, &shifted).await;
            let fits =
                if account.id == talks.page.id { shifted.chars().count() <= 2000 } else { shifted.len() <= 1000 };
            let expected =
                if fits { vec![shifted] } else { vec![format!("b{}", unit.repeat(most - 1)), unit.to_owned()] };
            assert_eq!(got, expected, "{unit}");
        }
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_long_text_is_cut_between_words_and_loses_none() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        let words = ["Grüße", "aus", "dem", "Lädchen,", "いらっしゃいませ!\n\n", FAMILY, FLAG, "Straße\t7", "спасибо"];
        let text: String = words.iter().cycle().take(700).map(|word| format!("{word} ")).collect();
        let got = parts(&talks, account, &talk, &text).await;
        assert!(got.len() > 2, "{}", got.len());
        // Together they are the text, apart from white space where it was cut.
        let mut rest = text.as_str();
        for part in &got {
            rest =
                rest.trim_start().strip_prefix(part.as_str()).unwrap_or_else(|| panic!("{part} is not next in {rest}"));
            assert!(rest.is_empty() || rest.starts_with(char::is_whitespace), "a word was torn apart before {rest}");
        }
        assert_eq!(rest.trim(), "");
    }
    talks.stop().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_whole() {
    let talks = Talks::new().await;
    let on_instagram = talks.talk(&talks.instagram, ANN).await;
    let on_facebook = talks.talk(&talks.page, ANN).await;
    let too_long =
        [(&on_instagram, "a".repeat(10_001)), (&on_instagram, "ä".repeat(5_001)), (&on_facebook, "ä".repeat(20_001))];
    for (talk, text) in too_long {
        let (status, code, sentence) = talks.refused(talk, json!({ "text": text })).await;
        assert_eq!((status, code.as_str()), (422, "text_too_long"), "{sentence}");
    }
    let file = |kind: &str, url: &str| json!({ "attachment": { "type": kind, "url": url } });
    let unknown = IdKind::Template.show(new_id(1));
    let long = format!("https://shop.test/{}", "a".repeat(2_000));
    for body in [
        json!({ "text": "" }),
        json!({ "text": " \n\t " }),
        json!({ "text": "a\u{0}b" }),
        json!({ "text": "a\u{1b}[31mb" }),
        json!({ "text": "a\u{85}b" }),
        json!({ "text": 5 }),
        json!({ "text": null }),
        json!({}),
        json!({ "text": "Hi", "colour": "red" }),
        json!({ "text": "Hi", "templateId": unknown }),
        json!({ "text": "Hi", "attachment": { "type": "image", "url": "https://shop.test/a.png" } }),
        json!({ "templateId": unknown, "attachment": { "type": "image", "url": "https://shop.test/a.png" } }),
        json!({ "text": "Hi", "templateId": unknown, "attachment": { "type": "image", "url": "https://shop.test/a.png" } }),
        file("image", "http://shop.test/a.png"),
        file("image", "https://"),
        file("image", "https:///a.png"),
        file("image", "https://me:secret@shop.test/a.png"),
        file("image", "https://shop.test/a b.png"),
        file("image", "https://shop.test/a\u{0}.png"),
        file("image", "javascript:alert(1)"),
        file("image", "data:image/png;base64,AA=="),
        file("image", "/a.png"),
        file("image", ""),
        file("image", &long),
        file("virus", "https://shop.test/a.png"),
        json!({ "attachment": { "type": "image" } }),
        json!({ "attachment": {} }),
    ] {
        let (status, code, sentence) = talks.refused(&on_instagram, body.clone()).await;
        assert_eq!((status, code.as_str()), (422, "invalid_request"), "{body} {sentence}");
    }
    for template in [unknown.as_str(), "tpl_1", "nonsense", &IdKind::Lead.show(new_id(1))] {
        let (status, code, _) = talks.refused(&on_instagram, json!({ "templateId": template })).await;
        assert_eq!((status, code.as_str()), (422, "unknown_template"), "{template}");
    }
    for talk in [&on_instagram, &on_facebook] {
        assert_eq!(talks.written(talk).await, Vec::<Value>::new());
    }
    assert_eq!(talks.sends().await, 0);
    // Ten are the most, and ten are sent.
    assert_eq!(parts(&talks, &talks.instagram, &on_instagram, &"ä".repeat(5_000)).await.len(), 10);
    assert_eq!(parts(&talks, &talks.page, &on_facebook, &"ä".repeat(20_000)).await.len(), 10);
    talks.stop().await;
}
