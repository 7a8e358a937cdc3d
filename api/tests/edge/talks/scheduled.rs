//! Messages for later: changed and cancelled while they wait, sent once and never early, and judged anew when they are due.

use super::Talks;
use super::shop::{ANN, BEN, CLEO, id_of, refusal};
use crate::world::Answer;
use domain::clock::{DAY, HOUR, MINUTE, Millis, rfc3339};
use domain::id::{IdKind, new_id};
use entities::{scheduled_message, template};
use futures::future::join_all;
use jobs::jobs::message_send_scheduled;
use jobs::ledger::operate;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/api/scheduled-messages";

impl Talks {
    async fn at(&self, talk: &str, after: Millis, with: Value) -> Answer {
        let due = rfc3339(self.logins.world.ctx.now() + after);
        let mut body = json!({ "conversationId": id_of(talk), "dueAt": due });
        body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        self.send("POST", PATH, body).await
    }

    /// The path of a message for later.
    async fn scheduled(&self, talk: &str, after: Millis, with: Value) -> String {
        let answer = self.at(talk, after, with).await;
        assert_eq!((answer.status, &answer.body["status"]), (201, &json!("scheduled")), "{answer:?}");
        format!("{PATH}/{}", answer.body["id"].as_str().unwrap())
    }

    async fn until_over(&self, path: &str, status: &str) -> Value {
        self.logins
            .until(status, || async {
                let now = self.get(path).await;
                if now["status"] == status { Ok(now) } else { Err(now.to_string()) }
            })
            .await
    }
}

/// Long enough for the workers to have looked for due jobs several times.
async fn ticks_pass() {
    tokio::time::sleep(Duration::from_millis(250)).await;
}

#[tokio::test]
async fn what_cannot_be_scheduled_is_refused() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    let hi = json!({ "text": "Hi" });
    for (after, word) in [(0, "future"), (-1, "future"), (-DAY, "future"), (366 * DAY + 1, "year")] {
        let (status, code, sentence) = refusal(&talks.at(&talk, after, hi.clone()).await);
        assert_eq!((status, code.as_str()), (422, "invalid_request"), "{after}");
        assert!(sentence.contains(word), "{sentence}");
    }
    for (with, status, code) in [
        (json!({}), 422, "invalid_request"),
        (json!({ "text": "" }), 422, "invalid_request"),
        (json!({ "text": "a\u{0}b" }), 422, "invalid_request"),
        (json!({ "text": "ä".repeat(20_001) }), 422, "text_too_long"),
        (json!({ "text": "Hi", "templateId": IdKind::Template.show(new_id(1)) }), 422, "invalid_request"),
        (json!({ "templateId": IdKind::Template.show(new_id(1)) }), 422, "unknown_template"),
        (json!({ "templateId": "x" }), 422, "unknown_template"),
        (json!({ "text": "Hi", "dueAt": "tomorrow" }), 422, "invalid_request"),
        (json!({ "text": "Hi", "dueAt": 1_800_000_000 }), 422, "invalid_request"),
        (json!({ "text": "Hi", "attachment": { "type": "image", "url": "https://x.test/a" } }), 422, "invalid_request"),
        (json!({ "text": "Hi", "conversationId": "cnv_1" }), 404, "not_found"),
        (json!({ "text": "Hi", "conversationId": IdKind::Conversation.show(new_id(1)) }), 404, "not_found"),
    ] {
        let answer = talks.at(&talk, HOUR, with.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{with}");
    }
    // Instagram takes less, and that is known already.
    let on_instagram = talks.talk(&talks.instagram, ANN).await;
    let long = json!({ "text": "a".repeat(10_001) });
    assert_eq!(talks.at(&on_instagram, HOUR, long.clone()).await.code(), "text_too_long");
    assert_eq!(talks.get(PATH).await["items"], json!([]));
    let short = talks.scheduled(&on_instagram, HOUR, hi.clone()).await;
    assert_eq!(talks.send("PATCH", &short, long).await.code(), "text_too_long");
    let path = talks.scheduled(&talk, 366 * DAY, hi.clone()).await;
    for (change, code) in [
        (json!({ "dueAt": rfc3339(talks.logins.world.ctx.now()) }), "invalid_request"),
        (json!({ "dueAt": rfc3339(talks.logins.world.ctx.now() + 400 * DAY) }), "invalid_request"),
        (json!({ "text": " " }), "invalid_request"),
        (json!({ "templateId": "tpl_1" }), "unknown_template"),
        (json!({ "text": "x", "templateId": "tpl_1" }), "invalid_request"),
        (json!({ "conversationId": id_of(&talk) }), "invalid_request"),
    ] {
        let answer = talks.send("PATCH", &path, change.clone()).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{change}");
    }
    assert_eq!(talks.get(&path).await["text"], "Hi");
    talks.stop().await;
}

