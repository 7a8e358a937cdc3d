//! Conversations that another app owns: everything in them is shown and marked, and nothing is ever answered by itself. That
//! includes what Meta leaves out there, the payload of a button.

use super::lines::line;
use super::{Account, Talks};
use domain::clock::SECOND;
use serde_json::{Value, json};

async fn answer_everything(talks: &Talks, account: &Account) {
    let path = format!("/api/meta/connections/{}/auto-reply", account.id);
    talks.done("PUT", &path, json!({ "mode": "template", "text": "Thanks!" })).await;
}

#[tokio::test]
async fn what_happens_in_standby_is_shown_and_never_answered() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        answer_everything(&talks, account).await;
        let stands = |text: &str| json!({ "text": text, "standby": true, "direction": "inbound" });
        let lines = vec![
            line("a message", json!({ "message": { "mid": "m1", "text": "hi" } }), stands("hi"), "message stored"),
            line(
                "a picture",
                json!({ "message": { "mid": "m1", "attachments":
                [{ "type": "image", "payload": { "url": "$MEDIA/a.jpg" } }] } }),
                json!({ "kind": "image", "standby": true, "attachments": [{ "status": "available" }] }),
                "message stored",
            ),
            line(
                "a button, without its payload",
                json!({ "postback": { "mid": "p1", "title": "Price?" } }),
                json!({ "kind": "postback", "text": "Price?", "standby": true, "extra": null }),
                "postback stored",
            ),
            line(
                "the other app's answer",
                json!({ "message": { "mid": "e1", "text": "we are open", "is_echo": true, "app_id": 77 } }),
                json!({ "text": "we are open", "origin": "external", "standby": true }),
                "echo stored",
            ),
            line(
                "a reaction",
                json!({ "reaction": { "mid": "none", "action": "react", "reaction": "love" } }),
                Value::Null,
                "reaction updated: reaction",
            ),
            line(
                "unsent",
                json!({ "message": { "mid": "none", "is_deleted": true } }),
                Value::Null,
                "message_deleted updated: message_deleted",
            ),
            line(
                "edited",
                json!({ "message_edit": { "mid": "none", "text": "x", "num_edit": 1 } }),
                Value::Null,
                "message_edit updated: message_edit",
            ),
            line(
                "read",
                json!({ "read": { "mid": "none", "watermark": 1_790_000_000_000_u64 } }),
                Value::Null,
                "read updated: read",
            ),
            line(
                "delivered",
                json!({ "delivery": { "watermark": 1_790_000_000_000_u64 } }),
                Value::Null,
                "delivery updated: delivery",
            ),
            line(
                "by a link",
                json!({ "referral": { "ref": "r", "source": "SHORTLINK", "type": "OPEN_THREAD" } }),
                Value::Null,
                "referral updated: lead source",
            ),
            line(
                "control",
                json!({ "pass_thread_control": { "new_owner_app_id": "1" } }),
                Value::Null,
                "thread_control ignored: recorded only: changes no conversation",
            ),
        ];
        talks.play(account, lines.into_iter().map(super::lines::Line::in_standby).collect()).await;
    }
    assert_eq!(talks.logins.jobs("reply.auto").await.len(), 0);
    assert_eq!(talks.logins.says("/sandbox/sent").await["total"], 0);
    talks.stop().await;
}

/// By the subscription we ask for, with the fields enforced: what is not asked for does not come.
#[tokio::test]
async fn a_conversation_goes_to_another_app_and_comes_back() {
    let talks = Talks::new().await;
    talks.logins.control("/sandbox/settings", json!({ "enforceSubscribedFields": true })).await;
    for (account, person) in [(&talks.instagram, "900000000000001"), (&talks.page, "900000000000002")] {
        answer_everything(&talks, account).await;
        let owned = async |elsewhere: bool| {
            talks.logins.advance(SECOND).await;
            talks.logins.control("/sandbox/accounts", json!({ "id": account.external_id, "standby": elsewhere })).await;
        };
        owned(true).await;
        talks.dm(account, person, json!({ "text": "one" })).await;
        talks.dm(account, person, json!({ "postback": { "title": "Price?", "payload": "P" } })).await;
        assert_eq!(talks.sent(account, person).await.len(), 0);
        owned(false).await;
        talks.dm(account, person, json!({ "text": "two" })).await;
        let shown = talks.messages(account, person).await;
        let seen: Vec<_> =
            shown.iter().rev().map(|one| (one["text"].as_str().unwrap(), one["standby"] == true)).collect();
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert!(seen[..2].iter().all(|(_, standby)| *standby), "{seen:?}");
        assert_eq!(&seen[2..], [("two", false), ("Thanks!", false)]);
        assert_eq!(talks.sent(account, person).await.len(), 1, "what is ours again is answered");
    }
    talks.stop().await;
}
