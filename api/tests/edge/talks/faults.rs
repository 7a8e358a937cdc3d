//! Sends of which nobody knows what became: never sent again by themselves, settled by what Meta says later, or by an operator
//! who says why.

use super::shop::{ANN, BEN};
use super::{Account, Talks};
use crate::world::{Answer, Caller};
use domain::api_keys::Scope;
use domain::clock::{DAY, MINUTE};
use domain::id::{IdKind, new_id};
use entities::job;
use futures::future::join_all;
use jobs::ledger::operate;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Meta takes a message and neither answers nor tells of it.
async fn silent(talks: &Talks, talk: &str, text: &str) -> Value {
    talks.logins.fault("no_echo", Some(1)).await;
    talks.logins.fault("answer_lost", Some(1)).await;
    let made = talks.write(talk, json!({ "text": text })).await;
    let unknown = talks.until_status(talk, &made, "unknown").await;
    talks.settled().await;
    unknown
}

/// Meta's telling of a message after all.
async fn echo_of(talks: &Talks, sent: &Value) -> Value {
    let mut message = json!({ "mid": sent["mid"], "text": sent["text"], "is_echo": true });
    if !sent["metadata"].is_null() {
        message["metadata"] = sent["metadata"].clone();
        let app = talks.logins.says("/sandbox/settings").await["metaAppId"].as_str().unwrap().parse::<u64>().unwrap();
        message["app_id"] = json!(app);
    }
    json!({
        "sender": { "id": sent["accountId"] },
        "recipient": { "id": sent["recipientId"] },
        "timestamp": talks.logins.world.ctx.now(),
        "message": message,
    })
}

/// Meta's ids of the shop's messages: each stands on one row.
async fn one_row_each(talks: &Talks, account: &Account, customer: &str, talk: &str) {
    let rows = talks.written(talk).await;
    let shown: Vec<String> = rows.iter().filter_map(|row| row["externalId"].as_str().map(str::to_owned)).collect();
    let sent: BTreeSet<String> =
        talks.sent(account, customer).await.iter().map(|one| one["mid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown.len(), sent.len(), "{rows:?}");
    assert_eq!(shown.into_iter().collect::<BTreeSet<_>>(), sent);
}

async fn act(talks: &Talks, caller: &Caller, message: &Value, what: &str, reason: Value) -> Answer {
    let path = format!("/api/admin/messages/{}/{what}", message["id"].as_str().unwrap());
    talks.logins.world.send(caller, "POST", &path, json!({ "reason": reason })).await
}

async fn audited(talks: &Talks) -> Vec<Value> {
    let operator = talks.operator(&[Scope::AuditRead]).await;
    let trail = talks.logins.world.get(&operator, "/api/admin/audit?limit=100").await.body;
    let items = trail["items"].as_array().unwrap().clone();
    items.into_iter().filter(|one| one["action"].as_str().unwrap().starts_with("message.")).collect()
}

#[tokio::test]
async fn a_timeout_is_unknown_and_never_sent_again_by_itself() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        let before = talks.sends().await;
        talks.fault_with("timeout_before_accept", 1, json!({ "ms": 5_000 })).await;
        let made = talks.write(&talk, json!({ "text": "Hello" })).await;
        let unknown = talks.until_status(&talk, &made, "unknown").await;
        assert_eq!(unknown["error"]["class"], "unknown_outcome");
        assert!(unknown["error"]["message"].as_str().unwrap().contains("not known whether"), "{unknown}");
        let shown = talks.get(&format!("/api/meta/connections/{}", account.id)).await;
        assert_eq!(shown["status"], "active", "a slow answer says nothing of the token");
        // The looks, and hours in which a retry would have come.
        for minutes in [1, 2, 10, 60, 600] {
            talks.logins.advance(minutes * MINUTE).await;
            talks.settled().await;
        }
        assert_eq!(talks.sends().await, before + 1);
        assert_eq!(talks.now(&talk, &made).await["status"], "unknown");
        assert_eq!(talks.sent(account, ANN).await.len(), 0);
        // A later message is not held up by it.
        let next = talks.write(&talk, json!({ "text": "Are you there?" })).await;
        talks.until_status(&talk, &next, "sent").await;
    }
    talks.stop().await;
}

