//! The automatic reply by text, template and keyword: when it answers, when it keeps silent and why, and that one message gets
//! one answer whatever happens.

use super::shop::{ANN, BEN, CLEO, id_of};
use super::{Account, Talks};
use domain::clock::{HOUR, MINUTE, SECOND};
use serde_json::{Value, json};

/// Why the last message was not answered; null when it was.
pub(super) async fn skipped(talks: &Talks) -> Value {
    let job = talks.logins.jobs("reply.auto").await.remove(0);
    let result: Value = serde_json::from_str(&job.result.unwrap_or_else(|| "null".to_owned())).unwrap();
    result["skipped"].clone()
}

/// A customer writes; returns what they heard since, and why nothing if so.
async fn heard(talks: &Talks, account: &Account, customer: &str, text: &str) -> (Vec<String>, Value) {
    let newest = async || talks.logins.jobs("reply.auto").await.into_iter().next();
    let before = (talks.texts(account, customer).await.len(), newest().await.map(|job| job.id));
    talks.dm(account, customer, json!({ "text": text })).await;
    talks.settled().await;
    let decided = newest().await;
    if decided.as_ref().is_some_and(|job| job.state == "snoozed") {
        // It waits a moment for the customer's name.
        talks.logins.advance(SECOND).await;
        talks.settled().await;
    }
    let asked = decided.map(|job| job.id) != before.1;
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

/// The very first reply to somebody new: Meta is asked for the name at the same moment.
#[tokio::test]
async fn somebody_new_is_called_by_name() {
    let talks = Talks::new().await;
    for (account, name) in [(&talks.instagram, "Ada Byron"), (&talks.page, "Bea Smith")] {
        talks.reply_with(account, json!({ "mode": "template", "text": "Hi {{contact.name|stranger}}!" })).await;
        let known = json!({ "accountId": account.external_id, "id": ANN, "name": name });
        talks.logins.control("/sandbox/customers", known).await;
        // Meta tells later than the reply is decided on.
        talks.logins.fault("profile_transient", Some(1)).await;
        talks.dm(account, ANN, json!({ "text": "Hello" })).await;
        assert_eq!(talks.logins.jobs("reply.auto").await[0].state, "snoozed");
        assert_eq!(talks.texts(account, ANN).await, Vec::<String>::new());
        talks.logins.advance(7 * SECOND).await;
        talks.settled().await;
        talks.logins.advance(2 * SECOND).await;
        talks.settled().await;
        assert_eq!(talks.texts(account, ANN).await, [format!("Hi {name}!")]);
        // Nobody waits long for it.
        talks.logins.fault("profile_transient", Some(9)).await;
        talks.dm(account, BEN, json!({ "text": "Hello" })).await;
        talks.logins.advance(10 * SECOND).await;
        talks.settled().await;
        assert_eq!(talks.texts(account, BEN).await, ["Hi stranger!"]);
        talks.logins.no_faults().await;
    }
    talks.stop().await;
}

/// However late a reply is decided on or leaves, what a person has answered meanwhile is answered.
#[tokio::test]
async fn a_reply_that_comes_late_sees_what_a_person_has_answered() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        talks.reply_with(account, json!({ "mode": "template", "text": "Thanks!" })).await;
        // Decided late.
        talks.pause(true).await;
        for customer in [ANN, BEN] {
            let body = json!({ "accountId": account.external_id, "customerId": customer, "text": "Hello?" });
            talks.logins.control("/sandbox/messages", body).await;
            talks
                .logins
                .until("the message", || async {
                    let shown = talks.conversation(account, customer).await;
                    if shown.is_null() { Err("none".to_owned()) } else { Ok(()) }
                })
                .await;
        }
        talks.logins.advance(MINUTE).await;
        let own = json!({ "accountId": account.external_id, "customerId": ANN, "text": "I am here" });
        talks.logins.control("/sandbox/owner-messages", own).await;
        talks
            .logins
            .until("the owner's answer", || async {
                let all = talks.messages(account, ANN).await.len();
                if all == 2 { Ok(()) } else { Err(all.to_string()) }
            })
            .await;
        talks.logins.advance(2 * HOUR).await;
        talks.pause(false).await;
        talks.settled().await;
        assert_eq!(talks.texts(account, ANN).await, Vec::<String>::new());
        assert_eq!(talks.texts(account, BEN).await, ["Thanks!"], "nobody has answered");

        // Decided in time, and kept from leaving: the account must be connected again.
        let others = ["900000000000011", "900000000000012"];
        talks.logins.fault("token_expired", Some(1)).await;
        for customer in others {
            talks.dm(account, customer, json!({ "text": "Hello?" })).await;
            let rows = talks.messages(account, customer).await;
            assert!(rows.iter().any(|row| row["origin"] == "auto" && row["status"] == "queued"), "{rows:?}");
        }
        talks.logins.no_faults().await;
        talks.logins.advance(MINUTE).await;
        let own = json!({ "accountId": account.external_id, "customerId": others[0], "text": "I am here" });
        talks.logins.control("/sandbox/owner-messages", own).await;
        talks.settled().await;
        talks.logins.advance(MINUTE).await;
        let mut owner = talks.logins.owner.clone();
        let platform = if account.id == talks.page.id { "facebook" } else { "instagram" };
        talks.logins.connect(&mut owner, platform, &[&account.external_id]).await;
        talks.settled().await;
        assert_eq!(talks.texts(account, others[0]).await, Vec::<String>::new());
        assert_eq!(talks.texts(account, others[1]).await, ["Thanks!"]);
        let row = talks.messages(account, others[0]).await.into_iter().find(|one| one["origin"] == "auto").unwrap();
        assert_eq!((&row["status"], &row["error"]["class"]), (&json!("failed"), &json!("person_answered")));
        // Whoever wants it all the same may have it.
        let talk = talks.path_of(account, others[0]).await;
        assert_eq!(talks.retry(&talk, &row).await.status, 202);
        talks.until_status(&talk, &row, "sent").await;
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
        // And whatever is said, twenty answers within a day are enough.
        for number in 0..20 {
            assert_eq!(heard(&talks, account, CLEO, &format!("Number {number}")).await, answered("Thanks!"));
        }
        assert_eq!(heard(&talks, account, CLEO, "Number 20").await, silent("too_many_replies"));
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
