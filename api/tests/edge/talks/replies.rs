//! The automatic reply by text, template and keyword: when it answers, when it keeps silent and why, and that one message gets
//! one answer whatever happens.

use super::shop::{ANN, BEN, CLEO, id_of};
use super::{Account, Talks};
use domain::clock::{HOUR, MINUTE};
use serde_json::{Value, json};

/// Why the last message was not answered; null when it was.
pub(super) async fn skipped(talks: &Talks) -> Value {
    let job = talks.logins.jobs("reply.auto").await.remove(0);
    let result: Value = serde_json::from_str(&job.result.unwrap_or_else(|| "null".to_owned())).unwrap();
    result["skipped"].clone()
}

/// A customer writes; returns what they heard since, and why nothing if so.
async fn heard(talks: &Talks, account: &Account, customer: &str, text: &str) -> (Vec<String>, Value) {
    let before = (talks.texts(account, customer).await.len(), talks.logins.jobs("reply.auto").await.len());
    talks.dm(account, customer, json!({ "text": text })).await;
    talks.settled().await;
    let asked = talks.logins.jobs("reply.auto").await.len() > before.1;
    let why = if asked { skipped(talks).await } else { json!(NOT_ASKED) };
    (talks.texts(account, customer).await.split_off(before.0), why)
}

/// Where nothing answers by itself, no job decides about it.
const NOT_ASKED: &str = "not asked";

fn answered(words: &str) -> (Vec<String>, Value) {
    (vec![words.to_owned()], Value::Null)
}

fn silent(why: &str) -> (Vec<String>, Value) {
    (Vec::new(), json!(why))
}

#[tokio::test]
async fn every_mode_answers_as_it_says() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let ada = json!({ "accountId": account.external_id, "id": ANN, "name": "Ada Lovelace" });
        talks.logins.control("/sandbox/customers", ada).await;
        let shown = talks.get(&format!("/api/meta/connections/{}", account.id)).await["autoReply"].clone();
        assert_eq!((&shown["mode"], &shown["pauseMinutes"]), (&json!("off"), &json!(60)));
        assert_eq!(heard(&talks, account, ANN, "Hello").await, silent(NOT_ASKED));
        talks.reply_with(account, json!({ "mode": "template", "text": "Hi {{contact.firstName|there}}!" })).await;
        assert_eq!(heard(&talks, account, ANN, "One").await, answered("Hi Ada!"));
        let template = talks.template(&format!("For {}", account.id), "Dear {{contact.name}}", &[]).await;
        let shown = talks.reply_with(account, json!({ "mode": "template", "templateId": template })).await;
        assert_eq!(shown["autoReply"]["templateId"], template);
        assert_eq!(heard(&talks, account, ANN, "Two").await, answered("Dear Ada Lovelace"));
        let rows = talks.written(&talks.path_of(account, ANN).await).await;
        let row = rows.iter().find(|row| row["text"] == "Dear Ada Lovelace").unwrap();
        assert_eq!((&row["origin"], &row["templateId"]), (&json!("auto"), &json!(template)));
        assert!(row["inReplyTo"].is_string());
        // A file has no words, and is answered all the same.
        let before = talks.texts(account, ANN).await.len();
        talks.dm(account, ANN, json!({ "attachments": [{ "type": "image" }] })).await;
        talks.settled().await;
        assert_eq!(talks.texts(account, ANN).await.len(), before + 1);
        talks.reply_with(account, json!({ "mode": "off" })).await;
        assert_eq!(heard(&talks, account, ANN, "Three").await, silent(NOT_ASKED));
        let names = talks.template(&format!("Names {}", account.id), &"{{contact.name}} ".repeat(58), &[]).await;
        talks.reply_with(account, json!({ "mode": "template", "templateId": names })).await;
        let long =
            json!({ "accountId": account.external_id, "id": BEN, "name": "Maximilienne von 👨‍👩‍👧‍👦 und zu Habsburg" });
        talks.logins.control("/sandbox/customers", long).await;
        // By the second message it is known who writes.
        heard(&talks, account, BEN, "Hello").await;
        // One message, and no word of it torn apart.
        let (said, _) = heard(&talks, account, BEN, "Anybody there?").await;
        assert_eq!(said.len(), 1);
        for word in said[0].split(' ') {
            assert!("Maximilienne von 👨‍👩‍👧‍👦 und zu Habsburg".split(' ').any(|known| known == word), "{word}");
        }
        assert!(said[0].len() > 500, "{}", said[0].len());
    }
    talks.stop().await;
}