#[tokio::test]
async fn what_meta_took_in_silence_is_settled_by_its_echo() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        for (fault, params) in [
            ("answer_lost", json!({ "how": "reset" })),
            ("answer_lost", json!({ "how": "close" })),
            ("timeout_after_accept", json!({ "ms": 5_000 })),
            ("reset_mid_response", json!({ "how": "close" })),
            ("answer_without_message_id", json!({})),
        ] {
            let customer = if fault == "answer_lost" { ANN } else { BEN };
            let talk = talks.talk(account, customer).await;
            let (rows, sent) = (talks.written(&talk).await.len(), talks.sent(account, customer).await.len());
            talks.fault_with(fault, 1, params.clone()).await;
            let made = talks.write(&talk, json!({ "text": format!("After {fault} {params}") })).await;
            talks.until_status(&talk, &made, "sent").await;
            talks.settled().await;
            assert_eq!(talks.now(&talk, &made).await["status"], "sent", "{fault}");
            assert_eq!(talks.written(&talk).await.len(), rows + 1);
            assert_eq!(talks.sent(account, customer).await.len(), sent + 1, "{fault}");
            one_row_each(&talks, account, customer, &talk).await;
        }
        // Without an echo it is found by looking.
        let talk = talks.talk(account, ANN).await;
        let unknown = silent(&talks, &talk, "Silence").await;
        talks.logins.advance(MINUTE).await;
        talks.until_status(&talk, &unknown, "sent").await;
        one_row_each(&talks, account, ANN, &talk).await;
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_message_whose_job_is_given_up_has_failed() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    talks.pause(true).await;
    let mut made = Vec::new();
    for text in ["Cancelled", "Discarded"] {
        made.push(talks.write(&talk, json!({ "text": text })).await);
    }
    let world = &talks.logins.world;
    for (message, cancel) in made.iter().zip([true, false]) {
        let key = format!("send:{}", message["id"].as_str().unwrap().trim_start_matches("msg_"));
        let job = job::Entity::find().filter(job::Column::DedupeKey.eq(key)).one(world.ctx.db.read()).await.unwrap();
        let (job, now) = (job.unwrap().id, world.ctx.now());
        let mut tx = world.ctx.db.begin().await.unwrap();
        let done = if cancel {
            operate::cancel(&world.ledger, &mut tx, job, now).await.unwrap()
        } else {
            operate::discard(&world.ledger, &mut tx, job, now).await.unwrap()
        };
        assert!(done);
        tx.commit().await.unwrap();
        let failed = talks.now(&talk, message).await;
        assert_eq!((&failed["status"], &failed["error"]["class"]), (&json!("failed"), &json!("cancelled")));
        assert!(failed["error"]["message"].as_str().unwrap().contains("given up"), "{failed}");
    }
    talks.pause(false).await;
    talks.settled().await;
    assert_eq!(talks.sends().await, 0);
    assert_eq!(talks.retry(&talk, &made[1]).await.status, 202, "a person may still send it");
    talks.until_status(&talk, &made[1], "sent").await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await, ["Discarded"]);
    talks.stop().await;
}

