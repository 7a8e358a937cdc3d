//! Messages of which no webhook told: read back from Meta, each once, marked, and not answered by themselves. Row 31 of the
//! lessons.

use super::{Account, Talks};
use crate::world::Caller;
use domain::api_keys::Scope;
use domain::clock::{MINUTE, SECOND};
use futures::future::join_all;
use jobs::jobs::conversations_reconcile;
use serde_json::{Value, json};

const PERSON: &str = "900000000000001";

pub(super) async fn operator(talks: &Talks) -> Caller {
    talks.logins.world.key(None, &[Scope::JobsRead, Scope::JobsWrite]).await
}

/// Runs what recurs, and at once the jobs of a kind that it has spread over the day.
async fn run(talks: &Talks, operator: &Caller, schedule: &str, kind: &str) {
    let world = &talks.logins.world;
    let path = format!("/api/admin/schedules/{schedule}/run-now");
    assert_eq!(world.send(operator, "POST", &path, json!({})).await.status, 200);
    talks.settled().await;
    if kind == "conversations.reconcile" {
        let now = world.ctx.now();
        let late = |job: &entities::job::Model| job.finished_at.is_none() && job.run_at > now + SECOND;
        assert!(!talks.logins.jobs(kind).await.iter().any(late), "two accounts need not be spread over the day");
    }
    hasten(talks, kind).await;
}

/// Until no job of the kind waits: each page is a job of its own, a second after the one before.
pub(super) async fn hasten(talks: &Talks, kind: &str) {
    for _ in 0..50 {
        let jobs = talks.logins.jobs(kind).await;
        let waiting: Vec<_> = jobs.iter().filter(|job| job.finished_at.is_none()).map(|job| job.id).collect();
        if waiting.is_empty() {
            return;
        }
        let ctx = &talks.logins.world.ctx;
        let tx = ctx.db.begin().await.unwrap();
        for id in waiting {
            jobs::ledger::operate::run_now(&tx, id, ctx.now()).await.unwrap();
        }
        tx.commit().await.unwrap();
        talks.settled().await;
    }
    panic!("{kind}: {:?}", talks.logins.jobs(kind).await);
}

pub(super) async fn look(talks: &Talks, operator: &Caller) {
    run(talks, operator, "conversations.reconcile_due", "conversations.reconcile").await;
}

/// As after an account was connected again: at once.
async fn look_now(talks: &Talks, account: &Account) {
    let (ledger, organization) = (&talks.logins.world.ledger, talks.logins.owner.organization.unwrap());
    let mut tx = talks.logins.world.ctx.db.begin().await.unwrap();
    let look = conversations_reconcile::soon(account.row(), organization.0);
    ledger.enqueue(&mut tx, vec![look]).await.unwrap();
    tx.commit().await.unwrap();
    talks.settled().await;
}

async fn answer_nothing(talks: &Talks) {
    for account in [&talks.instagram, &talks.page] {
        let path = format!("/api/meta/connections/{}/auto-reply", account.id);
        talks.done("PUT", &path, json!({ "mode": "off" })).await;
    }
}

async fn answer_everything(talks: &Talks) {
    for account in [&talks.instagram, &talks.page] {
        let path = format!("/api/meta/connections/{}/auto-reply", account.id);
        talks.done("PUT", &path, json!({ "mode": "template", "text": "Thanks!" })).await;
    }
}

async fn owner_writes(talks: &Talks, account: &Account, person: &str, text: &str) {
    let body = json!({ "accountId": account.external_id, "customerId": person, "text": text });
    talks.logins.control("/sandbox/owner-messages", body).await;
    talks.settled().await;
}

/// The deliveries that never came, sent after all.
async fn deliver_late(talks: &Talks) -> usize {
    let lost = talks.logins.says("/sandbox/deliveries?state=lost&bodies=true").await;
    let lost = lost["items"].as_array().unwrap();
    for one in lost {
        let body = json!({ "object": one["object"], "bodyText": one["body"] });
        assert_eq!(talks.logins.control("/sandbox/deliver", body).await["statuses"], json!({ "200": 1 }));
    }
    talks.settled().await;
    lost.len()
}

async fn received(talks: &Talks) -> Value {
    talks.get("/api/plan").await["usage"]["messagesReceived"].clone()
}