#[tokio::test]
async fn one_message_has_one_answer_whatever_happens() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        talks.reply_with(account, json!({ "mode": "template", "text": "Thanks!" })).await;
    }
    let faults = [
        ("duplicate", json!({ "copies": 5 })),
        ("answer_lost", json!({ "how": "reset" })),
        ("timeout_after_accept", json!({ "ms": 4_000 })),
        ("answer_without_message_id", json!({})),
        ("echo_before_answer", json!({})),
        ("echo_late", json!({ "ms": 500 })),
        ("spurious_edit", json!({})),
        ("rate_limit", json!({ "minutes": 1 })),
    ];
    for (number, (fault, params)) in faults.into_iter().enumerate() {
        for account in [&talks.instagram, &talks.page] {
            let customer = format!("90000000000020{number}");
            talks.fault_with(fault, 1, params.clone()).await;
            talks.dm(account, &customer, json!({ "text": "Hello?" })).await;
            talks.settled().await;
            talks.logins.no_faults().await;
            talks.logins.advance(2 * MINUTE).await;
            talks.settled().await;
            assert_eq!(talks.texts(account, &customer).await, ["Thanks!"], "{fault}");
            let rows = talks.written(&talks.path_of(account, &customer).await).await;
            assert_eq!((rows.len(), &rows[0]["status"]), (1, &json!("sent")), "{fault}: {rows:?}");
        }
    }
    let counters = talks.logins.says("/sandbox/counters").await;
    assert_eq!(counters["repliesByInbound"]["max"], 1, "{counters}");
    talks.stop().await;
}

#[tokio::test]
async fn a_persons_answer_silences_it_for_as_long_as_it_says() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let set = json!({ "mode": "template", "text": "Thanks!", "pauseMinutes": 30 });
        assert_eq!(talks.reply_with(account, set).await["autoReply"]["pauseMinutes"], 30);
        for (customer, by_api) in [(ANN, true), (BEN, false)] {
            assert_eq!(heard(&talks, account, customer, "Hello?").await, answered("Thanks!"));
            if by_api {
                let talk = talks.path_of(account, customer).await;
                let made = talks.write(&talk, json!({ "text": "I am here" })).await;
                talks.until_status(&talk, &made, "sent").await;
            } else {
                let own = json!({ "accountId": account.external_id, "customerId": customer, "text": "I am here" });
                talks.logins.control("/sandbox/owner-messages", own).await;
            }
            talks.settled().await;
            assert_eq!(heard(&talks, account, customer, "Nice").await, silent("person_answered"));
            talks.logins.advance(30 * MINUTE - 1).await;
            assert_eq!(heard(&talks, account, customer, "And now?").await, silent("person_answered"));
            // Another customer is answered meanwhile.
            assert_eq!(heard(&talks, account, &format!("{customer}9"), "Hello?").await, answered("Thanks!"));
            talks.logins.advance(1).await;
            assert_eq!(heard(&talks, account, customer, "Anybody?").await, answered("Thanks!"));
        }
        // A pause that is not given stays, and none at all means none.
        assert_eq!(
            talks.reply_with(account, json!({ "mode": "template", "text": "Hi!" })).await["autoReply"]["pauseMinutes"],
            30
        );
        talks.reply_with(account, json!({ "mode": "template", "text": "Hi!", "pauseMinutes": 0 })).await;
        let talk = talks.path_of(account, ANN).await;
        let made = talks.write(&talk, json!({ "text": "Me again" })).await;
        talks.until_status(&talk, &made, "sent").await;
        assert_eq!(heard(&talks, account, ANN, "You?").await, answered("Hi!"));
        // A message of a person's that was never sent silences nobody.
        talks.reply_with(account, json!({ "mode": "template", "text": "Hi!", "pauseMinutes": 10 })).await;
        let talk = talks.talk(account, CLEO).await;
        talks.logins.fault("recipient_unavailable", Some(1)).await;
        let failed = talks.write(&talk, json!({ "text": "Lost" })).await;
        talks.until_status(&talk, &failed, "failed").await;
        assert_eq!(heard(&talks, account, CLEO, "Hello?").await, answered("Hi!"));
        let path = format!("/api/meta/connections/{}/auto-reply", account.id);
        for minutes in [-1, 10_081] {
            let body = json!({ "mode": "template", "text": "Hi!", "pauseMinutes": minutes });
            assert_eq!(talks.send("PUT", &path, body).await.code(), "invalid_request");
        }
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_machine_that_repeats_itself_is_left_alone() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        talks.reply_with(account, json!({ "mode": "template", "text": "Thanks!" })).await;
        for text in ["Out of office", " out of OFFICE ", "Out of office"] {
            assert_eq!(heard(&talks, account, ANN, text).await, answered("Thanks!"));
            talks.logins.advance(11 * MINUTE).await;
        }
        assert_eq!(heard(&talks, account, ANN, "Out of office").await, silent("same_text_again"));
        assert_eq!(heard(&talks, account, ANN, "I am back").await, answered("Thanks!"), "a person rephrases");
        assert_eq!(heard(&talks, account, BEN, "Out of office").await, answered("Thanks!"), "somebody else");
        // After an hour it is said anew.
        talks.logins.advance(HOUR).await;
        assert_eq!(heard(&talks, account, ANN, "Out of office").await, answered("Thanks!"));
        // And whatever is said, five answers within ten minutes are enough.
        talks.logins.advance(HOUR).await;
        for number in 0..5 {
            assert_eq!(heard(&talks, account, CLEO, &format!("Number {number}")).await, answered("Thanks!"));
        }
        assert_eq!(heard(&talks, account, CLEO, "Number 5").await, silent("too_many_replies"));
        talks.logins.advance(10 * MINUTE).await;
        assert_eq!(heard(&talks, account, CLEO, "Number 6").await, answered("Thanks!"));
    }
    talks.stop().await;
}

