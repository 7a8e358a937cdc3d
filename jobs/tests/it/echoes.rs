//! Echoes and unknown outcomes: whatever comes first, the answer, the echo or a look at Meta, there is one row for each message,
//! and none is sent again.

use crate::shop::{ACCOUNT, REPLY, Shop};
use domain::connections::LoginRoute;
use domain::outbound;
use serde_json::json;
use std::time::Duration;

const ANN: &str = "900000000000001";

/// Row 8 of the lessons: chatwoot#12032, airy#2434.
#[tokio::test(flavor = "multi_thread")]
async fn an_echo_is_merged_after_the_answer_and_before_it() {
    let shop = Shop::new().await;
    shop.dm(ANN, "one").await;
    let reply = shop.reply_is("sent").await;
    let echo = shop.echo(ANN, json!({ "mid": reply.external_id, "text": REPLY }));
    let delivery = shop.deliver(std::slice::from_ref(&echo)).await;
    assert_eq!(shop.outcomes(delivery).await[0].outcome, "merged_echo");
    assert_eq!(shop.outbound().await.len(), 1);

    let shop = Shop::new().await;
    shop.fault("slow_answer", json!({ "params": { "ms": 300 } })).await;
    shop.dm(ANN, "two").await;
    shop.reply_is("sending").await;
    let mid = loop {
        if let Some(sent) = shop.sent().await.pop() {
            break sent["mid"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let delivery = shop.deliver(&[shop.echo(ANN, json!({ "mid": mid, "text": REPLY }))]).await;
    assert_eq!(shop.outcomes(delivery).await[0].outcome, "merged_echo");
    shop.job_is("message.send", "completed").await;
    let reply = shop.reply_is("sent").await;
    assert_eq!((reply.external_id.as_deref(), shop.usage("auto_replies").await), (Some(mid.as_str()), 1));
}

/// That Meta has it is a fact; what is thought of the answer to the send changes nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_echo_has_settled_stays_sent() {
    let mut shop = Shop::new().await;
    shop.fault("rate_limit", json!({ "params": { "code": 613, "minutes": 1 } })).await;
    shop.dm(ANN, "hello").await;
    shop.job_is("message.send", "snoozed").await;
    shop.stop_workers().await;
    let reply = shop.reply_is("queued").await;
    let ctx = shop.ledger.context();
    let tx = ctx.db.begin().await.unwrap();
    assert!(outbound::begin(&tx, reply.id, ctx.now()).await.unwrap());
    outbound::sent(&tx, reply.id, "m_x", Some(ctx.now()), ctx.now()).await.unwrap();
    let trouble = outbound::Trouble { class: "permanent".to_owned(), ..outbound::Trouble::default() };
    outbound::requeue(&tx, &reply).await.unwrap();
    outbound::refuse(&tx, &reply, &trouble).await.unwrap();
    outbound::fail(&tx, &reply, &trouble).await.unwrap();
    outbound::unknown(&tx, reply.id, &trouble).await.unwrap();
    tx.commit().await.unwrap();
    let reply = shop.reply_is("sent").await;
    assert_eq!((reply.external_id.as_deref(), reply.error_class), (Some("m_x"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_message_with_the_same_words_stays_its_own() {
    let shop = Shop::new().await;
    shop.fault("slow_answer", json!({ "params": { "ms": 300 } })).await;
    shop.dm(ANN, "hello").await;
    shop.reply_is("sending").await;
    let foreign = shop.deliver(&[shop.echo(ANN, json!({ "mid": "typed-in-the-app", "text": REPLY }))]).await;
    assert_eq!(
        shop.outcomes(foreign).await[0].outcome,
        "merged_echo",
        "taken for ours, as nothing tells them apart yet"
    );
    shop.job_is("message.send", "completed").await;
    let outbound = shop.outbound().await;
    assert_eq!(outbound.len(), 2, "Meta's answer told them apart");
    let (ours, theirs): (Vec<_>, Vec<_>) = outbound.iter().partition(|m| m.origin == "auto");
    assert_eq!(ours[0].external_id.as_deref(), shop.sent().await[0]["mid"].as_str());
    assert_eq!(theirs[0].external_id.as_deref(), Some("typed-in-the-app"));
    assert_eq!(shop.usage("messages_sent").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_stored_as_a_strangers_is_absorbed_by_the_answer() {
    let shop = Shop::new().await;
    shop.fault("slow_answer", json!({ "params": { "ms": 300 } })).await;
    shop.dm(ANN, "hello").await;
    let mid = loop {
        if let Some(sent) = shop.sent().await.pop() {
            break sent["mid"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let delivery = shop.deliver(&[shop.echo(ANN, json!({ "mid": mid, "text": "words that Meta changed" }))]).await;
    assert_eq!(shop.outcomes(delivery).await[0].outcome, "stored");
    shop.job_is("message.send", "completed").await;
    let reply = shop.reply_is("sent").await;
    assert_eq!((reply.origin.as_str(), reply.external_id.as_deref()), ("auto", Some(mid.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_shown_and_never_guessed() {
    let lost = [
        ("answer_lost", 1),
        ("reset_mid_response", 1),
        ("answer_without_message_id", 1),
        ("timeout_after_accept", 1),
        ("timeout_before_accept", 0),
        ("transient", 0),
        ("code1", 0),
        ("html_502", 0),
        ("error_in_200", 0),
    ];
    for (fault, accepted) in lost {
        let shop = Shop::new().await;
        shop.fault(fault, json!({})).await;
        shop.dm(ANN, "hello").await;
        let reply = shop.reply_is("unknown").await;
        assert_eq!(reply.error_class.as_deref(), Some("unknown_outcome"), "{fault}");
        let send = shop.job_is("message.send", "completed").await;
        assert_eq!((send.attempt, send.result.as_deref()), (1, Some(r#"{"status":"unknown"}"#)), "{fault}");
        shop.clock.advance(60_001);
        let expected = if accepted == 1 { "sent" } else { "unknown" };
        shop.first_look_is_over().await;
        shop.clock.advance(120_001);
        shop.job_is("message.reconcile", "completed").await;
        assert_eq!(shop.jobs("message.reconcile").await.len(), 2 - accepted, "{fault}");
        shop.reply_is(expected).await;
        assert_eq!(shop.sent().await.len(), accepted, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_settles_an_unknown_outcome_without_sending_again() {
    for route in [LoginRoute::InstagramLogin, LoginRoute::FacebookPage] {
        let shop = Shop::with(route, ACCOUNT).await;
        shop.fault("answer_lost", json!({})).await;
        shop.dm(ANN, "hello").await;
        shop.reply_is("unknown").await;
        let sent = shop.sent().await.remove(0);
        let echo = json!({ "mid": sent["mid"], "text": sent["text"], "metadata": sent["metadata"], "app_id": 200_000_000_000_002_i64 });
        shop.deliver(&[shop.echo(ANN, echo)]).await;
        let reply = shop.reply_is("sent").await;
        assert_eq!((reply.error_class, shop.sent().await.len()), (None, 1));
        shop.clock.advance(60_001);
        let look = shop.job_is("message.reconcile", "completed").await;
        assert_eq!(look.result.as_deref(), Some(r#"{"status":"sent"}"#), "nothing left to look for");
        assert_eq!(shop.usage("auto_replies").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replies_with_the_same_words_stay_two() {
    let shop = Shop::new().await;
    shop.fault("answer_lost", json!({})).await;
    shop.dm(ANN, "one").await;
    shop.reply_is("unknown").await;
    shop.fault("slow_answer", json!({ "params": { "ms": 300 } })).await;
    shop.dm(ANN, "two").await;
    let second = loop {
        let sent = shop.sent().await;
        if sent.len() == 2 {
            break sent[1]["mid"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    // Nothing but Meta's answer tells whose echo this is.
    shop.deliver(&[shop.echo(ANN, json!({ "mid": second, "text": REPLY }))]).await;
    shop.job_is("message.send", "completed").await;
    let first = shop.sent().await[0]["mid"].as_str().unwrap().to_owned();
    shop.deliver(&[shop.echo(ANN, json!({ "mid": first, "text": REPLY }))]).await;
    let mut mids: Vec<_> = shop.outbound().await.into_iter().map(|m| (m.external_id, m.status)).collect();
    mids.sort();
    let mut expected = vec![(Some(first), Some("sent".to_owned())), (Some(second), Some("sent".to_owned()))];
    expected.sort();
    assert_eq!(mids, expected);
    assert_eq!((shop.usage("messages_sent").await, shop.usage("auto_replies").await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_apps_message_with_our_words_settles_nothing() {
    for route in [LoginRoute::FacebookPage, LoginRoute::InstagramLogin] {
        let shop = Shop::with(route, ACCOUNT).await;
        shop.fault("timeout_before_accept", json!({})).await;
        shop.dm(ANN, "hello").await;
        shop.reply_is("unknown").await;
        let foreign = json!({ "mid": "typed", "text": REPLY, "app_id": 263_902_037_430_900_i64 });
        let delivery = shop.deliver(&[shop.echo(ANN, foreign)]).await;
        assert_eq!(shop.outcomes(delivery).await[0].outcome, "stored");
        let ours: Vec<_> = shop.outbound().await.into_iter().filter(|m| m.origin == "auto").collect();
        assert_eq!(ours[0].status.as_deref(), Some("unknown"));
        assert_eq!(shop.usage("auto_replies").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_a_reply_before_its_id_was_known_is_kept() {
    let shop = Shop::new().await;
    shop.fault("answer_lost", json!({})).await;
    shop.dm(ANN, "hello").await;
    shop.reply_is("unknown").await;
    let mid = shop.sent().await[0]["mid"].clone();
    shop.deliver(&[shop.element(ANN, json!({ "reaction": { "mid": mid, "action": "react", "reaction": "love" } }))])
        .await;
    shop.deliver(&[shop.echo(ANN, json!({ "mid": mid, "text": REPLY }))]).await;
    assert!(shop.reply_is("sent").await.reactions.contains("love"));
}
