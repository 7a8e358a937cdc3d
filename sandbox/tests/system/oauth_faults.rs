//! Every fault of signing in, refreshing and subscribing: what the client sees, and what really happened.
//! A fault that loses an answer must have done the work; one that strikes before must not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    harness::{Harness, Reply},
    signing::{BACK, FB_ID, FB_SECRET},
};

async fn once(h: &Harness, name: &str, params: Value) {
    h.fault(json!({"name": name, "count": 1, "params": params})).await;
}

#[tokio::test]
async fn the_redirect() {
    let h = Harness::start().await;
    let (ig, _) = (h.instagram().await, h.page().await);
    for (dialog, tail) in [(h.ig_dialog(), "#_"), (h.fb_dialog(), "#_=_")] {
        once(&h, "callback_without_code", json!({})).await;
        let done = h.consent(&dialog, json!({})).await;
        assert_eq!(done, json!({"redirectTo": format!("{BACK}?state=s1{tail}"), "code": null}));
        for error in ["server_error", "temporarily_unavailable"] {
            once(&h, "dialog_error", json!({"error": error})).await;
            let done = h.consent(&dialog, json!({})).await;
            let to = done["redirectTo"].as_str().unwrap();
            assert!(to.contains(&format!("?error={error}&")) && to.ends_with(&format!("&state=s1{tail}")), "{to}");
        }
    }
    // A fault for one account leaves the others alone; a person can be named as well.
    let person = h.get("people").await["items"][0]["id"].clone();
    h.fault(json!({"name": "callback_without_code", "accountId": person})).await;
    assert!(h.consent(&h.ig_dialog(), json!({"accountId": ig.account})).await["code"].is_string());
    assert!(h.consent(&h.fb_dialog(), json!({})).await["code"].is_null());
    assert_eq!(h.try_post("faults", &json!({"name": "refresh_lost", "accountId": "x"})).await.status, 404);
}

#[tokio::test]
async fn exchanging_a_code() {
    let h = Harness::start().await;
    h.instagram().await;
    h.page().await;
    let (ig, fb) = (h.ig_code().await, h.fb_code().await);
    once(&h, "code_exchange_transient", json!({})).await;
    let reply = h.ig_exchange(&ig).await;
    assert_eq!((reply.status, &reply.body["error_type"]), (500, &json!("OAuthException")));
    once(&h, "code_exchange_transient", json!({})).await;
    let reply = h.fb_exchange(&fb).await;
    assert_eq!((reply.status, &reply.body["error"]["is_transient"]), (500, &json!(true)));
    once(&h, "code_exchange_html_502", json!({})).await;
    let reply = h.ig_exchange(&ig).await;
    assert!(reply.status == 502 && reply.body.as_str().unwrap().contains("<html>"));
    once(&h, "code_exchange_timeout", json!({"ms": 200})).await;
    let started = Instant::now();
    let form = format!("client_id={FB_ID}&client_secret={FB_SECRET}&redirect_uri={BACK}&code={fb}");
    let url = format!("{}/facebook-graph/oauth/access_token?{form}", h.base);
    assert!(h.http.get(&url).send().await.is_err() && started.elapsed() >= Duration::from_millis(200));
    // None of these has used the codes.
    once(&h, "code_exchange_hold", json!({})).await;
    let held = tokio::spawn(h.http.get(&url).send());
    h.until("held", |counters| counters["held"] == 1).await;
    assert_eq!(h.post("release", json!({})).await["released"], 1);
    assert_eq!(held.await.unwrap().unwrap().status().as_u16(), 200);
    assert_eq!(h.fb_exchange(&fb).await.code(), (100, 36_009));
    h.ig_exchange(&ig).await.token();
    // A lost answer has.
    let fb = h.fb_code().await;
    for how in ["reset", "close"] {
        let code = if how == "reset" { fb.clone() } else { h.fb_code().await };
        once(&h, "code_exchange_lost", json!({"how": how})).await;
        let url = url.replace(url.rsplit_once('=').unwrap().1, &code);
        assert!(h.http.get(&url).send().await.is_err());
        assert_eq!(h.fb_exchange(&code).await.code(), (100, 36_009));
    }
    for code in [h.ig_code().await, h.ig_code().await] {
        once(&h, "code_exchange_used", json!({})).await;
        for _ in 0..2 {
            let reply = h.ig_exchange(&code).await;
            assert_eq!(reply.body["error_message"], "Matching code was not found or was already used");
        }
    }
    let oauth = h.oauth().await;
    assert_eq!((&oauth["codeExchanges"], &oauth["codeExchangesRefused"]), (&json!(15), &json!(11)));
    // Held, and the caller goes away: nothing is done.
    let code = h.fb_code().await;
    once(&h, "code_exchange_hold", json!({})).await;
    let url = url.replace(url.rsplit_once('=').unwrap().1, &code);
    let held = tokio::spawn(h.http.get(&url).send());
    h.until("held", |counters| counters["held"] == 1).await;
    held.abort();
    h.until("gone", |counters| counters["held"] == 0).await;
    h.fb_exchange(&code).await.token();
}

#[tokio::test]
async fn long_lived_exchanges() {
    let h = Harness::start().await;
    h.instagram().await;
    h.page().await;
    let ig = h.ig_exchange(&h.ig_code().await).await.token();
    let fb = h.fb_exchange(&h.fb_code().await).await.token();
    let person = h.get("people").await["items"][0]["id"].clone();
    h.fault(json!({"name": "long_lived_transient", "count": 1, "accountId": person})).await;
    h.ig_long(&ig).await.token();
    assert_eq!(h.fb_long(&fb).await.status, 500);
    h.fb_long(&fb).await.token();
    once(&h, "long_lived_transient", json!({})).await;
    assert_eq!((h.ig_long(&ig).await.status, h.ig_long(&ig).await.status), (500, 200));
}

