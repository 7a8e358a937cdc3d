//! Customers that are bots: how often they write, when, and that it ends.
//! A program that answers everything is played by the test itself.

use serde_json::{Value, json};

use crate::harness::{Harness, Pair};

async fn bot(h: &Harness, pair: &Pair, settings: Value) -> Value {
    let mut body = json!({"accountId": pair.account, "customerId": pair.customer});
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    h.post("bots", body).await
}

/// What the customer has written, in order.
async fn written(h: &Harness, pair: &Pair) -> Vec<String> {
    let thread = h.get(&format!("thread?accountId={}&customerId={}", pair.account, pair.customer)).await;
    let messages = thread["messages"].as_array().unwrap();
    let theirs = messages.iter().filter(|message| message["from"] == "customer");
    theirs.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_bot_writes_back_until_it_may_not() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let made = bot(&h, &ig, json!({"max": 3})).await;
    assert_eq!((&made["wrote"], &made["text"], &made["delayMs"]), (&json!(0), &Value::Null, &json!(0)));
    bot(&h, &page, json!({"text": "Beep."})).await;
    for pair in [&ig, &page] {
        h.dm(pair, "hello").await;
        for number in 0..5 {
            assert_eq!(h.send(pair, &format!("answer {number}")).await.status, 200);
        }
    }
    h.quiet().await;
    assert_eq!(written(&h, &ig).await, ["hello", "answer 0 (1)", "answer 1 (2)", "answer 2 (3)"]);
    assert_eq!(written(&h, &page).await, ["hello", "Beep.", "Beep.", "Beep.", "Beep.", "Beep."]);
    let webhooks = h.receiver.got().iter().filter(|got| !got.is_echo()).count();
    assert_eq!(webhooks, 4 + 6, "what a bot writes is a DM like any other");
    let bots = h.get("bots").await;
    assert_eq!(
        (&bots["total"], &bots["items"][0]["wrote"], &bots["items"][1]["wrote"]),
        (&json!(2), &json!(3), &json!(5))
    );
    // A typing sign is no message, and a refused send has reached nobody.
    let typing = json!({"recipient": {"id": page.customer}, "sender_action": "typing_on"});
    h.raw(h.send_request(&page, &typing)).await;
    h.fault(json!({"name": "transient", "count": 1})).await;
    h.send(&page, "refused").await;
    h.quiet().await;
    assert_eq!(h.get("bots").await["items"][1]["wrote"], 5);
    // An answer that is lost was still accepted.
    h.fault(json!({"name": "answer_without_message_id", "count": 1})).await;
    h.send(&page, "accepted").await;
    h.quiet().await;
    assert_eq!(h.get("bots").await["items"][1]["wrote"], 6);
    let stopped = h.raw(h.http.delete(format!("{}/sandbox/bots", h.base))).await;
    assert_eq!((stopped.status, &stopped.body["removed"]), (200, &json!(2)));
    h.send(&page, "silence").await;
    h.quiet().await;
    assert_eq!((written(&h, &page).await.len(), &h.get("bots").await["total"]), (7, &json!(0)));
}

#[tokio::test]
async fn a_bot_takes_its_time_by_the_sandbox_clock() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.post("clock", json!({"freeze": true})).await;
    bot(&h, &ig, json!({"delayMs": 60_000})).await;
    h.dm(&ig, "hello").await;
    let attachment = json!({"attachment": {"type": "image", "payload": {"url": "https://cdn.test/a.png"}}});
    h.raw(h.send_request(&ig, &json!({"recipient": {"id": ig.customer}, "message": attachment}))).await;
    h.post("clock", json!({"advanceSeconds": 59})).await;
    h.until("the echo", |counters| counters["webhooksDelivered"] == 2).await;
    let waiting = h.get("bots").await["items"][0].clone();
    assert_eq!((&waiting["wrote"], &waiting["waiting"]), (&json!(0), &json!(1)));
    assert_eq!(h.counters().await["webhooksPending"], 1);
    h.post("clock", json!({"advanceSeconds": 1})).await;
    h.until("written", |counters| counters["messagesIn"] == 2).await;
    assert_eq!(written(&h, &ig).await, ["hello", "[attachment] (1)"]);
    h.send(&ig, "again").await;
    bot(&h, &ig, json!({})).await;
    assert_eq!(h.get("bots").await["items"][0]["waiting"], 0, "begun anew");
    h.post("reset", json!({"keepAccounts": true})).await;
    assert_eq!(h.get("bots").await["items"], json!([]));
}

#[tokio::test]
async fn two_bots_talk_until_one_is_stopped() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    bot(&h, &ig, json!({"max": 30})).await;
    h.dm(&ig, &"long ".repeat(190)).await;
    // The program under test: answers every DM with the same words.
    for round in 0..31 {
        let counters = h.until("a DM", |counters| counters["messagesIn"].as_u64() > Some(round)).await;
        assert_eq!(counters["messagesIn"], round + 1, "one answer, one DM");
        let last = written(&h, &ig).await.pop().unwrap();
        assert_eq!(h.send(&ig, &last).await.status, 200, "{last}");
    }
    h.quiet().await;
    let counters = h.counters().await;
    assert_eq!((&counters["messagesIn"], &counters["sendsAccepted"]), (&json!(31), &json!(31)));
    assert!(written(&h, &ig).await[30].len() <= 510, "an echo of an echo does not grow");
}
