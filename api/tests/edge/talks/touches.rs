//! What customers do over time: a reaction that changes, an arrival by one way and then another, and until when all that lets
//! the shop write.

use super::Talks;
use domain::clock::HOUR;
use serde_json::json;

#[tokio::test]
async fn a_reaction_is_replaced_and_taken_back() {
    let talks = Talks::new().await;
    let (account, person) = (&talks.instagram, "900000000000001");
    let mid = talks.dm(account, person, json!({ "text": "Hello?" })).await;
    let react = json!({ "accountId": account.external_id, "customerId": person, "mid": mid });
    for (more, expected) in [
        (json!({ "reaction": "love", "emoji": "a" }), vec!["love"]),
        (json!({ "reaction": "wow", "emoji": "b" }), vec!["wow"]),
        (json!({ "action": "unreact" }), vec![]),
    ] {
        talks.logins.advance(1_000).await;
        let mut body = react.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        talks.logins.control("/sandbox/reactions", body).await;
        talks.settled().await;
        let shown = talks.messages(account, person).await;
        let seen: Vec<_> =
            shown[0]["reactions"].as_array().unwrap().iter().map(|one| one["reaction"].clone()).collect();
        assert_eq!(seen, expected);
    }
    talks.stop().await;
}

/// The first touch and the last, and what opens Meta's window: a reaction and an arrival do, reading does not (§6.4).
#[tokio::test]
async fn where_customers_came_from_and_until_when_they_may_be_written_to() {
    let talks = Talks::new().await;
    for (account, person) in [(&talks.instagram, "900000000000001"), (&talks.page, "900000000000002")] {
        let mid = talks
            .dm(
                account,
                person,
                json!({ "text": "hi", "referral": { "ref": "A", "ad_id": "7", "source": "ADS",
            "type": "OPEN_THREAD" } }),
            )
            .await;
        let begun = talks.logins.world.ctx.now();
        let closes = async || talks.conversation(account, person).await["windowClosesAt"].clone();
        let at = |hours: i64| json!(domain::clock::rfc3339(begun + hours * HOUR));
        assert_eq!(closes().await, at(24));
        let from = json!({ "accountId": account.external_id, "customerId": person, "mid": mid });
        for (hours, path, more, expected) in [
            (1, "/sandbox/reads", json!({ "watermark": begun + HOUR }), 24),
            (2, "/sandbox/edits", json!({ "text": "hello" }), 24),
            (3, "/sandbox/reactions", json!({ "action": "unreact" }), 24),
            (4, "/sandbox/reactions", json!({}), 28),
            (
                5,
                "/sandbox/messages",
                json!({ "referral": { "ref": "B", "source": "SHORTLINK", "type": "OPEN_THREAD" } }),
                29,
            ),
            (6, "/sandbox/messages", json!({ "postback": { "title": "Price?", "payload": "P" } }), 30),
        ] {
            talks.logins.advance(HOUR).await;
            let mut body = from.clone();
            if path == "/sandbox/messages" {
                body.as_object_mut().unwrap().remove("mid");
            }
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            talks.logins.control(path, body).await;
            talks.settled().await;
            assert_eq!(closes().await, at(expected), "{path} after {hours} hours");
        }
        let source = talks.conversation(account, person).await["leadSource"].clone();
        assert_eq!((&source["type"], &source["adId"], &source["ref"]), (&json!("ad"), &json!("7"), &json!("A")));
        assert_eq!((&source["first"]["ref"], &source["last"]["ref"]), (&json!("A"), &json!("B")));
        assert_eq!(source["last"]["type"], "link");
    }
    talks.stop().await;
}
