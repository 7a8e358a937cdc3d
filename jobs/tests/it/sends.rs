//! The automatic reply from the message to Meta's answer, under every fault the sandbox knows: judged by what it counted.

use crate::faults::Stranger;
use crate::shop::{ACCOUNT, REPLY, Shop};
use domain::connections::LoginRoute;
use domain::id::IdKind;
use serde_json::json;
use std::time::Duration;

const ANN: &str = "900000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn a_dm_is_answered_once_on_every_route() {
    for route in [LoginRoute::InstagramLogin, LoginRoute::InstagramViaPage, LoginRoute::FacebookPage] {
        let shop = Shop::with(route, ACCOUNT).await;
        let mid = shop.dm(ANN, "Do you have it in blue?").await;
        let reply = shop.reply_is("sent").await;
        let sent = shop.sent().await;
        assert_eq!(sent.len(), 1);
        assert_eq!((sent[0]["text"].as_str(), sent[0]["recipientId"].as_str()), (Some(REPLY), Some(ANN)));
        assert_eq!(reply.external_id.as_deref(), sent[0]["mid"].as_str());
        let inbound = shop.messages().await.into_iter().find(|m| m.external_id.as_deref() == Some(&mid)).unwrap();
        assert_eq!(reply.answers_id, Some(inbound.id));
        for metric in ["messages_received", "messages_sent", "auto_replies"] {
            assert_eq!(shop.usage(metric).await, 1, "{metric}");
        }
        let messenger = route == LoginRoute::FacebookPage;
        let metadata = messenger.then(|| IdKind::Message.show(reply.id));
        assert_eq!(sent[0]["metadata"].as_str().map(str::to_owned), metadata);
    }
}