#[tokio::test]
async fn they_are_listed_by_their_time_conversation_and_status() {
    let talks = Talks::new().await;
    let (ann, ben) = (talks.talk(&talks.page, ANN).await, talks.talk(&talks.page, BEN).await);
    let mut paths = Vec::new();
    for hours in [3, 1, 2, 2] {
        paths.push(talks.scheduled(&ann, hours * HOUR, json!({ "text": format!("In {hours}") })).await);
    }
    let other = talks.scheduled(&ben, HOUR, json!({ "text": "Ben" })).await;
    talks.done("DELETE", &paths[1], Value::Null).await;
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|one| format!("{PATH}/{}", one["id"].as_str().unwrap())).collect()
    };
    let of_ann = format!("{PATH}?conversationId={}", id_of(&ann));
    let expected = [&paths[0], &paths[3], &paths[2], &paths[1]];
    assert_eq!(ids(&talks.get(&of_ann).await).iter().collect::<Vec<_>>(), expected, "due last, first");
    let mut listed = Vec::new();
    let mut next = Some(format!("{of_ann}&limit=1"));
    while let Some(path) = next {
        let page = talks.get(&path).await;
        listed.extend(ids(&page));
        next = page["nextCursor"].as_str().map(|cursor| format!("{of_ann}&limit=1&cursor={cursor}"));
    }
    assert_eq!(listed.iter().collect::<Vec<_>>(), expected);
    assert_eq!(ids(&talks.get(&format!("{PATH}?status=cancelled")).await), [paths[1].clone()]);
    assert_eq!(ids(&talks.get(&format!("{PATH}?status=scheduled")).await).len(), 4);
    assert!(ids(&talks.get(PATH).await).contains(&other));
    assert_eq!(talks.send("GET", &format!("{PATH}?status=sometimes"), Value::Null).await.code(), "invalid_parameter");
    talks.stop().await;
}

#[tokio::test]
async fn due_it_is_sent_once_and_never_before() {
    let talks = Talks::new().await;
    for account in [&talks.instagram, &talks.page] {
        let ada = json!({ "accountId": account.external_id, "id": ANN, "name": "Ada Lovelace" });
        talks.logins.control("/sandbox/customers", ada).await;
        let talk = talks.talk(account, ANN).await;
        let name = format!("Later on {}", account.id);
        let template = talks.template(&name, "Hi {{contact.firstName}}!", &[]).await;
        let by_text = talks.scheduled(&talk, 2 * HOUR, json!({ "text": "a".repeat(2_500) })).await;
        let by_template = talks.scheduled(&talk, 2 * HOUR + 1, json!({ "templateId": template })).await;
        talks.logins.advance(2 * HOUR - 1).await;
        talks.settled().await;
        ticks_pass().await;
        assert_eq!(talks.texts(account, ANN).await, Vec::<String>::new(), "a millisecond before");
        assert_eq!(talks.get(&by_text).await["status"], "scheduled");
        // What the template says is what it says when it is due.
        let path = format!("/api/templates/{template}");
        talks.done("PATCH", &path, json!({ "text": "Hello {{contact.firstName}}!" })).await;
        talks.logins.advance(1).await;
        let released = talks.until_over(&by_text, "released").await;
        talks.settled().await;
        ticks_pass().await;
        assert_eq!(talks.texts(account, ANN).await.concat(), "a".repeat(2_500), "and the other one waits");
        let message = json!({ "id": released["messageId"] });
        assert_eq!(talks.now(&talk, &message).await["status"], "sent");
        talks.logins.advance(1).await;
        talks.until_over(&by_template, "released").await;
        for _ in 0..3 {
            talks.logins.advance(HOUR).await;
            talks.settled().await;
        }
        let texts = talks.texts(account, ANN).await;
        assert_eq!(texts.last().unwrap(), "Hello Ada!");
        assert_eq!(texts.concat().len(), 2_500 + "Hello Ada!".len(), "nothing twice: {}", texts.len());
        for path in [&by_text, &by_template] {
            for method in ["DELETE", "PATCH"] {
                let answer = talks.send(method, path, json!({ "text": "No" })).await;
                assert_eq!((answer.status, answer.code()), (409, "already_over"), "{method}");
            }
        }
    }
    talks.stop().await;
}