#[tokio::test]
async fn refreshing() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    let token = h.ig_token().await;
    h.days(2).await;
    let refreshed = async || {
        let tokens = h.get(&format!("tokens?accountId={}", ig.account)).await;
        tokens["items"].as_array().unwrap().iter().filter(|token| !token["refreshedFrom"].is_null()).count()
    };
    for (name, status, code) in [
        ("refresh_transient", 500, 2),
        ("refresh_unsupported", 400, 100),
        ("refresh_checkpoint", 400, 190),
        ("refresh_rate_limit", 400, 4),
        ("refresh_html_502", 502, 0),
    ] {
        once(&h, name, json!({})).await;
        let reply = h.ig_refresh(&token).await;
        assert_eq!((reply.status, reply.code().0), (status, code), "{name}");
        if name == "refresh_rate_limit" {
            let usage: Value =
                serde_json::from_str(reply.headers["x-business-use-case-usage"].to_str().unwrap()).unwrap();
            assert_eq!(usage[&ig.account][0]["estimated_time_to_regain_access"], 1);
        }
    }
    once(&h, "refresh_empty_token", json!({})).await;
    let empty = h.ig_refresh(&token).await;
    assert_eq!((empty.status, &empty.body["access_token"]), (200, &json!("")));
    let path = format!("{}/instagram-graph/refresh_access_token?grant_type=ig_refresh_token", h.base);
    let ask = || h.http.get(&path).bearer_auth(&token).send();
    once(&h, "refresh_timeout", json!({"ms": 100})).await;
    assert!(ask().await.is_err());
    assert_eq!(refreshed().await, 0);
    once(&h, "refresh_lost", json!({})).await;
    assert!(ask().await.is_err());
    assert_eq!(refreshed().await, 1);
    once(&h, "refresh_hold", json!({})).await;
    let held = tokio::spawn(ask());
    h.until("held", |counters| counters["held"] == 1).await;
    assert_eq!(refreshed().await, 1);
    h.post("release", json!({})).await;
    assert_eq!(held.await.unwrap().unwrap().status().as_u16(), 200);
    assert_eq!(refreshed().await, 2);
    let counters = h.get("counters?detail=true").await;
    assert_eq!((&counters["oauth"]["refreshes"], &counters["oauth"]["refreshesRefused"]), (&json!(9), &json!(6)));
    assert_eq!(counters["refreshesByAccount"], json!({&ig.account: 9}));
    assert_eq!(counters["faultsFired"]["refresh_lost"], 1);
}

#[tokio::test]
async fn finding_out_who_it_is() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let token = h.fb_token(json!({})).await;
    let list = async || h.graph(&format!("facebook-graph/v25.0/me/accounts?access_token={token}")).await;
    once(&h, "accounts_transient", json!({})).await;
    assert_eq!(list().await.status, 500);
    once(&h, "accounts_rate_limit", json!({"code": 80_001})).await;
    let limited = list().await;
    assert_eq!((limited.status, limited.code().0), (400, 80_001));
    assert!(limited.headers.contains_key("x-app-usage"));
    h.fault(json!({"name": "accounts_hang", "count": 1, "accountId": page.account, "params": {"ms": 100}})).await;
    let path = format!("{}/facebook-graph/me/accounts?access_token={token}", h.base);
    assert!(h.http.get(path).send().await.is_err());
    assert_eq!(list().await.status, 200);
    for (host, token) in [("instagram-graph", &ig.token), ("facebook-graph", &token)] {
        let me = async || h.graph(&format!("{host}/v25.0/me?access_token={token}")).await;
        once(&h, "identity_transient", json!({})).await;
        assert_eq!(me().await.status, 500);
        once(&h, "identity_revoked", json!({})).await;
        assert_eq!(me().await.code(), (190, 458));
        assert_eq!(me().await.status, 200);
    }
    once(&h, "permissions_transient", json!({})).await;
    let permissions = async || h.graph(&format!("facebook-graph/me/permissions?access_token={token}")).await.status;
    assert_eq!((permissions().await, permissions().await), (500, 200));
    assert_eq!(h.oauth().await["permissionReads"], 2);
}

#[tokio::test]
async fn subscribing() {
    let h = Harness::start().await;
    let ig = h.pair(json!({"platform": "instagram", "subscribed": false})).await;
    let url = format!("{}/instagram-graph/v25.0/me/subscribed_apps?subscribed_fields=messages", h.base);
    let post = async || -> Reply { h.raw(h.http.post(&url).bearer_auth(&ig.token)).await };
    let list = async || h.raw(h.http.get(&url).bearer_auth(&ig.token)).await.body["data"].clone();
    once(&h, "subscribe_transient", json!({})).await;
    assert_eq!((post().await.status, list().await), (500, json!([])));
    once(&h, "subscribe_dropped", json!({})).await;
    assert_eq!((post().await.body, list().await), (json!({"success": true}), json!([])));
    assert_eq!(post().await.status, 200);
    once(&h, "unsubscribe_transient", json!({})).await;
    let delete = async || h.raw(h.http.delete(&url).bearer_auth(&ig.token)).await.status;
    assert_eq!(delete().await, 500);
    once(&h, "subscription_list_missing", json!({})).await;
    assert_eq!(list().await, Value::Null);
    assert_eq!(list().await.as_array().unwrap().len(), 1);
    assert_eq!((delete().await, list().await), (200, json!([])));
}
