//! When Meta lets a shop write, and when it does not: 24 hours for everybody, seven days for a person where the app has the
//! Human Agent feature, asked when a message is written and again when it leaves.

use super::shop::{ANN, BEN, CLEO, refusal};
use super::{Account, Talks};
use crate::world::Like;
use domain::clock::{DAY, HOUR};
use serde_json::{Value, json};

/// The sandbox lets the app use the tag as well.
async fn human_agent() -> Talks {
    let talks = Talks::like(Like { human_agent: true, ..Like::default() }).await;
    for (account, platform) in [(&talks.instagram, "instagram"), (&talks.page, "facebook")] {
        let body = json!({ "id": account.external_id, "platform": platform, "login": platform, "humanAgent": true });
        talks.logins.control("/sandbox/accounts", body).await;
    }
    talks
}

/// Every tag that went out to anybody.
async fn tags(talks: &Talks) -> Vec<Value> {
    let sent = talks.logins.says("/sandbox/sent?limit=1000").await;
    sent["items"].as_array().unwrap().iter().map(|one| one["tag"].clone()).collect()
}

#[tokio::test]
async fn the_window_is_open_to_its_last_millisecond() {
    let mut talks = Talks::new().await;
    let (ann, ben) = (talks.talk(&talks.instagram, ANN).await, talks.talk(&talks.page, BEN).await);
    let opened = talks.logins.world.ctx.now();
    let closes = domain::clock::rfc3339(opened + DAY);
    assert_eq!(talks.conversation(&talks.instagram, ANN).await["windowClosesAt"], closes);
    talks.later(DAY - 1).await;
    for talk in [&ann, &ben] {
        let made = talks.write(talk, json!({ "text": "Just in time" })).await;
        talks.until_status(talk, &made, "sent").await;
    }
    let before = talks.sends().await;
    talks.later(1).await;
    let program = talks.key().await;
    for talk in [&ann, &ben] {
        let by_program =
            talks.logins.world.send(&program, "POST", &format!("{talk}/messages"), json!({ "text": "Hi" })).await;
        for (status, code, sentence) in [talks.refused(talk, json!({ "text": "Too late" })).await, refusal(&by_program)]
        {
            assert_eq!((status, code.as_str()), (409, "window_closed"));
            assert_eq!(sentence, "More than 24 hours have passed since the customer's last message.");
        }
        assert_eq!(talks.written(talk).await.len(), 1, "nothing was kept of it");
    }
    assert_eq!(talks.sends().await, before);
    // The customer opens it again, by writing or by a reaction.
    talks.dm(&talks.instagram, ANN, json!({ "text": "Still there?" })).await;
    let made = talks.write(&ann, json!({ "text": "Yes" })).await;
    talks.until_status(&ann, &made, "sent").await;
    assert!(tags(&talks).await.iter().all(Value::is_null));
    talks.stop().await;
}

#[tokio::test]
async fn a_window_that_closes_before_a_message_leaves_is_seen() {
    let mut talks = Talks::new().await;
    let (ann, ben) = (talks.talk(&talks.instagram, ANN).await, talks.talk(&talks.page, BEN).await);
    talks.pause(true).await;
    let mut made = Vec::new();
    for talk in [&ann, &ben] {
        made.push(talks.write(talk, json!({ "text": "In time" })).await);
    }
    talks.logins.advance(DAY).await;
    talks.pause(false).await;
    talks.later(0).await;
    for (talk, made) in [&ann, &ben].into_iter().zip(&made) {
        let failed = talks.until_status(talk, made, "failed").await;
        assert_eq!(failed["error"]["class"], "window_closed");
        assert!(failed["error"]["message"].as_str().unwrap().starts_with("More than 24 hours"), "{failed}");
        assert_eq!(talks.retry(talk, made).await.code(), "window_closed");
    }
    assert_eq!(talks.sends().await, 0, "Meta was not asked");
    talks.stop().await;
}

