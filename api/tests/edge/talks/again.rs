//! The same thing again, much later, and many things at once. Rows 2, 7, 9 and 30 of the lessons: echoes do not wait for each
//! other, open no conversation and are never answered, and a message is known however long ago it came.

use super::Talks;
use domain::api_keys::Scope;
use domain::clock::DAY;
use futures::future::join_all;
use serde_json::{Value, json};

const PERSON: &str = "900000000000001";

/// Row 2: chatwoot#12841.
#[tokio::test]
async fn row_2_many_echoes_of_one_account_at_once_are_all_stored() {
    let talks = Talks::new().await;
    let account = &talks.instagram;
    let people: Vec<String> = (0..40).map(|n| format!("9000000000001{n:02}")).collect();
    let elements: Vec<Value> = people
        .iter()
        .map(|person| {
            json!({ "sender": { "id": account.external_id }, "recipient": { "id": person },
                "timestamp": talks.logins.world.ctx.now(), "message": { "mid": "e", "text": "sale!", "is_echo": true } })
        })
        .collect();
    let bodies = elements.iter().map(|element| {
        let entry = json!([{ "id": account.external_id, "time": 1, "messaging": [element] }]);
        let body = json!({ "body": { "object": "instagram", "entry": entry }, "times": 2 });
        async { talks.logins.control("/sandbox/deliver", body).await }
    });
    assert!(join_all(bodies).await.iter().all(|made| made["statuses"] == json!({ "200": 2 })));
    talks.settled().await;
    for person in &people {
        let shown = talks.messages(account, person).await;
        assert_eq!((shown.len(), &shown[0]["origin"]), (1, &json!("external")), "{person}");
    }
    talks.stop().await;
}

/// Row 7 (chatwoot#11535) and row 9 (ChatbotX#891): our own answer comes back, and the customer's message is delivered again,
/// after more than a week: nothing is new, and the conversation stays the one it was.
#[tokio::test]
async fn rows_7_and_9_what_comes_again_after_a_week_is_known() {
    let talks = Talks::new().await;
    let operator = talks.logins.world.key(None, &[Scope::JobsRead]).await;
    for account in [&talks.instagram, &talks.page] {
        let path = talks.talk(account, PERSON).await;
        talks.done("POST", &format!("{path}/messages"), json!({ "text": "Yes!" })).await;
        talks.settled().await;
        talks.done("POST", &format!("{path}/read"), Value::Null).await;
    }
    let key = talks.logins.world.key(talks.logins.owner.organization, &[Scope::InboxRead]).await;
    let list = async || talks.logins.world.get(&key, "/api/conversations").await.body;
    let before = list().await;
    let bodies = talks.logins.says("/sandbox/deliveries?bodies=true").await["items"].as_array().unwrap().clone();
    assert_eq!(bodies.len(), 4);
    talks.logins.advance(8 * DAY).await;
    talks.settled().await;
    for one in bodies {
        let echo = one["body"].as_str().unwrap().contains("is_echo");
        let body = json!({ "object": one["object"], "bodyText": one["body"] });
        talks.logins.control("/sandbox/deliver", body).await;
        talks.settled().await;
        let expected =
            if echo { "echo merged_echo: an echo of a message we sent" } else { "message duplicate: known by its mid" };
        assert_eq!(talks.outcomes(&operator, 1).await, [[expected]]);
    }
    assert_eq!(list().await, before);
    talks.stop().await;
}

/// Row 30: fbsamples/messenger-platform-samples#99.
#[tokio::test]
async fn row_30_echoes_are_never_answered() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let path = format!("/api/meta/connections/{}/auto-reply", account.id);
        talks.done("PUT", &path, json!({ "mode": "template", "text": "Thanks!" })).await;
        talks.dm(account, PERSON, json!({ "text": "hi" })).await;
        let owner = json!({ "accountId": account.external_id, "customerId": PERSON, "text": "it is me" });
        talks.logins.control("/sandbox/owner-messages", owner).await;
        talks.settled().await;
        assert_eq!(talks.messages(account, PERSON).await.len(), 3);
        assert_eq!(talks.sent(account, PERSON).await.len(), 1, "the customer's message is answered, and no echo");
    }
    assert_eq!(talks.logins.jobs("reply.auto").await.len(), 2);
    talks.stop().await;
}