#[tokio::test]
async fn an_operator_decides_about_what_is_unknown_and_nothing_else() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    let inbound = talks.messages(&talks.page, ANN).await.remove(0);
    let sent = talks.write(&talk, json!({ "text": "Sent" })).await;
    talks.until_status(&talk, &sent, "sent").await;
    talks.logins.fault("recipient_unavailable", Some(1)).await;
    let failed = talks.write(&talk, json!({ "text": "Failed" })).await;
    talks.until_status(&talk, &failed, "failed").await;
    talks.fault_with("timeout_before_accept", 1, json!({ "ms": 4_000 })).await;
    let unknown = talks.write(&talk, json!({ "text": "Unknown" })).await;
    talks.until_status(&talk, &unknown, "unknown").await;
    let force = talks.operator(&[Scope::JobsForce]).await;
    let others = talks.operator(&[Scope::JobsRead, Scope::JobsWrite, Scope::PayloadReveal, Scope::AuditRead]).await;
    let (owner, program) = (talks.logins.owner.clone(), talks.key().await);
    let before = talks.sends().await;
    for what in ["force-resend", "dismiss"] {
        for message in [&sent, &failed] {
            let answer = act(&talks, &force, message, what, json!("no")).await;
            assert_eq!((answer.status, answer.code()), (409, "already_over"), "{what} {message}");
        }
        let strangers = [inbound["id"].clone(), json!(IdKind::Message.show(new_id(1))), json!("msg_1"), json!("x")];
        for id in strangers {
            let answer = act(&talks, &force, &json!({ "id": id }), what, json!("no")).await;
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{what} {id}");
        }
        let answer = act(&talks, &others, &unknown, what, json!("no")).await;
        assert_eq!((answer.status, answer.code()), (403, "scope_required"));
        for caller in [&owner, &program, &Caller::default()] {
            assert_eq!(act(&talks, caller, &unknown, what, json!("no")).await.code(), "unauthenticated");
        }
        for reason in [Value::Null, json!(""), json!("  "), json!("a\u{1b}b"), json!("x".repeat(501))] {
            let answer = act(&talks, &force, &unknown, what, reason.clone()).await;
            assert_eq!((answer.status, answer.code()), (422, "invalid_request"), "{reason}");
        }
    }
    talks.settled().await;
    assert_eq!((talks.sends().await, audited(&talks).await), (before, Vec::new()));
    assert_eq!(talks.now(&talk, &unknown).await["status"], "unknown");

    let done = act(&talks, &force, &unknown, "dismiss", json!("The customer has called")).await;
    assert_eq!((done.status, &done.body["status"], &done.body["jobId"]), (200, &json!("failed"), &Value::Null));
    assert!(!done.text.contains("Unknown"), "its words are not for operators: {}", done.text);
    let dismissed = talks.now(&talk, &unknown).await;
    assert_eq!((&dismissed["status"], &dismissed["error"]["class"]), (&json!("failed"), &json!("dismissed")));
    for what in ["force-resend", "dismiss"] {
        assert_eq!(act(&talks, &force, &unknown, what, json!("again")).await.code(), "already_over");
    }
    // Dismissing opens no way around the operator: it is still not known whether the customer has it.
    let again = talks.retry(&talk, &unknown).await;
    assert_eq!((again.status, again.code()), (409, "not_failed"));
    talks.settled().await;
    assert_eq!(talks.sends().await, before);
    let trail = audited(&talks).await;
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert_eq!((&trail[0]["action"], &trail[0]["target"]), (&json!("message.dismissed"), &unknown["id"]));
    assert_eq!(trail[0]["reason"], "The customer has called");
    assert!(trail[0]["actor"].as_str().unwrap().starts_with("key_"), "{trail:?}");
    talks.stop().await;
}

/// What was meant to be sent again and is refused, by Meta or by our own rules, may have been sent the first time all the same.
#[tokio::test]
async fn a_forced_resend_that_does_not_leave_is_as_unknown_as_before() {
    let mut talks = Talks::new().await;
    let force = talks.operator(&[Scope::JobsForce]).await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    // Meta never took it, and nobody can know.
    talks.fault_with("timeout_before_accept", 1, json!({ "ms": 4_000 })).await;
    let unknown = talks.write(&talk, json!({ "text": "Perhaps" })).await;
    talks.until_status(&talk, &unknown, "unknown").await;
    // Meta refuses it; Meta wants it later, and then it is too late; it is too late before Meta is asked.
    for (fault, why) in [
        (Some("recipient_unavailable"), "It was not sent again"),
        (Some("rate_limit"), "More than 24 hours"),
        (None, "More than 24 hours"),
    ] {
        match fault {
            Some(fault) => talks.logins.fault(fault, Some(1)).await,
            None => talks.pause(true).await,
        }
        assert_eq!(act(&talks, &force, &unknown, "force-resend", json!("The customer asked")).await.status, 200);
        if fault.is_some() {
            talks.settled().await;
        }
        if fault != Some("recipient_unavailable") {
            assert_eq!(talks.now(&talk, &unknown).await["status"], "queued");
            talks.logins.advance(DAY).await;
        }
        talks.pause(false).await;
        talks.later(0).await;
        let shown = talks.now(&talk, &unknown).await;
        assert_eq!((&shown["status"], &shown["error"]["class"]), (&json!("unknown"), &json!("unknown_outcome")));
        assert!(shown["error"]["message"].as_str().unwrap().contains(why), "{shown}");
        assert_eq!(talks.retry(&talk, &unknown).await.code(), "not_failed");
        talks.logins.no_faults().await;
    }
    assert_eq!(talks.texts(&talks.instagram, ANN).await, Vec::<String>::new());
    talks.stop().await;
}