#[tokio::test]
async fn a_person_may_write_for_seven_days_where_the_app_may() {
    let mut talks = human_agent().await;
    let (ann, ben) = (talks.talk(&talks.instagram, ANN).await, talks.talk(&talks.page, BEN).await);
    for talk in [&ann, &ben] {
        let made = talks.write(talk, json!({ "text": "Within the day" })).await;
        talks.until_status(talk, &made, "sent").await;
    }
    assert_eq!(tags(&talks).await, [Value::Null, Value::Null], "no tag while there is no need of one");
    talks.later(DAY).await;
    for (account, customer, talk) in [(&talks.instagram, ANN, &ann), (&talks.page, BEN, &ben)] {
        let made = talks.write(talk, json!({ "text": "A day later" })).await;
        talks.until_status(talk, &made, "sent").await;
        let sent = talks.sent(account, customer).await;
        assert_eq!((&sent[1]["tag"], &sent[1]["messagingType"]), (&json!("HUMAN_AGENT"), &json!("MESSAGE_TAG")));
        // A program is no person, whatever it says.
        let program = talks.key().await;
        let answer =
            talks.logins.world.send(&program, "POST", &format!("{talk}/messages"), json!({ "text": "Hi" })).await;
        let (status, code, sentence) = refusal(&answer);
        assert_eq!((status, code.as_str()), (409, "window_closed"));
        assert!(sentence.contains("only what a person types"), "{sentence}");
    }
    // What a program wrote and could not send is not sent by a program, but by a person.
    talks.later(5 * DAY + DAY - 1).await;
    let made = talks.write(&ann, json!({ "text": "At the last moment" })).await;
    talks.until_status(&ann, &made, "sent").await;
    let before = talks.sends().await;
    talks.later(1).await;
    let (status, code, sentence) = talks.refused(&ann, json!({ "text": "Too late" })).await;
    assert_eq!((status, code.as_str()), (409, "window_closed"));
    assert_eq!(sentence, "More than seven days have passed since the customer's last message.");
    assert_eq!(talks.sends().await, before);
    talks.stop().await;
}

#[tokio::test]
async fn what_no_person_types_never_carries_the_tag() {
    let mut talks = human_agent().await;
    talks.reply_with(&talks.instagram, json!({ "mode": "template", "text": "Thanks!" })).await;
    let talk = talks.talk(&talks.page, BEN).await;
    let due = domain::clock::rfc3339(talks.logins.world.ctx.now() + 25 * HOUR);
    let later = json!({ "conversationId": super::shop::id_of(&talk), "text": "A day later", "dueAt": due });
    let later = talks.done("POST", "/api/scheduled-messages", later).await;
    // The account's token dies, and what is to be said waits for a new one.
    talks.logins.control("/sandbox/password-change", json!({ "accountId": talks.instagram.external_id })).await;
    let automatic = talks.talk(&talks.instagram, ANN).await;
    let program = talks.key().await;
    let path = format!("{automatic}/messages");
    let by_program = talks.logins.world.send(&program, "POST", &path, json!({ "text": "By program" })).await;
    assert_eq!(by_program.status, 202, "{by_program:?}");
    let by_person = talks.write(&automatic, json!({ "text": "By person" })).await;
    talks.later(25 * HOUR).await;
    let mut owner = talks.logins.owner.clone();
    talks.logins.connect(&mut owner, "instagram", &[&talks.instagram.external_id]).await;
    talks.until_status(&automatic, &by_person, "sent").await;
    talks.settled().await;
    let rows = talks.written(&automatic).await;
    for row in &rows {
        let expected = if row["id"] == by_person["id"] { "sent" } else { "failed" };
        assert_eq!(row["status"], expected, "{rows:?}");
        if expected == "failed" {
            assert_eq!(row["error"]["class"], "window_closed");
        }
    }
    assert_eq!(rows.iter().map(|row| &row["origin"]).filter(|origin| **origin == "auto").count(), 1, "{rows:?}");
    assert_eq!(rows.len(), 3);
    assert_eq!(talks.texts(&talks.instagram, ANN).await, ["By person"]);
    let later = talks.get(&format!("/api/scheduled-messages/{}", later["id"].as_str().unwrap())).await;
    assert_eq!((&later["status"], &later["error"]["class"]), (&json!("failed"), &json!("window_closed")));
    assert_eq!(tags(&talks).await, [json!("HUMAN_AGENT")], "one tag, and no other");
    talks.stop().await;
}

#[tokio::test]
async fn a_window_that_meta_alone_sees_closed_fails_the_message_and_nothing_else() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        talks.logins.fault("window_closed_false", Some(1)).await;
        let before = talks.sends().await;
        let made = talks.write(&talk, json!({ "text": "Hello" })).await;
        let failed = talks.until_status(&talk, &made, "failed").await;
        assert_eq!(failed["error"]["class"], "window_closed");
        assert!(failed["error"]["code"].as_str().unwrap().starts_with("10/"), "{failed}");
        talks.settled().await;
        assert_eq!(talks.sends().await, before + 1, "not tried again by itself");
        let shown = talks.get(&format!("/api/meta/connections/{}", account.id)).await;
        assert_eq!(shown["status"], "active");
        assert_eq!(talks.retry(&talk, &made).await.status, 202, "a person may, for it was not closed");
        talks.until_status(&talk, &made, "sent").await;
    }
    talks.stop().await;
}