#[tokio::test]
async fn what_waits_is_changed_and_what_is_cancelled_is_not_sent() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    let path = talks.scheduled(&talk, HOUR, json!({ "text": "First words" })).await;
    let gone = talks.scheduled(&talk, HOUR, json!({ "text": "Cancelled" })).await;
    let now = talks.logins.world.ctx.now();
    let later = talks.done("PATCH", &path, json!({ "dueAt": rfc3339(now + 3 * HOUR) })).await;
    assert_eq!((&later["text"], &later["dueAt"]), (&json!("First words"), &json!(rfc3339(now + 3 * HOUR))));
    let words = talks.done("PATCH", &path, json!({ "text": "Second words" })).await;
    assert_eq!((&words["text"], &words["dueAt"]), (&json!("Second words"), &later["dueAt"]));
    for _ in 0..2 {
        assert_eq!(talks.send("DELETE", &gone, Value::Null).await.status, 204, "again, too");
    }
    assert_eq!(talks.send("PATCH", &gone, json!({ "text": "Back" })).await.code(), "already_over");
    talks.logins.advance(2 * HOUR).await;
    talks.settled().await;
    ticks_pass().await;
    assert_eq!(talks.sends().await, 0, "its first time has passed without it");
    // Earlier than it was, but later than now.
    talks.done("PATCH", &path, json!({ "dueAt": rfc3339(now + 2 * HOUR + MINUTE) })).await;
    talks.logins.advance(MINUTE).await;
    talks.until_over(&path, "released").await;
    talks.logins.advance(2 * HOUR).await;
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Second words"]);
    assert_eq!(talks.get(&gone).await["status"], "cancelled");
    let unknown = format!("{PATH}/{}", IdKind::ScheduledMessage.show(new_id(1)));
    for (method, path) in [("GET", &unknown), ("PATCH", &unknown), ("DELETE", &unknown)] {
        assert_eq!(talks.send(method, path, json!({ "text": "x" })).await.code(), "not_found");
    }
    talks.stop().await;
}

/// Its job may run at any time, and the job of what it was before it was changed may still be there.
#[tokio::test]
async fn neither_an_operators_hurry_nor_an_outdated_job_sends_it_early() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    let path = talks.scheduled(&talk, HOUR, json!({ "text": "Later" })).await;
    let world = &talks.logins.world;
    let now = world.ctx.now();
    let before = scheduled_message::Entity::find().one(world.ctx.db.read()).await.unwrap().unwrap();
    let hurry = async || {
        let job = talks.logins.jobs("message.send_scheduled").await.remove(0);
        let tx = world.ctx.db.begin().await.unwrap();
        assert!(operate::run_now(&tx, job.id, world.ctx.now()).await.unwrap(), "{job:?}");
        tx.commit().await.unwrap();
        talks.settled().await;
        ticks_pass().await;
        assert_eq!((&talks.get(&path).await["status"], talks.sends().await), (&json!("scheduled"), 0));
    };
    hurry().await;
    talks.done("PATCH", &path, json!({ "dueAt": rfc3339(now + 3 * HOUR) })).await;
    hurry().await;
    let mut tx = world.ctx.db.begin().await.unwrap();
    world.ledger.enqueue(&mut tx, vec![message_send_scheduled::job(&before)]).await.unwrap();
    tx.commit().await.unwrap();
    talks.logins.advance(2 * HOUR).await;
    talks.settled().await;
    ticks_pass().await;
    assert_eq!((&talks.get(&path).await["status"], talks.sends().await), (&json!("scheduled"), 0));
    talks.logins.advance(HOUR).await;
    talks.until_over(&path, "released").await;
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Later"]);
    talks.stop().await;
}