/// More than a page of conversations; in, out, with a file; then the webhooks come after all.
#[tokio::test]
async fn what_no_webhook_told_is_read_back_once() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    let known = "900000000000099";
    for account in [&talks.instagram, &talks.page] {
        let path = talks.talk(account, known).await;
        talks.logins.advance(500).await;
        talks.done("POST", &format!("{path}/messages"), json!({ "text": "Yes!" })).await;
        talks.settled().await;
        talks.logins.advance(SECOND).await;
    }
    answer_everything(&talks).await;
    let before = [talks.messages(&talks.instagram, known).await, talks.messages(&talks.page, known).await];
    talks.logins.fault("webhook_lost", None).await;
    let people: Vec<String> = (0..23).map(|n| format!("9000000000001{n:02}")).collect();
    for person in &people {
        talks.dm(&talks.instagram, person, json!({ "text": format!("I am {person}") })).await;
    }
    for text in ["one", "two", "three"] {
        talks.dm(&talks.page, PERSON, json!({ "text": text })).await;
    }
    talks
        .dm(&talks.page, PERSON, json!({ "text": "this", "attachments": [{ "type": "image" }, { "type": "file" }] }))
        .await;
    owner_writes(&talks, &talks.page, PERSON, "it is me").await;
    talks.logins.no_faults().await;
    assert_eq!(talks.conversation(&talks.page, PERSON).await, Value::Null);
    assert_eq!(received(&talks).await, 2);

    look(&talks, &operator).await;
    for late in [false, true] {
        if late {
            assert_eq!(talks.logins.jobs("reply.auto").await.len(), 0, "nobody answers by itself what was read back");
            answer_nothing(&talks).await;
            assert_eq!(deliver_late(&talks).await, 28);
            let outcomes = talks.outcomes(&operator, 28).await;
            let expected = |one: &[String]| one[0].ends_with(" duplicate: known by its mid");
            assert!(outcomes.iter().all(|one| one.len() == 1 && expected(one)), "{outcomes:?}");
            look(&talks, &operator).await;
        }
        for person in &people {
            let shown = talks.messages(&talks.instagram, person).await;
            let texts: Vec<_> = shown.iter().map(|one| (one["text"].clone(), one["reconciled"].clone())).collect();
            assert_eq!(texts, [(json!(format!("I am {person}")), json!(!late))]);
            let talk = talks.conversation(&talks.instagram, person).await;
            assert_eq!((&talk["unreadCount"], &talk["contact"]["profile"]), (&json!(1), &json!("known")));
        }
        let shown = talks.messages(&talks.page, PERSON).await;
        let mut texts: Vec<_> = shown.iter().map(|one| one["text"].as_str().unwrap()).collect();
        if late {
            // All of one moment, and with the moment known, nothing tells their order but their ids.
            texts.sort_unstable();
            assert_eq!(texts, ["it is me", "one", "this", "three", "two"]);
        } else {
            assert_eq!(texts, ["it is me", "this", "three", "two", "one"], "in the order of Meta's list");
        }
        assert!(shown.iter().all(|one| one["reconciled"] == !late), "a webhook has told of it, or has not");
        let of = |text: &str| shown.iter().find(|one| one["text"] == text).unwrap();
        assert_eq!((&of("it is me")["origin"], &of("it is me")["status"]), (&json!("external"), &json!("sent")));
        let files = of("this")["attachments"].as_array().unwrap();
        assert_eq!(files.iter().map(|one| one["type"].clone()).collect::<Vec<_>>(), ["image", "file"]);
        assert!(files.iter().all(|one| one["status"] == "available") && files[0]["previewUrl"].is_string());
        let after = [talks.messages(&talks.instagram, known).await, talks.messages(&talks.page, known).await];
        assert_eq!(after, before, "what was known stays as it was");
        assert_eq!(received(&talks).await, 2 + 23 + 4);
    }
    let pages = talks.logins.jobs("conversations.reconcile").await;
    assert!(pages.iter().any(|job| job.payload.contains("\"page\":1")), "more than one page");
    // The next message is answered as ever, and so is one that was read back while its webhook was on its way.
    answer_everything(&talks).await;
    talks.logins.fault("webhook_lost", Some(1)).await;
    let hasty = "900000000000097";
    talks.dm(&talks.page, hasty, json!({ "text": "anybody?" })).await;
    look_now(&talks, &talks.page).await;
    assert_eq!(talks.messages(&talks.page, hasty).await[0]["reconciled"], true);
    assert_eq!(talks.sent(&talks.page, hasty).await.len(), 0);
    for _ in 0..2 {
        deliver_late(&talks).await;
        assert_eq!(talks.sent(&talks.page, hasty).await.len(), 1);
    }
    talks.dm(&talks.page, "900000000000098", json!({ "text": "still there?" })).await;
    assert_eq!(talks.sent(&talks.page, "900000000000098").await.len(), 1);
    talks.stop().await;
}