/// Row 32 of the lessons (chatwoot#11578) is `capability`: an app without Advanced Access is not tried again, and no owner is
/// asked to connect anew.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_will_not_change_fail_the_message_and_say_why() {
    let never = [
        ("recipient_unavailable", "recipient_unavailable", "551/1545041", "active"),
        ("window_closed_false", "window_closed", "10/2534022", "active"),
        ("capability", "app_configuration", "3", "active"),
        ("account_restricted", "account_restricted", "10/1893063", "restricted"),
    ];
    for (fault, class, code, status) in never {
        let shop = Shop::new().await;
        shop.fault(fault, json!({})).await;
        shop.dm(ANN, "hello").await;
        let reply = shop.reply_is("failed").await;
        assert_eq!((reply.error_class.as_deref(), reply.error_code.as_deref()), (Some(class), Some(code)), "{fault}");
        assert!(!reply.error_message.unwrap().is_empty());
        let job = shop.job_is("message.send", "discarded").await;
        assert_eq!(job.error_fingerprint.as_deref(), Some(format!("message.send {class} {code}").as_str()));
        assert_eq!(shop.connection_now().await.status, status, "{fault}");
        assert!(shop.sent().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_holds_the_account_as_long_as_meta_asks() {
    let shop = Shop::new().await;
    shop.fault("rate_limit", json!({ "params": { "code": 613, "minutes": 2 } })).await;
    shop.dm(ANN, "hello").await;
    let job = shop.job_is("message.send", "snoozed").await;
    assert_eq!(job.attempt, 0);
    assert!((120_000..150_000).contains(&(job.run_at - shop.ledger.now())), "{}", job.run_at);
    shop.reply_is("queued").await;
    shop.dm("900000000000002", "me too").await;
    shop.clock.advance(60_000);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(shop.sent().await.is_empty(), "calls while throttled would prolong it");
    shop.clock.advance(90_001);
    for _ in 0..500 {
        if shop.sent().await.len() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the replies did not leave after the hold: {:?}", shop.jobs("message.send").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_stops_sending_and_not_receiving() {
    let shop = Shop::new().await;
    shop.fault("token_revoked", json!({})).await;
    shop.dm(ANN, "hello").await;
    shop.job_is("message.send", "snoozed").await;
    let connection = shop.connection_now().await;
    assert_eq!(connection.status, "needs_reconnect");
    assert!(connection.status_reason.is_some());
    let mid = shop.dm(ANN, "are you there?").await;
    assert!(shop.messages().await.iter().any(|m| m.external_id.as_deref() == Some(&mid)), "messages keep arriving");
    assert!(shop.sent().await.is_empty());
    // Reconnected: what waits goes out.
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
    let tx = shop.ledger.context().db.begin().await.unwrap();
    entities::connection::Entity::update_many()
        .col_expr(entities::connection::Column::Status, Expr::value("active"))
        .filter(entities::connection::Column::Id.eq(shop.connection.id))
        .exec(tx.conn())
        .await
        .unwrap();
    jobs::ledger::operate::wake_connection(&tx, shop.connection.id, shop.ledger.now()).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..500 {
        if shop.sent().await.len() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", shop.jobs("message.send").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_never_leaves_after_its_window() {
    let mut shop = Shop::new().await;
    shop.stop_workers().await;
    let old = shop.ledger.now() - 24 * 3_600_000;
    let mut late = shop.element(ANN, json!({ "message": { "mid": "late", "text": "yesterday" } }));
    late["timestamp"] = old.into();
    shop.start_workers();
    shop.deliver(&[late]).await;
    let job = shop.job_is("reply.auto", "completed").await;
    assert_eq!(job.result.as_deref(), Some(r#"{"skipped":"window_closed"}"#));

    // Decided in time, but held up past the window.
    shop.fault("rate_limit", json!({ "params": { "code": 613, "minutes": 3000 } })).await;
    shop.dm("900000000000002", "today").await;
    shop.job_is("message.send", "snoozed").await;
    shop.clock.advance(3_000 * 60_000 + 30_001);
    let reply = shop.reply_is("failed").await;
    assert_eq!(reply.error_class.as_deref(), Some("window_closed"));
    assert!(shop.sent().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_tried_again() {
    let mut shop = Shop::new().await;
    shop.stop_workers().await;
    let nobody = meta::Settings { instagram_graph_url: "http://127.0.0.1:9".to_owned(), ..meta::Settings::default() };
    let ctx = domain::Context {
        meta: std::sync::Arc::new(meta::MetaClient::new(nobody).unwrap()),
        ..shop.ledger.context().clone()
    };
    let sandbox_ledger = std::mem::replace(&mut shop.ledger, jobs::Ledger::new(ctx, crate::harness::settings()));
    shop.start_workers();
    shop.dm(ANN, "hello").await;
    let job = shop.job_is("message.send", "retryable").await;
    assert_eq!((job.attempt, job.error_class.as_deref()), (1, Some("transient")));
    shop.reply_is("queued").await;
    shop.stop_workers().await;
    shop.ledger = sandbox_ledger;
    shop.start_workers();
    shop.clock.advance(60_000);
    shop.reply_is("sent").await;
    assert_eq!(shop.sent().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_that_answer_each_other_fall_silent() {
    let shop = Shop::new().await;
    for n in 0..25 {
        shop.dm(ANN, &format!("message {n}")).await;
        shop.job_is("reply.auto", "completed").await;
    }
    for _ in 0..200 {
        if shop.jobs("reply.auto").await.iter().all(|job| job.state == "completed") && shop.sent().await.len() >= 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shop.sent().await.len(), 20, "twenty in a day");
    let skipped =
        shop.jobs("reply.auto").await.into_iter().filter(|j| j.result.as_deref().unwrap().contains("too_many_replies"));
    assert_eq!(skipped.count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_died_while_sending_leaves_an_unknown_outcome() {
    use jobs::ledger::claim::{self, Claim};
    for sending in [true, false] {
        let mut shop = Shop::new().await;
        shop.fault("rate_limit", json!({ "params": { "code": 613, "minutes": 1 } })).await;
        shop.dm(ANN, "hello").await;
        shop.job_is("message.send", "snoozed").await;
        shop.stop_workers().await;
        shop.clock.advance(90_001);
        let now = shop.ledger.now();
        let claim = Claim { queue: jobs::Queue::Send, worker: "dead", now, lease_until: now + 60_000, limit: 9 };
        let db = &shop.ledger.context().db;
        assert_eq!(claim::due(db, claim).await.unwrap().len(), 1);
        let reply = shop.reply_is("queued").await;
        if sending {
            let tx = db.begin().await.unwrap();
            assert!(domain::outbound::begin(&tx, reply.id, now).await.unwrap());
            tx.commit().await.unwrap();
        }
        shop.clock.advance(60_001);
        shop.start_workers();
        if sending {
            let reply = shop.reply_is("unknown").await;
            assert_eq!(reply.error_class.as_deref(), Some("unknown_outcome"));
            let job = shop.job_is("message.send", "completed").await;
            assert_eq!(job.result.as_deref(), Some(r#"{"status":"unknown"}"#));
            assert!(shop.sent().await.is_empty());
        } else {
            shop.reply_is("sent").await;
            assert_eq!(shop.job_is("message.send", "completed").await.attempt, 2);
            assert_eq!(shop.sent().await.len(), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_written_by_the_worker_that_lost_the_job() {
    let shop = Shop::new().await;
    shop.fault("slow_answer", json!({ "params": { "ms": 400 } })).await;
    shop.dm(ANN, "hello").await;
    shop.reply_is("sending").await;
    // Somebody else takes the job meanwhile, as after a pause of this process.
    let job = shop.job_is("message.send", "running").await;
    let mut tx = shop.ledger.context().db.begin().await.unwrap();
    jobs::ledger::operate::cancel(&shop.ledger, &mut tx, job.id, shop.ledger.now()).await.unwrap();
    tx.commit().await.unwrap();
    shop.reply_is("unknown").await;
    shop.reply_is("sent").await;
    assert_eq!(shop.job_is("message.send", "cancelled").await.result, None, "the job itself stays as it was made");
}

/// Running a job twice changes nothing: what stops the second is the row it would change, not the queue.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_twice_makes_one_reply() {
    use jobs::jobs::{message_send, reply_auto};
    use jobs::ledger::enqueue::NewJob;
    let mut shop = Shop::new().await;
    shop.fault("rate_limit", json!({ "params": { "code": 613, "minutes": 1 } })).await;
    let mid = shop.dm(ANN, "hello").await;
    shop.job_is("message.send", "snoozed").await;
    shop.stop_workers().await;
    let reply = shop.reply_is("queued").await;
    let question = shop.messages().await.into_iter().find(|m| m.external_id.as_deref() == Some(&mid)).unwrap();
    let mut tx = shop.ledger.context().db.begin().await.unwrap();
    let mut twice = Vec::new();
    for _ in 0..8 {
        twice.push(NewJob::new(&reply_auto::KIND, json!({ "messageId": question.id })));
        twice.push(NewJob::new(&message_send::KIND, json!({ "messageId": reply.id })));
    }
    shop.ledger.enqueue(&mut tx, twice).await.unwrap();
    tx.commit().await.unwrap();
    shop.clock.advance(90_001);
    shop.control("/sandbox/faults", json!({ "name": "slow_answer", "params": { "ms": 150 } })).await;
    shop.start_workers();
    shop.reply_is("sent").await;
    for kind in ["reply.auto", "message.send"] {
        for _ in 0..500 {
            if shop.jobs(kind).await.iter().all(|job| job.state == "completed") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let jobs = shop.jobs(kind).await;
        assert!(jobs.iter().all(|job| job.state == "completed"), "{jobs:?}");
    }
    assert_eq!((shop.outbound().await.len(), shop.sent().await.len(), shop.usage("auto_replies").await), (1, 1, 1));
}

/// Two replies with the same words: each echo finds its own, and what was mistaken is put right.
#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_is_given_up_leaves_no_message_in_limbo() {
    let shop = Shop::new().await;
    // Discarded while it waits.
    shop.fault("rate_limit", json!({ "params": { "code": 613, "minutes": 5 } })).await;
    shop.dm(ANN, "one").await;
    let job = shop.job_is("message.send", "snoozed").await;
    let mut tx = shop.ledger.context().db.begin().await.unwrap();
    assert!(jobs::ledger::operate::discard(&shop.ledger, &mut tx, job.id, shop.ledger.now()).await.unwrap());
    tx.commit().await.unwrap();
    let reply = shop.reply_is("failed").await;
    assert!(reply.error_message.is_some());

    // The vault cannot open the token, try after try.
    use sea_orm::{EntityTrait, sea_query::Expr};
    let shop = Shop::new().await;
    entities::connection::Entity::update_many()
        .col_expr(entities::connection::Column::TokenSealed, Expr::value("v1.k1.AAAA.BBBB"))
        .exec(shop.ledger.context().db.write())
        .await
        .unwrap();
    shop.dm(ANN, "two").await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        shop.clock.advance(3 * 3_600_000);
    }
    let reply = shop.reply_is("failed").await;
    assert!(matches!(reply.error_class.as_deref(), Some("vault" | "window_closed")), "{reply:?}");
}

/// Longer away than any time-out: the answer is still there when the database is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlasts_a_database_that_is_locked() {
    let shop = Shop::new().await;
    shop.fault("slow_answer", json!({ "params": { "ms": 400 } })).await;
    shop.dm(ANN, "hello").await;
    shop.reply_is("sending").await;
    let stranger = Stranger::holds(&shop.database).await;
    // The service waits five seconds for the lock, is told that it cannot have it, and asks again.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(shop.sent().await.len(), 1);
    assert_eq!(shop.outbound().await[0].status.as_deref(), Some("sending"));
    stranger.lets_go().await;
    shop.reply_is("sent").await;
    shop.job_is("message.send", "completed").await;
}

/// A throttle that Meta puts no time to: pauses grow, and what waited does not come back all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_account_is_asked_less_and_less() {
    let shop = Shop::new().await;
    shop.control("/sandbox/faults", json!({ "name": "rate_limit", "params": { "code": 613, "minutes": 0 } })).await;
    for n in 0..6 {
        shop.dm(&format!("90000000000001{n}"), "hello").await;
    }
    let calls = || async {
        let url = format!("{}/sandbox/counters", shop.sandbox);
        let counters: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        counters["sendsReceived"].as_i64().unwrap()
    };
    let mut after = Vec::new();
    for _ in 0..16 {
        // All that may ask now has asked, or a second is over: what is due stays so while the account is held.
        for _ in 0..85 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = shop.ledger.now();
            if shop.jobs("message.send").await.iter().all(|job| job.state == "snoozed" && job.run_at > now) {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        after.push(calls().await);
        shop.clock.advance(60_000);
    }
    // Pauses of about 1, 2, 4 and 8 minutes: one of them ends in the second eight minutes, where a fixed pause would end
    // eight times. The clock moves a minute at a time, so all six messages may ask at each end.
    let (first, second) = (after[7], after[15] - after[7]);
    assert!((1..=24).contains(&first) && second <= 6, "{after:?}");
    assert!(shop.sent().await.is_empty());
}
