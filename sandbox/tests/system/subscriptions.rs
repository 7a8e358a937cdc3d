//! Turning webhooks on and off, for an account and for the whole app, and who is told of that.
//! The address is verified while the call waits, as with Meta.

use serde_json::{Value, json};

use crate::{
    harness::{Harness, Pair, Reply},
    signing::{FB_ID, FB_SECRET, IG_ID},
};

async fn subscribed(h: &Harness, host: &str, pair: &Pair) -> Value {
    let reply = h.graph(&format!("{host}/v25.0/me/subscribed_apps?access_token={}", pair.token)).await;
    reply.body["data"].clone()
}

async fn subscribe(h: &Harness, host: &str, pair: &Pair, fields: &str) -> Reply {
    let form = [("subscribed_fields", fields), ("access_token", pair.token.as_str())];
    h.form(&format!("{host}/v25.0/{}/subscribed_apps", pair.account), &form).await
}

#[tokio::test]
async fn an_account_is_installed_and_removed() {
    let h = Harness::start().await;
    let ig = h.pair(json!({"platform": "instagram", "subscribed": false})).await;
    let page = h.pair(json!({"platform": "facebook", "subscribed": false})).await;
    for (host, pair, app) in [("instagram-graph", &ig, IG_ID), ("facebook-graph", &page, FB_ID)] {
        assert_eq!(subscribed(&h, host, pair).await, json!([]));
        let none = subscribe(&h, host, pair, "").await;
        assert_eq!(none.message(), "(#100) The parameter subscribed_fields is required.");
        assert_eq!(subscribe(&h, host, pair, "messages,messaging_postbacks").await.body, json!({"success": true}));
        assert_eq!(subscribe(&h, host, pair, "messages").await.status, 200);
        let list = subscribed(&h, host, pair).await;
        assert_eq!((&list[0]["id"], &list[0]["subscribed_fields"]), (&json!(app), &json!(["messages"])));
        let url = format!("{}/{host}/v25.0/me/subscribed_apps?access_token={}", h.base, pair.token);
        assert_eq!(h.raw(h.http.delete(url)).await.body, json!({"success": true}));
        assert_eq!(subscribed(&h, host, pair).await, json!([]));
    }
    let wrong = subscribe(&h, "facebook-graph", &page, "messages,comments").await;
    assert!(wrong.message().starts_with("(#100) Param subscribed_fields[1] must be one of {feed, mention, name, "));
    assert_eq!(subscribe(&h, "instagram-graph", &ig, "messages,comments").await.status, 200);
    h.post("unsubscribe", json!({"accountId": ig.account})).await;
    assert_eq!(subscribed(&h, "instagram-graph", &ig).await, json!([]));
    h.post("settings", json!({"successAsString": true})).await;
    assert_eq!(subscribe(&h, "instagram-graph", &ig, "messages").await.body, json!({"success": "true"}));
    let counters = h.get("counters?detail=true").await;
    assert_eq!(counters["subscribesByAccount"], json!({&ig.account: 5, &page.account: 4}));
    assert_eq!(counters["unsubscribesByAccount"], json!({&ig.account: 1, &page.account: 1}));
    assert_eq!(counters["oauth"]["subscriptionReads"], 7);
}

#[tokio::test]
async fn a_page_needs_the_permission_and_the_task() {
    let h = Harness::start().await;
    let page = h.page().await;
    let person = h.post("people", json!({"pages": [{"id": page.account, "tasks": ["ANALYZE"]}]})).await;
    let signed_in = async |more: Value| {
        let token = h.fb_token(more).await;
        let list = h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
        let token = list.body["data"][0]["access_token"].as_str().unwrap().to_owned();
        Pair { token, ..page.clone() }
    };
    let pair = signed_in(json!({})).await;
    assert_eq!(subscribe(&h, "facebook-graph", &pair, "messages").await.code().0, 200);
    h.dm(&page, "hello").await;
    assert_eq!(h.send(&pair, "hi").await.code().0, 200);
    let tasks = json!({"id": person["id"], "pages": [{"id": page.account, "tasks": ["MODERATE", "MESSAGING"]}]});
    h.post("people", tasks).await;
    assert_eq!(subscribe(&h, "facebook-graph", &pair, "messages").await.status, 200);
    let pair = signed_in(json!({"scopes": ["pages_show_list"]})).await;
    let refused = subscribe(&h, "facebook-graph", &pair, "messages").await;
    assert_eq!((refused.status, refused.code().0), (403, 10));
    assert_eq!(refused.message(), "(#10) Requires pages_manage_metadata permission to manage the object");
    assert_eq!(h.send(&pair, "hi").await.code(), (10, 0));
}

