//! Requests that name themselves: the same one again is answered with what it made, and whatever else is refused.

use super::Talks;
use super::shop::{ANN, BEN, refusal};
use futures::future::join_all;
use serde_json::json;

#[tokio::test]
async fn the_same_request_again_sends_nothing_again() {
    let talks = Talks::new().await;
    let (owner, program) = (talks.logins.owner.clone(), talks.key().await);
    let talk = talks.talk(&talks.page, ANN).await;
    let hello = json!({ "text": "Hello!" });
    let first = talks.keyed(&owner, &talk, "one", &hello).await;
    assert_eq!((first.status, &first.body["status"]), (202, &json!("queued")));
    talks.settled().await;
    for caller in [&owner, &program] {
        let again = talks.keyed(caller, &talk, "one", &hello).await;
        assert_eq!((again.status, &again.body["id"]), (202, &first.body["id"]), "the key is the organization's");
        assert_eq!(again.body["status"], "sent", "as it is now");
    }
    // Without a key, or with another one, it is another message.
    talks.write(&talk, hello.clone()).await;
    assert_ne!(talks.keyed(&owner, &talk, "two", &hello).await.body["id"], first.body["id"]);
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Hello!"; 3]);
    assert_eq!(talks.written(&talk).await.len(), 3);
    talks.stop().await;
}

#[tokio::test]
async fn twenty_at_once_make_one_message() {
    let talks = Talks::new().await;
    let owner = talks.logins.owner.clone();
    let talk = talks.talk(&talks.page, ANN).await;
    for round in 0..3 {
        let (key, body) = (format!("round {round}"), json!({ "text": format!("Round {round}") }));
        let answers = join_all((0..20).map(|_| talks.keyed(&owner, &talk, &key, &body))).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body["id"]), (202, &answers[0].body["id"]), "{answer:?}");
        }
    }
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Round 0", "Round 1", "Round 2"]);
    // A text in parts is one message too.
    let body = json!({ "text": "a".repeat(4_500) });
    let answers = join_all((0..20).map(|_| talks.keyed(&owner, &talk, "parts", &body))).await;
    assert!(answers.iter().all(|answer| answer.body["id"] == answers[0].body["id"]));
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await.len(), 6);
    talks.stop().await;
}

#[tokio::test]
async fn a_key_names_one_request() {
    let talks = Talks::new().await;
    let owner = talks.logins.owner.clone();
    let (ann, ben) = (talks.talk(&talks.page, ANN).await, talks.talk(&talks.page, BEN).await);
    let hello = json!({ "text": "Hello!" });
    assert_eq!(talks.keyed(&owner, &ann, "one", &hello).await.status, 202);
    let other = json!({ "text": "Hello?" });
    let file = json!({ "attachment": { "type": "image", "url": "https://shop.test/a.png" } });
    for (talk, body) in [(&ann, &other), (&ben, &hello), (&ann, &file)] {
        let (status, code, _) = refusal(&talks.keyed(&owner, talk, "one", body).await);
        assert_eq!((status, code.as_str()), (422, "idempotency_key_reused"), "{talk} {body}");
    }
    let later = json!({ "conversationId": ann.rsplit('/').next(), "text": "Hello!", "dueAt": "2026-12-24T10:00:00Z" });
    let request =
        talks.logins.world.request(&owner, "POST", "/api/scheduled-messages").header("Idempotency-Key", "one");
    let answer = crate::world::Answer::of(request.json(&later).send().await.unwrap()).await;
    assert_eq!(answer.code(), "idempotency_key_reused");
    talks.settled().await;
    assert_eq!((talks.texts(&talks.page, ANN).await.len(), talks.sends().await), (1, 1));
    talks.stop().await;
}

#[tokio::test]
async fn another_organizations_key_is_its_own() {
    let talks = Talks::new().await;
    let mut eve = talks.logins.world.register("eve@shop.test").await;
    let page = talks.logins.page().await;
    let made = talks.logins.connect(&mut eve, "facebook", &[&page]).await.remove(0);
    talks.logins.until_subscribed(&page, true).await;
    let hers = super::Account { external_id: page, id: made["id"].as_str().unwrap().to_owned() };
    talks.dm(&hers, ANN, json!({ "text": "Hi" })).await;
    let list = talks.logins.world.get(&eve, "/api/conversations").await.body;
    let her_talk = format!("/api/conversations/{}", list["items"][0]["id"].as_str().unwrap());
    let talk = talks.talk(&talks.page, ANN).await;
    let (ours, hello) = (talks.logins.owner.clone(), json!({ "text": "Hello!" }));
    let (one, two) =
        (talks.keyed(&ours, &talk, "key", &hello).await, talks.keyed(&eve, &her_talk, "key", &hello).await);
    assert_eq!((one.status, two.status), (202, 202), "{two:?}");
    assert_ne!(one.body["id"], two.body["id"]);
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Hello!"]);
    assert_eq!(talks.texts(&hers, ANN).await, ["Hello!"]);
    talks.stop().await;
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let talks = Talks::new().await;
    let owner = talks.logins.owner.clone();
    let talk = talks.talk(&talks.page, ANN).await;
    let hello = json!({ "text": "Hello!" });
    talks.subscription(false).await;
    assert_eq!(talks.keyed(&owner, &talk, "one", &hello).await.code(), "subscription_inactive");
    talks.subscription(true).await;
    let unknown = json!({ "templateId": "tpl_00000000000000000000000000000000" });
    assert_eq!(talks.keyed(&owner, &talk, "one", &unknown).await.code(), "unknown_template");
    assert_eq!(talks.keyed(&owner, &talk, "one", &json!({ "text": "" })).await.code(), "invalid_request");
    let taken = talks.keyed(&owner, &talk, "one", &hello).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    talks.settled().await;
    // A failed message is not a refused request: the key stays with it.
    talks.logins.fault("recipient_unavailable", Some(1)).await;
    let failed = talks.keyed(&owner, &talk, "two", &hello).await;
    talks.until_status(&talk, &failed.body, "failed").await;
    let again = talks.keyed(&owner, &talk, "two", &hello).await;
    assert_eq!((&again.body["id"], &again.body["status"]), (&failed.body["id"], &json!("failed")));
    for (key, status) in [("", 400), (&"k".repeat(256), 400), (&"k".repeat(255), 202)] {
        let answer = talks.keyed(&owner, &talk, key, &hello).await;
        assert_eq!(answer.status, status, "{key}");
        if status == 400 {
            assert_eq!(answer.code(), "invalid_parameter");
        }
    }
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Hello!"; 2]);
    talks.stop().await;
}
