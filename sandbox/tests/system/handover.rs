//! Conversations that another app owns: one may listen, not speak.
//! Both platforms, since each has its own number for it.

use serde_json::{Value, json};

use crate::harness::Harness;

#[tokio::test]
async fn whoever_does_not_own_the_conversation_listens() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    for (pair, code) in [(&ig, (100, 2_534_037)), (&page, (100, 2_018_300))] {
        h.dm(pair, "before").await;
        let set = h.post("accounts", json!({"id": pair.account, "standby": true})).await;
        assert_eq!(set["standby"], true);
        h.dm(pair, "on standby").await;
        let postback = json!({"title": "Price?", "payload": "PRICE"});
        let dm = json!({"accountId": pair.account, "customerId": pair.customer, "postback": postback});
        let made = h.post("messages", dm).await;
        let owner = json!({"accountId": pair.account, "customerId": pair.customer, "text": "I am here"});
        h.post("owner-messages", owner).await;
        let reply = h.send(pair, "hi").await;
        assert_eq!((reply.status, reply.code()), (400, code));
        let typing = json!({"recipient": {"id": pair.customer}, "sender_action": "typing_on"});
        assert_eq!(h.raw(h.send_request(pair, &typing)).await.code(), code);
        h.quiet().await;
        let got = h.receiver.got();
        let mine: Vec<_> = got.iter().filter(|got| got.json()["entry"][0]["id"] == pair.account.as_str()).collect();
        assert_eq!(mine[0].text(), "before");
        let aside: Vec<Value> = mine[1..].iter().flat_map(|got| got.elements_of("standby")).collect();
        assert_eq!((mine.len(), aside.len()), (4, 3));
        assert!(mine[1..].iter().all(|got| got.elements().is_empty()));
        assert_eq!(aside[0]["message"]["text"], "on standby");
        assert_eq!(aside[1]["postback"], json!({"mid": made["mid"], "title": "Price?"}));
        assert_eq!(aside[2]["message"]["is_echo"], true);
        h.post("accounts", json!({"id": pair.account, "standby": false})).await;
        assert_eq!(h.send(pair, "mine again").await.status, 200);
        h.dm(pair, "after").await;
        h.quiet().await;
        assert!(h.receiver.got().iter().any(|got| !got.elements().is_empty() && got.text() == "after"));
    }
    let counters = h.counters().await;
    assert_eq!(counters["sendsRefused"]["byCode"], json!({"100/2534037": 2, "100/2018300": 2}));
}

#[tokio::test]
async fn standby_is_a_field_of_its_own() {
    let h = Harness::start().await;
    let page = h.page().await;
    h.post("settings", json!({"enforceSubscribedFields": true})).await;
    h.post("accounts", json!({"id": page.account, "standby": true})).await;
    assert!(h.dm(&page, "unheard").await["deliveryId"].is_null());
    let url = format!("{}/v25.0/me/subscribed_apps?subscribed_fields=messages,standby", h.base);
    assert_eq!(h.raw(h.http.post(url).bearer_auth(&page.token)).await.status, 200);
    h.dm(&page, "heard").await;
    let got = h.receiver.wait(1).await;
    assert_eq!(got[0].elements_of("standby")[0]["message"]["text"], "heard");
}