/// Reading back tells neither where a customer came from nor what was answered; the webhook that comes after all does.
#[tokio::test]
async fn a_late_webhook_completes_what_was_read_back() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    let media = format!("{}/media", talks.logins.sandbox);
    let account = &talks.instagram;
    talks.logins.fault("webhook_lost", None).await;
    talks
        .dm(
            account,
            PERSON,
            json!({ "text": "Yes", "quickReply": "BLUE",
        "referral": { "ref": "R", "ad_id": "7", "source": "ADS", "type": "OPEN_THREAD" } }),
        )
        .await;
    talks.logins.advance(SECOND).await;
    let unsent = talks.dm(account, PERSON, json!({ "text": "secret", "quickReply": "S" })).await;
    talks.logins.advance(SECOND).await;
    let post = json!({ "type": "ig_post", "payload": { "url": format!("{media}/p.jpg"), "title": "Caption" } });
    talks.dm(account, PERSON, json!({ "attachments": [post] })).await;
    talks.logins.no_faults().await;
    look(&talks, &operator).await;
    assert_eq!(talks.messages(account, PERSON).await[0]["kind"], "unsupported", "Graph does not show it");
    let unsend = json!({ "accountId": account.external_id, "customerId": PERSON, "mid": unsent });
    talks.logins.control("/sandbox/unsends", unsend).await;
    talks.settled().await;
    for _ in 0..2 {
        deliver_late(&talks).await;
        let shown = talks.messages(account, PERSON).await;
        assert_eq!(shown.len(), 3);
        let post = &shown[0]["attachments"][0];
        assert_eq!(
            (&shown[0]["kind"], &post["title"], &post["status"]),
            (&json!("share"), &json!("Caption"), &json!("available"))
        );
        assert_eq!(
            (&shown[1]["kind"], &shown[1]["text"], &shown[1]["extra"]),
            (&json!("deleted"), &Value::Null, &Value::Null)
        );
        assert_eq!(shown[2]["extra"]["quickReplyPayload"], "BLUE");
        let talk = talks.conversation(account, PERSON).await;
        assert_eq!((&talk["leadSource"]["adId"], &talk["unreadCount"]), (&json!("7"), &json!(3)));
    }
    assert_eq!(received(&talks).await, 3);
    talks.stop().await;
}

#[tokio::test]
async fn webhooks_that_were_off_are_switched_on_and_what_was_missed_is_read_back() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    answer_everything(&talks).await;
    for account in [&talks.instagram, &talks.page] {
        talks.logins.control("/sandbox/unsubscribe", json!({ "accountId": account.external_id })).await;
        talks.dm(account, PERSON, json!({ "text": "anybody there?" })).await;
        assert_eq!(talks.conversation(account, PERSON).await, Value::Null);
    }
    run(&talks, &operator, "accounts.check_due", "accounts.check").await;
    hasten(&talks, "conversations.reconcile").await;
    for account in [&talks.instagram, &talks.page] {
        let shown = talks.messages(account, PERSON).await;
        assert_eq!(
            (shown.len(), &shown[0]["text"], &shown[0]["reconciled"]),
            (1, &json!("anybody there?"), &json!(true))
        );
        talks.dm(account, PERSON, json!({ "text": "hello?" })).await;
        assert_eq!(talks.messages(account, PERSON).await[1]["reconciled"], false, "and now they come by themselves");
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_rate_limit_while_reading_back_is_waited_for() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    talks.logins.fault("webhook_lost", None).await;
    let people: Vec<String> = (0..23).map(|n| format!("9000000000001{n:02}")).collect();
    for person in &people {
        talks.dm(&talks.instagram, person, json!({ "text": "hi" })).await;
    }
    talks.logins.no_faults().await;
    let limited = json!({ "name": "reads_rate_limit", "accountId": talks.instagram.external_id });
    talks.logins.control("/sandbox/faults", limited).await;
    let world = &talks.logins.world;
    let path = "/api/admin/schedules/conversations.reconcile_due/run-now";
    assert_eq!(world.send(&operator, "POST", path, json!({})).await.status, 200);
    talks.settled().await;
    let ours = talks.instagram.row();
    let looks = talks.logins.jobs("conversations.reconcile").await;
    let look = looks.iter().find(|job| job.connection_id == Some(ours)).unwrap().id;
    let tx = world.ctx.db.begin().await.unwrap();
    assert!(jobs::ledger::operate::run_now(&tx, look, world.ctx.now()).await.unwrap());
    tx.commit().await.unwrap();
    talks.settled().await;
    let job = talks.logins.jobs("conversations.reconcile").await.into_iter().find(|job| job.id == look).unwrap();
    assert_eq!((job.state.as_str(), job.attempt, job.error_class.as_deref()), ("snoozed", 0, Some("rate_limited")));
    assert!(job.run_at >= world.ctx.now() + MINUTE, "not before a minute has passed");
    assert_eq!(talks.get("/api/conversations").await["items"], json!([]));
    talks.logins.no_faults().await;
    talks.logins.advance(2 * MINUTE).await;
    talks.settled().await;
    hasten(&talks, "conversations.reconcile").await;
    for person in &people {
        assert_eq!(talks.messages(&talks.instagram, person).await.len(), 1);
    }
    talks.stop().await;
}