#[tokio::test]
async fn of_two_operators_at_once_one_decides() {
    let talks = Talks::new().await;
    let force = talks.operator(&[Scope::JobsForce]).await;
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        for round in 0..4 {
            let unknown = silent(&talks, &talk, &format!("Round {round}")).await;
            let (sends, trail) = (talks.sends().await, audited(&talks).await.len());
            let answers = join_all((0..8).map(|number| {
                // In some rounds they do not even want the same.
                let what = if round % 2 == 1 && number % 2 == 1 { "dismiss" } else { "force-resend" };
                act(&talks, &force, &unknown, what, json!("at once"))
            }))
            .await;
            let winners: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
            assert_eq!(winners.len(), 1, "{answers:?}");
            assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.code() == "already_over"));
            talks.settled().await;
            let again = u64::from(winners[0].body["jobId"].is_string());
            assert_eq!(talks.sends().await, sends + again);
            assert_eq!(audited(&talks).await.len(), trail + 1);
            let status = if again == 1 { "sent" } else { "failed" };
            assert_eq!(talks.now(&talk, &unknown).await["status"], status);
        }
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_late_echo_of_the_first_send_stands_beside_the_second() {
    let talks = Talks::new().await;
    let force = talks.operator(&[Scope::JobsForce]).await;
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        let unknown = silent(&talks, &talk, "Once or twice").await;
        let done = act(&talks, &force, &unknown, "force-resend", json!("The customer asked")).await;
        assert_eq!((done.status, &done.body["status"]), (200, &json!("queued")));
        talks.until_status(&talk, &unknown, "sent").await;
        talks.settled().await;
        let sent = talks.sent(account, ANN).await;
        assert_eq!(sent.len(), 2);
        assert_eq!(talks.now(&talk, &unknown).await["externalId"], sent[1]["mid"]);
        assert_eq!(talks.written(&talk).await.len(), 1);
        for _ in 0..2 {
            talks.event(account, "messaging", echo_of(&talks, &sent[0]).await).await;
            assert_eq!(talks.written(&talk).await.len(), 2, "what the customer sees twice is shown twice");
            one_row_each(&talks, account, ANN, &talk).await;
        }
        assert_eq!(talks.now(&talk, &unknown).await["externalId"], sent[1]["mid"]);

        // Here the echo comes while the second waits: it is not sent.
        let unknown = silent(&talks, &talk, "Once").await;
        talks.pause(true).await;
        assert_eq!(act(&talks, &force, &unknown, "force-resend", json!("The customer asked")).await.status, 200);
        let first = talks.sent(account, ANN).await.pop().unwrap();
        let event = echo_of(&talks, &first).await;
        let body = json!({ "accountId": account.external_id, "field": "messaging", "event": event });
        talks.logins.control("/sandbox/events", body).await;
        talks.until_status(&talk, &unknown, "sent").await;
        talks.pause(false).await;
        talks.settled().await;
        one_row_each(&talks, account, ANN, &talk).await;
        assert_eq!(talks.now(&talk, &unknown).await["status"], "sent");
        assert_eq!(talks.sent(account, ANN).await.len(), 3, "known to be there, so not sent again");
    }
    talks.stop().await;
}