#[tokio::test]
async fn a_request_that_names_itself_schedules_once() {
    let talks = Talks::new().await;
    let talk = talks.talk(&talks.page, ANN).await;
    let due = rfc3339(talks.logins.world.ctx.now() + HOUR);
    let body = json!({ "conversationId": id_of(&talk), "text": "Once", "dueAt": due });
    let ask = async |key: &str, body: &Value| {
        let request = talks.logins.world.request(&talks.logins.owner, "POST", PATH).header("Idempotency-Key", key);
        Answer::of(request.json(body).send().await.unwrap()).await
    };
    let answers = join_all((0..20).map(|_| ask("one", &body))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body["id"]), (201, &answers[0].body["id"]), "{answer:?}");
    }
    let mut other = body.clone();
    other["text"] = json!("Twice");
    assert_eq!(ask("one", &other).await.code(), "idempotency_key_reused");
    assert_eq!(ask(&"k".repeat(256), &body).await.code(), "invalid_parameter");
    talks.logins.advance(HOUR).await;
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, ANN).await, ["Once"]);
    talks.stop().await;
}

#[tokio::test]
async fn what_has_changed_by_its_time_is_seen_then() {
    let mut talks = Talks::new().await;
    let (ann, ben, cleo) = (
        talks.talk(&talks.instagram, ANN).await,
        talks.talk(&talks.page, BEN).await,
        talks.talk(&talks.instagram, CLEO).await,
    );
    let template = talks.template("Later", "Hi", &[]).await;
    let hi = json!({ "text": "Hi" });
    let no_plan = talks.scheduled(&ann, HOUR, hi.clone()).await;
    let unpaid = talks.scheduled(&ben, 2 * HOUR, hi.clone()).await;
    let no_template = talks.scheduled(&ben, 3 * HOUR, json!({ "templateId": template })).await;
    let no_account = talks.scheduled(&cleo, 4 * HOUR, hi.clone()).await;
    let too_late = talks.scheduled(&ben, 25 * HOUR, hi.clone()).await;
    let failed = async |talks: &Talks, path: &str, class: &str| {
        talks.logins.advance(HOUR).await;
        let over = talks.until_over(path, "failed").await;
        assert_eq!((&over["error"]["class"], &over["messageId"]), (&json!(class), &Value::Null), "{over}");
        assert!(over["error"]["message"].as_str().unwrap().ends_with('.'), "{over}");
    };
    talks.plan("pro").await;
    failed(&talks, &no_plan, "feature_required").await;
    talks.plan("team").await;
    talks.subscription(false).await;
    failed(&talks, &unpaid, "subscription_inactive").await;
    talks.subscription(true).await;
    // What is waited with cannot be deleted; what is gone all the same is seen.
    let in_use = talks.send("DELETE", &format!("/api/templates/{template}"), Value::Null).await;
    assert_eq!((in_use.status, in_use.code()), (409, "template_in_use"));
    let id = IdKind::Template.parse(&template).unwrap();
    template::Entity::delete_by_id(id).exec(talks.logins.world.ctx.db.write()).await.unwrap();
    failed(&talks, &no_template, "unknown_template").await;
    talks.done("DELETE", &format!("/api/meta/connections/{}", talks.instagram.id), Value::Null).await;
    failed(&talks, &no_account, "connection_unavailable").await;
    talks.later(21 * HOUR).await;
    let over = talks.until_over(&too_late, "failed").await;
    assert_eq!(over["error"]["class"], "window_closed", "{over}");
    talks.settled().await;
    assert_eq!(talks.sends().await, 0, "and nothing reached Meta");
    // With a customer who writes again in time, the same is sent.
    talks.dm(&talks.page, BEN, json!({ "text": "Hello again" })).await;
    let in_time = talks.scheduled(&ben, DAY - 1, json!({ "text": "In time" })).await;
    talks.later(DAY - 1).await;
    talks.until_over(&in_time, "released").await;
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, BEN).await, ["In time"]);
    talks.stop().await;
}