#[tokio::test]
async fn neither_echoes_nor_our_own_accounts_nor_other_apps_talks_are_answered() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        talks.reply_with(account, json!({ "mode": "template", "text": "Thanks!", "pauseMinutes": 0 })).await;
    }
    // The shop's own words, from here and from Meta's app.
    let talk = talks.talk(&talks.page, ANN).await;
    let decided = talks.logins.jobs("reply.auto").await.len();
    let made = talks.write(&talk, json!({ "text": "Hello Ann" })).await;
    talks.until_status(&talk, &made, "sent").await;
    let own = json!({ "accountId": talks.page.external_id, "customerId": ANN, "text": "Hello Ann" });
    talks.logins.control("/sandbox/owner-messages", own).await;
    talks.settled().await;
    assert_eq!(talks.logins.jobs("reply.auto").await.len(), decided, "nobody even thought of it");
    // One account of ours writes to another, of the same platform or not.
    for (from, to) in [(&talks.page, &talks.instagram), (&talks.instagram, &talks.page)] {
        assert_eq!(heard(&talks, to, &from.external_id, "Hello?").await, silent("sender_is_a_connected_account"));
    }
    // Another app has the conversations of this account.
    let standby = json!({ "id": talks.page.external_id, "platform": "facebook", "login": "facebook", "standby": true });
    talks.logins.control("/sandbox/accounts", standby).await;
    let sends = talks.sends().await;
    talks.dm(&talks.page, BEN, json!({ "text": "Hello?" })).await;
    talks.settled().await;
    let stored = talks.messages(&talks.page, BEN).await;
    assert_eq!((stored.len(), &stored[0]["standby"]), (1, &json!(true)), "kept, and not answered");
    assert_eq!(talks.sends().await, sends);
    talks.stop().await;
}

#[tokio::test]
async fn plan_subscription_and_account_are_asked_before_it_answers() {
    let talks = Talks::new().await;
    talks.reply_with(&talks.page, json!({ "mode": "template", "text": "Thanks!" })).await;
    talks.subscription(false).await;
    assert_eq!(heard(&talks, &talks.page, ANN, "Hello?").await, silent("subscription_inactive"));
    talks.subscription(true).await;
    // A reply is for its moment: what was not answered is not answered later.
    assert_eq!(heard(&talks, &talks.page, ANN, "Hello again?").await, answered("Thanks!"));
    // Unsent before it could be answered.
    talks.pause(true).await;
    let body = json!({ "accountId": talks.page.external_id, "customerId": BEN, "text": "Oops" });
    let made = talks.logins.control("/sandbox/messages", body).await;
    let unsend = json!({ "accountId": talks.page.external_id, "customerId": BEN, "mid": made["mid"] });
    talks.logins.control("/sandbox/unsends", unsend).await;
    talks
        .logins
        .until("the unsent message", || async {
            let shown = talks.conversation(&talks.page, BEN).await;
            if shown["lastMessage"]["kind"] == "deleted" { Ok(()) } else { Err(shown.to_string()) }
        })
        .await;
    talks.pause(false).await;
    talks.settled().await;
    assert_eq!(skipped(&talks).await, "not_answerable");
    assert_eq!(talks.texts(&talks.page, BEN).await, Vec::<String>::new());
    // On the small plans it answers too, where the account fits.
    talks.plan("starter").await;
    talks.settled().await;
    assert_eq!(heard(&talks, &talks.page, CLEO, "Hello?").await, answered("Thanks!"));
    let talk = talks.path_of(&talks.page, CLEO).await;
    assert!(id_of(&talk).starts_with("cnv_"));
    talks.stop().await;
}
