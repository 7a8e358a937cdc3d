//! Texts in parts of which one fails, and sending again what has failed: the rest follows, in order, and nothing twice.

use super::Talks;
use super::shop::{ANN, BEN, refusal};
use domain::id::{IdKind, new_id};
use futures::future::join_all;
use serde_json::{Value, json};

fn three_parts() -> (String, Vec<String>) {
    let parts = vec!["a".repeat(1000), "b".repeat(1000), "c".repeat(10)];
    (parts.concat(), parts)
}

/// The rows of a text in parts, in their order.
async fn rows(talks: &Talks, talk: &str) -> Vec<Value> {
    let mut rows = talks.written(talk).await;
    rows.sort_by_key(|one| one["part"].as_i64());
    rows
}

fn standing(rows: &[Value]) -> Vec<(&str, &str)> {
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    rows.iter()
        .map(|one| {
            let class = one["error"]["class"].as_str().unwrap_or_default();
            assert!(!text(&one["status"]).is_empty());
            (one["status"].as_str().unwrap(), class)
        })
        .collect()
}

/// The first part is taken, the second refused for good.
async fn second_fails(talks: &Talks, talk: &str) -> Vec<Value> {
    talks.logins.fault("hold_answer", Some(1)).await;
    talks.write(talk, json!({ "text": three_parts().0 })).await;
    talks.until_held().await;
    talks.logins.fault("recipient_unavailable", Some(1)).await;
    talks.release().await;
    talks.settled().await;
    let rows = rows(talks, talk).await;
    let expected = [("sent", ""), ("failed", "recipient_unavailable"), ("failed", "earlier_part_failed")];
    assert_eq!(standing(&rows), expected);
    rows
}

#[tokio::test]
async fn after_a_part_that_failed_the_rest_waits_for_it() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    let made = second_fails(&talks, &talk).await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await, three_parts().1[..1]);
    for row in &made[1..] {
        assert!(row["error"]["message"].as_str().unwrap().ends_with('.'), "{row}");
        assert_eq!(row["externalId"], Value::Null);
    }
    // The third alone makes no sense, and is not sent.
    assert_eq!(talks.retry(&talk, &made[2]).await.status, 202);
    talks.settled().await;
    assert_eq!(talks.now(&talk, &made[2]).await["error"]["class"], "earlier_part_failed");
    assert_eq!(talks.texts(&talks.instagram, ANN).await.len(), 1);

    let again = talks.retry(&talk, &made[1]).await;
    assert_eq!((again.status, &again.body["status"]), (202, &json!("queued")), "{again:?}");
    assert_eq!((&again.body["id"], &again.body["error"]), (&made[1]["id"], &Value::Null));
    talks.settled().await;
    let after = rows(&talks, &talk).await;
    assert_eq!(standing(&after), [("sent", ""); 3]);
    assert_eq!(talks.texts(&talks.instagram, ANN).await, three_parts().1, "all of it, in order, nothing twice");
    for row in &after {
        let answer = talks.retry(&talk, row).await;
        assert_eq!((answer.status, answer.code()), (409, "not_failed"));
    }
    talks.settled().await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await.len(), 3);
    talks.stop().await;
}

#[tokio::test]
async fn a_first_part_that_fails_takes_the_rest_along() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    talks.logins.fault("recipient_unavailable", Some(2)).await;
    let made = talks.write(&talk, json!({ "text": three_parts().0 })).await;
    talks.settled().await;
    let failed =
        [("failed", "recipient_unavailable"), ("failed", "earlier_part_failed"), ("failed", "earlier_part_failed")];
    assert_eq!(standing(&rows(&talks, &talk).await), failed);
    assert_eq!(talks.sends().await, 1, "the others were not tried");
    // It fails once more, and then it does not.
    assert_eq!(talks.retry(&talk, &made).await.status, 202);
    talks.settled().await;
    assert_eq!(standing(&rows(&talks, &talk).await), failed);
    assert_eq!(talks.retry(&talk, &made).await.status, 202);
    talks.settled().await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await, three_parts().1);
    talks.stop().await;
}