/// A send whose answer and echo were lost is found by whichever look comes first, and stays one message.
#[tokio::test]
async fn a_send_of_unknown_outcome_that_is_read_back_is_settled_by_it() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    for account in [&talks.instagram, &talks.page] {
        let path = talks.talk(account, PERSON).await;
        talks.logins.advance(SECOND).await;
        talks.logins.fault("answer_lost", Some(1)).await;
        talks.logins.fault("no_echo", Some(1)).await;
        talks.done("POST", &format!("{path}/messages"), json!({ "text": "Yes!" })).await;
        talks.settled().await;
        let shown = talks.messages(account, PERSON).await;
        assert_eq!((shown.len(), &shown[0]["status"]), (2, &json!("unknown")));
    }
    look(&talks, &operator).await;
    talks.logins.advance(5 * MINUTE).await;
    talks.settled().await;
    for account in [&talks.instagram, &talks.page] {
        let shown = talks.messages(account, PERSON).await;
        let seen: Vec<_> = shown.iter().map(|one| (one["text"].clone(), one["origin"].clone())).collect();
        let expected = [("Hello?", "contact"), ("Yes!", "person")].map(|(text, origin)| (json!(text), json!(origin)));
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(expected.iter().all(|one| seen.contains(one)), "{seen:?}");
        let answer = shown.iter().find(|one| one["text"] == "Yes!").unwrap();
        assert_eq!((&answer["status"], &answer["error"]), (&json!("sent"), &Value::Null));
        assert_eq!(talks.sent(account, PERSON).await.len(), 1);
    }
    assert_eq!(talks.get("/api/plan").await["usage"]["messagesSent"], 2);
    talks.stop().await;
}

/// Two looks at the same account at once, and a webhook in the midst of them: still each message once.
#[tokio::test]
async fn looks_and_webhooks_at_the_same_time_store_each_message_once() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    talks.logins.fault("webhook_lost", None).await;
    for n in 0..10 {
        talks.dm(&talks.page, PERSON, json!({ "text": format!("number {n}") })).await;
    }
    talks.logins.no_faults().await;
    let lost = talks.logins.says("/sandbox/deliveries?state=lost&bodies=true").await;
    let deliver = lost["items"].as_array().unwrap().iter().map(|one| {
        let body = json!({ "object": one["object"], "bodyText": one["body"], "times": 2 });
        async { talks.logins.control("/sandbox/deliver", body).await }
    });
    let (_, delivered) = tokio::join!(look(&talks, &operator), join_all(deliver));
    assert_eq!(delivered.len(), 10);
    talks.settled().await;
    assert_eq!(talks.messages(&talks.page, PERSON).await.len(), 10);
    assert_eq!(received(&talks).await, 10);
    assert_eq!(talks.conversation(&talks.page, PERSON).await["unreadCount"], 10);
    talks.stop().await;
}