#[tokio::test]
async fn an_app_is_subscribed_after_a_verification() {
    let h = Harness::start().await;
    h.post("settings", json!({"webhookUrlInstagram": null, "webhookUrlFacebook": null})).await;
    let path = format!("facebook-graph/v25.0/{FB_ID}/subscriptions");
    let app = format!("{FB_ID}|{FB_SECRET}");
    let url = format!("http://{}/hook?own=1", h.receiver.addr);
    let form = |object| {
        [
            ("object", object),
            ("callback_url", url.as_str()),
            ("verify_token", "let me in"),
            ("fields", "messages,messaging_postbacks"),
            ("access_token", app.as_str()),
        ]
    };
    let list = async || h.graph(&format!("{path}?access_token={FB_ID}%7C{FB_SECRET}")).await.body["data"].clone();
    assert_eq!(list().await, json!([]));
    assert_eq!(h.form(&path, &form("page")).await.body, json!({"success": true}));
    let got = h.receiver.got();
    assert!(got[0].query.starts_with("own=1&hub.mode=subscribe&hub.challenge=") && got[0].path == "/hook");
    assert!(got[0].query.ends_with("&hub.verify_token=let+me+in"));
    let expected = json!([{
        "object": "page", "callback_url": url, "active": true,
        "fields": [{"name": "messages", "version": "v25.0"}, {"name": "messaging_postbacks", "version": "v25.0"}],
    }]);
    assert_eq!(list().await, expected);
    let page = h.page().await;
    h.dm(&page, "hello").await;
    h.receiver.wait(2).await;
    h.receiver.answer_challenges_with("something else");
    let refused = h.form(&path, &form("instagram")).await;
    assert_eq!((refused.status, refused.code().0), (400, 2200));
    h.receiver.answer(403);
    let refused = h.form(&path, &form("instagram")).await;
    let why = "HTTP Status Code = 403; HTTP Message = Forbidden";
    assert_eq!(refused.message(), format!("(#2200) Callback verification failed with the following errors: {why}"));
    let mut away = form("page");
    away[1].1 = "https://example.test/hook";
    assert_eq!(h.form(&path, &away).await.code().0, 2200);
    away[0].1 = "user";
    assert_eq!(h.form(&path, &away).await.code().0, 100);
    let mut wrong = form("page");
    wrong[4].1 = &page.token;
    assert_eq!(h.form(&path, &wrong).await.code().0, 15);
    let delete = h.http.delete(format!("{}/{path}?object=page&access_token={FB_ID}%7C{FB_SECRET}", h.base));
    assert_eq!(h.raw(delete).await.body, json!({"success": true}));
    assert_eq!(list().await, json!([]));
    assert!(h.dm(&page, "unheard").await["deliveryId"].is_null());
}

#[tokio::test]
async fn only_subscribed_fields_flow_when_that_is_enforced() {
    let h = Harness::start().await;
    let (page, ig) = (h.page().await, h.instagram().await);
    h.post("settings", json!({"enforceSubscribedFields": true})).await;
    let heard = async |pair: &Pair, path: &str, more: Value| {
        let mut body = json!({"accountId": pair.account, "customerId": pair.customer});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        h.post(path, body).await["deliveryId"].is_string()
    };
    let owner = json!({"text": "me"});
    // A new Page is subscribed to messages alone; an Instagram account's own list does not matter.
    assert!(heard(&page, "messages", json!({"text": "hi"})).await);
    assert!(!heard(&page, "reads", json!({})).await && !heard(&page, "owner-messages", owner.clone()).await);
    assert!(heard(&ig, "reads", json!({"mid": "m"})).await && heard(&ig, "owner-messages", owner.clone()).await);
    subscribe(&h, "facebook-graph", &page, "messages,message_reads,message_echoes").await;
    assert!(heard(&page, "reads", json!({})).await && heard(&page, "owner-messages", owner.clone()).await);
    let path = format!("facebook-graph/v25.0/{FB_ID}/subscriptions");
    let app = format!("{FB_ID}|{FB_SECRET}");
    let url = format!("http://{}/hook", h.receiver.addr);
    for object in ["page", "instagram"] {
        let form = [
            ("object", object),
            ("callback_url", url.as_str()),
            ("verify_token", "v"),
            ("fields", "messages,message_reactions"),
            ("access_token", app.as_str()),
        ];
        assert_eq!(h.form(&path, &form).await.status, 200);
    }
    assert!(!heard(&page, "reads", json!({})).await);
    assert!(!heard(&ig, "reads", json!({"mid": "m"})).await && heard(&ig, "owner-messages", owner).await);
    assert!(heard(&ig, "reactions", json!({"mid": "m"})).await && heard(&page, "messages", json!({"text": "a"})).await);
    let url = format!("{}/{path}?object=page&fields=message_reactions&access_token={FB_ID}%7C{FB_SECRET}", h.base);
    assert_eq!(h.raw(h.http.delete(url)).await.status, 200);
    let list = h.graph(&format!("{path}?access_token={FB_ID}%7C{FB_SECRET}")).await;
    assert_eq!(list.body["data"][0]["fields"], json!([{"name": "messages", "version": "v25.0"}]));
    let event = json!({"accountId": ig.account, "field": "changes", "event": {"field": "comments", "value": {}}});
    assert!(h.post("events", event).await["deliveryId"].is_null());
}