#[tokio::test]
async fn what_waits_for_its_account_leaves_when_it_is_back() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    talks.logins.control("/sandbox/password-change", json!({ "accountId": talks.instagram.external_id })).await;
    let first = talks.write(&talk, json!({ "text": "First" })).await;
    let status = async || talks.get(&format!("/api/meta/connections/{}", talks.instagram.id)).await["status"].clone();
    talks
        .logins
        .until("the dead token to be noticed", || async {
            let now = status().await;
            if now == "needs_reconnect" { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
    let second = talks.write(&talk, json!({ "text": "Second" })).await;
    for made in [&first, &second] {
        assert_eq!(talks.now(&talk, made).await["status"], "queued");
    }
    assert_eq!(talks.texts(&talks.instagram, ANN).await, Vec::<String>::new());
    let mut owner = talks.logins.owner.clone();
    talks.logins.connect(&mut owner, "instagram", &[&talks.instagram.external_id]).await;
    for made in [&first, &second] {
        talks.until_status(&talk, made, "sent").await;
    }
    talks.settled().await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await, ["First", "Second"]);
    assert_eq!(status().await, "active");
    talks.stop().await;
}

#[tokio::test]
async fn an_account_that_cannot_send_says_so() {
    let talks = Talks::new().await;
    // A Page more than the next plan has.
    let page = talks.logins.page().await;
    let mut owner = talks.logins.owner.clone();
    let newest = talks.logins.connect(&mut owner, "facebook", &[&page]).await.remove(0);
    talks.logins.until_subscribed(&page, true).await;
    let newest = Account { external_id: page, id: newest["id"].as_str().unwrap().to_owned() };
    let (over, restricted, gone) =
        (talks.talk(&newest, ANN).await, talks.talk(&talks.page, BEN).await, talks.talk(&talks.instagram, CLEO).await);
    talks.logins.fault("account_restricted", Some(1)).await;
    let refused = talks.write(&restricted, json!({ "text": "Hello" })).await;
    let refused = talks.until_status(&restricted, &refused, "failed").await;
    assert_eq!(refused["error"]["class"], "account_restricted");
    let leave = talks.send("DELETE", &format!("/api/meta/connections/{}", talks.instagram.id), Value::Null).await;
    assert_eq!(leave.status, 204);
    talks.plan("starter").await;
    // The oldest Page stays within the plan, though restricted: it is what needs a person.
    talks.settled().await;
    let before = talks.sends().await;
    for (talk, account, status) in [(&over, &newest, "over_plan"), (&restricted, &talks.page, "restricted")] {
        assert_eq!(talks.get(&format!("/api/meta/connections/{}", account.id)).await["status"], status);
        let (http, code, sentence) = talks.refused(talk, json!({ "text": "Hello" })).await;
        assert_eq!((http, code.as_str()), (409, "connection_unavailable"), "{status}: {sentence}");
        assert!(sentence.contains("account"), "{sentence}");
    }
    assert_eq!(talks.retry(&restricted, &refused).await.code(), "connection_unavailable");
    talks.plan("team").await;
    let (http, code, sentence) = talks.refused(&gone, json!({ "text": "Hello" })).await;
    assert_eq!(
        (http, code.as_str(), sentence.as_str()),
        (409, "connection_unavailable", "This account is disconnected.")
    );
    // With the plan, the account that was over it writes again.
    let made = talks.write(&over, json!({ "text": "Hello" })).await;
    talks.until_status(&over, &made, "sent").await;
    assert_eq!(talks.sends().await, before + 1);
    talks.stop().await;
}

#[tokio::test]
async fn the_plan_says_who_writes_on_instagram() {
    let talks = Talks::new().await;
    let (ann, ben) = (talks.talk(&talks.instagram, ANN).await, talks.talk(&talks.page, BEN).await);
    talks.plan("pro").await;
    let program = talks.key().await;
    let path = format!("{ann}/messages");
    for answer in [
        talks.send("POST", &path, json!({ "text": "Hello" })).await,
        talks.logins.world.send(&program, "POST", &path, json!({ "text": "Hello" })).await,
        talks.send("POST", "/api/leads", json!({ "conversationId": super::shop::id_of(&ann) })).await,
        talks
            .send(
                "POST",
                "/api/scheduled-messages",
                json!({ "conversationId": super::shop::id_of(&ann), "text": "Hi", "dueAt": "2026-12-24T10:00:00Z" }),
            )
            .await,
    ] {
        let (status, code, sentence) = refusal(&answer);
        assert_eq!((status, code.as_str()), (403, "feature_required"));
        assert!(sentence.starts_with("Team plan required"), "{sentence}");
        assert_eq!(answer.body["requiredPlan"], "Team", "{answer:?}");
    }
    let made = talks.write(&ben, json!({ "text": "Hello" })).await;
    talks.until_status(&ben, &made, "sent").await;
    talks.subscription(false).await;
    for talk in [&ann, &ben] {
        let (status, code, _) = talks.refused(talk, json!({ "text": "Hello" })).await;
        assert_eq!((status, code.as_str()), (403, "subscription_inactive"));
    }
    talks.subscription(true).await;
    talks.plan("team").await;
    let made = talks.write(&ann, json!({ "text": "Hello" })).await;
    talks.until_status(&ann, &made, "sent").await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await, ["Hello"]);
    talks.stop().await;
}