#[tokio::test]
async fn a_part_does_not_overtake_the_one_that_is_tried_again() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    let standby = |on: bool| json!({ "id": talks.instagram.external_id, "platform": "instagram", "login": "instagram", "standby": on });
    talks.logins.fault("hold_before_accept", Some(1)).await;
    let made = talks.write(&talk, json!({ "text": three_parts().0 })).await;
    talks.until_held().await;
    // The first fails while the others have not been looked at.
    talks.pause(true).await;
    talks.logins.control("/sandbox/accounts", standby(true)).await;
    talks.release().await;
    talks.until_status(&talk, &made, "failed").await;
    talks.logins.control("/sandbox/accounts", standby(false)).await;
    assert_eq!(talks.retry(&talk, &made).await.status, 202);
    talks.pause(false).await;
    talks.settled().await;
    let rows = rows(&talks, &talk).await;
    let sent = talks.texts(&talks.instagram, ANN).await;
    assert_eq!(sent, three_parts().1[..sent.len()], "never the second before the first");
    assert_eq!(rows[0]["status"], "sent", "{rows:?}");
    // What was left out follows when it is asked for.
    if let Some(left) = rows.iter().find(|one| one["status"] == "failed") {
        assert_eq!(left["error"]["class"], "earlier_part_failed");
        assert_eq!(talks.retry(&talk, left).await.status, 202);
        talks.settled().await;
    }
    assert_eq!(talks.texts(&talks.instagram, ANN).await, three_parts().1);
    talks.stop().await;
}

#[tokio::test]
async fn two_retries_at_once_send_once() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    for round in 0..5 {
        talks.logins.fault("recipient_unavailable", Some(1)).await;
        let made = talks.write(&talk, json!({ "text": format!("Round {round}") })).await;
        talks.until_status(&talk, &made, "failed").await;
        let answers = join_all((0..8).map(|_| talks.retry(&talk, &made))).await;
        let taken = answers.iter().filter(|answer| answer.status == 202).count();
        assert_eq!(taken, 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status != 202) {
            assert_eq!((answer.status, answer.code()), (409, "not_failed"));
        }
        talks.settled().await;
        let expected: Vec<String> = (0..=round).map(|round| format!("Round {round}")).collect();
        assert_eq!(talks.texts(&talks.page, ANN).await, expected);
    }
    assert_eq!(talks.written(&talk).await.len(), 5);
    talks.stop().await;
}

#[tokio::test]
async fn only_what_has_failed_is_sent_again() {
    let talks = Talks::new().await;
    let (talk, other) = (talks.talk(&talks.page, ANN).await, talks.talk(&talks.page, BEN).await);
    let inbound = talks.messages(&talks.page, ANN).await.remove(0);
    let sent = talks.write(&talk, json!({ "text": "Sent" })).await;
    talks.until_status(&talk, &sent, "sent").await;
    talks.fault_with("timeout_before_accept", 1, json!({ "ms": 4_000 })).await;
    let unknown = talks.write(&talk, json!({ "text": "Perhaps" })).await;
    talks.until_status(&talk, &unknown, "unknown").await;
    talks.pause(true).await;
    let queued = talks.write(&talk, json!({ "text": "Waiting" })).await;
    let before = talks.sends().await;
    for message in [&inbound, &sent, &unknown, &queued] {
        let (status, code, sentence) = refusal(&talks.retry(&talk, message).await);
        assert_eq!((status, code.as_str()), (409, "not_failed"), "{message}");
        let says_unknown = sentence.contains("not known whether");
        assert_eq!(says_unknown, message["id"] == unknown["id"], "{sentence}");
    }
    talks.pause(false).await;
    talks.until_status(&talk, &queued, "sent").await;
    talks.logins.fault("recipient_unavailable", Some(1)).await;
    let failed = talks.write(&talk, json!({ "text": "Failed" })).await;
    talks.until_status(&talk, &failed, "failed").await;
    for (talk, id) in [
        (&other, failed["id"].as_str().unwrap().to_owned()),
        (&talk, IdKind::Message.show(new_id(1))),
        (&talk, "nonsense".to_owned()),
        (&talk, IdKind::Job.show(new_id(1))),
    ] {
        let answer = talks.retry(talk, &json!({ "id": id })).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{id}");
    }
    // What is refused to a new message is refused to an old one.
    talks.subscription(false).await;
    assert_eq!(talks.retry(&talk, &failed).await.code(), "subscription_inactive");
    talks.subscription(true).await;
    talks.settled().await;
    assert_eq!(talks.sends().await, before + 2);
    assert_eq!(talks.now(&talk, &failed).await["status"], "failed");
    talks.stop().await;
}
