//! What ends a token, what a person tells Meta about the app, and what the sandbox shows of it all.
//! Nothing here is told to the program but the two signed requests.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use crate::{
    harness::{Harness, Reply},
    signing::{FB_SECRET, IG_SECRET},
};

async fn ig_me(h: &Harness, token: &str) -> Reply {
    h.graph(&format!("instagram-graph/v25.0/me?access_token={token}")).await
}

#[tokio::test]
async fn tokens_die_in_every_way() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    for (path, subcode) in [("revoke", 458), ("password-change", 460), ("expire", 463)] {
        let token = h.ig_token().await;
        assert_eq!(ig_me(&h, &token).await.status, 200);
        let killed = h.post(path, json!({"accountId": ig.account})).await;
        assert!(killed["tokens"].as_u64().unwrap() >= 2, "{killed}");
        let dead = ig_me(&h, &token).await;
        assert_eq!((dead.status, dead.code()), (400, (190, subcode)));
        assert_eq!(h.ig_refresh(&token).await.code(), (190, subcode));
        let listed = h.get(&format!("tokens?accountId={}", ig.account)).await;
        let last = listed["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["valid"], &last["reason"]), (&json!(false), &json!(format!("190/{subcode}"))));
        // Posting the account's token again gives it a new life.
        assert_ne!(ig_me(&h, &ig.token).await.status, 200);
        h.post("accounts", json!({"id": ig.account, "accessToken": ig.token})).await;
        assert_eq!(ig_me(&h, &ig.token).await.status, 200);
    }
    let person = h.get("people").await["items"][0]["id"].clone();
    for (path, subcode) in [("revoke", 458), ("password-change", 460), ("expire", 463)] {
        let token = h.fb_token(json!({})).await;
        let list = h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
        let page_token = list.body["data"][0]["access_token"].as_str().unwrap().to_owned();
        h.post(path, json!({"personId": person})).await;
        for token in [&token, &page_token] {
            let dead = h.graph(&format!("facebook-graph/v25.0/me?access_token={token}")).await;
            assert_eq!(dead.code(), (190, subcode), "{path}");
            assert!(dead.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
        }
    }
    let granted = h.post("revoke", json!({"accountId": page.account})).await;
    assert_eq!(granted["tokens"], 1, "the one made by hand");
    for (body, status) in [
        (json!({}), 422),
        (json!({"accountId": ig.account, "personId": person}), 422),
        (json!({"accountId": "x"}), 404),
        (json!({"personId": "x"}), 404),
    ] {
        assert_eq!(h.try_post("revoke", &body).await.status, status, "{body}");
    }
    let tokens = h.get(&format!("tokens?personId={}", person.as_str().unwrap())).await;
    let kinds = |kind: &str| tokens["items"].as_array().unwrap().iter().filter(|token| token["kind"] == kind).count();
    assert_eq!((kinds("userShort"), kinds("userLong"), kinds("page"), kinds("fixed")), (3, 3, 3, 0));
}

#[tokio::test]
async fn permissions_removed_later() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    h.dm(&ig, "hello").await;
    h.dm(&page, "hello").await;
    h.post("permissions", json!({"accountId": ig.account, "remove": ["instagram_business_manage_messages"]})).await;
    assert_eq!((h.send(&ig, "hi").await.status, h.send(&ig, "hi").await.code()), (403, (10, 0)));
    assert_eq!(ig_me(&h, &ig.token).await.status, 200);
    let token = h.fb_token(json!({})).await;
    let person = h.get("people").await["items"][0]["id"].clone();
    h.post("permissions", json!({"personId": person, "remove": ["pages_show_list"]})).await;
    let list = h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
    assert_eq!(list.body, json!({"data": []}));
    let granted = h.graph(&format!("facebook-graph/me/permissions?access_token={token}")).await;
    assert!(
        granted.body["data"]
            .as_array()
            .unwrap()
            .contains(&json!({"permission": "pages_show_list", "status": "declined"}))
    );
    assert_eq!(h.send(&page, "hi").await.status, 200);
}

struct Signed {
    payload: Value,
    instagram: bool,
    meta: bool,
}

fn opened(form: &[u8]) -> Signed {
    let form = String::from_utf8(form.to_vec()).unwrap();
    let (signature, payload) = form.strip_prefix("signed_request=").unwrap().split_once('.').unwrap();
    let by = |secret: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(payload.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()) == signature
    };
    let (instagram, meta) = (by(IG_SECRET), by(FB_SECRET));
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    Signed { payload: serde_json::from_str(&text).unwrap_or(Value::String(text)), instagram, meta }
}

#[tokio::test]
async fn a_person_removes_the_app() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let refused = h.try_post("deauthorize", &json!({"accountId": ig.account})).await;
    assert_eq!(refused.status, 422, "no address is set");
    let at = |path: &str| format!("http://{}/{path}", h.receiver.addr);
    let addresses = json!({
        "deauthorizeUrlInstagram": at("ig/out"), "deauthorizeUrlFacebook": at("fb/out"),
        "dataDeletionUrlInstagram": at("ig/delete"), "dataDeletionUrlFacebook": at("fb/delete"),
    });
    h.post("settings", addresses).await;
    let token = h.ig_token().await;
    let user = h.fb_token(json!({})).await;
    h.post("clock", json!({"set": "2026-11-22T10:00:00Z", "freeze": true})).await;
    let scoped = h.get("accounts").await["items"][0]["appScopedId"].clone();
    let person = h.get("people").await["items"][0].clone();
    // What Meta would not send leaves the tokens alone.
    h.post("deauthorize", json!({"accountId": ig.account, "signWith": "wrong"})).await;
    h.post("deauthorize", json!({"accountId": ig.account, "userId": "0"})).await;
    h.post("deauthorize", json!({"accountId": ig.account, "payload": "no json"})).await;
    assert_eq!(ig_me(&h, &token).await.status, 200);
    let got = h.receiver.got();
    let (wrong, zero, raw) = (opened(&got[0].body), opened(&got[1].body), opened(&got[2].body));
    assert!(!wrong.instagram && !wrong.meta && zero.instagram);
    assert_eq!((zero.payload["user_id"].as_str(), raw.payload.as_str()), (Some("0"), Some("no json")));
    let sent = h.post("deauthorize", json!({"accountId": ig.account, "times": 2})).await;
    assert_eq!(sent["results"], json!([{"status": 200, "body": ""}, {"status": 200, "body": ""}]));
    let got = h.receiver.got();
    let signed = opened(&got[3].body);
    assert_eq!((got.len(), got[3].path.as_str(), &got[3].body), (5, "/ig/out", &got[4].body));
    assert!(signed.instagram && !signed.meta);
    let expected = json!({"user_id": scoped, "algorithm": "HMAC-SHA256", "issued_at": 1_795_341_600});
    assert_eq!(signed.payload, expected);
    assert_eq!(ig_me(&h, &token).await.code(), (190, 458));
    // The Page's own id is not what Meta sends: it is the person's, as the app sees them.
    h.receiver.answer(500);
    let sent = h.post("data-deletion", json!({"accountId": page.account, "issuedAt": 5})).await;
    assert_eq!(sent["results"][0]["status"], 500);
    let got = h.receiver.got();
    let signed = opened(&got[5].body);
    assert_eq!(got[5].path, "/fb/delete");
    assert!(signed.meta);
    assert_eq!((&signed.payload["user_id"], &signed.payload["expires"]), (&person["appScopedId"], &json!(3605)));
    let me = async || h.graph(&format!("facebook-graph/v25.0/me?access_token={user}")).await.code();
    assert_eq!(me().await, (0, 0), "a request to delete removes nothing by itself");
    h.post("deauthorize", json!({"personId": person["id"], "signWith": "instagram"})).await;
    assert!(opened(&h.receiver.got()[6].body).instagram);
    assert_eq!(me().await, (190, 458));
    assert_eq!(h.try_post("deauthorize", &json!({})).await.status, 422);
    let other = h.post("deauthorize", json!({"userId": "7", "product": "facebook"})).await;
    assert!(other["signedRequest"].is_string() && h.receiver.got()[7].path == "/fb/out");
}

#[tokio::test]
async fn people_are_made_and_forgotten() {
    let h = Harness::start().await;
    let (page, ig) = (h.page().await, h.instagram().await);
    let everyone = h.get("people").await;
    assert_eq!((&everyone["total"], &everyone["items"][0]["everyPage"]), (&json!(1), &json!(true)));
    assert_eq!(everyone["items"][0]["pages"][0]["id"], page.account.as_str());
    // The first one who is made takes the place of who stood in.
    let made = h.post("people", json!({"id": "ada", "name": "Ada", "pages": [{"id": page.account}]})).await;
    assert_eq!(
        (&made["id"], &made["name"], &made["pages"][0]["withoutToken"]),
        (&json!("ada"), &json!("Ada"), &json!(false))
    );
    assert_eq!(h.get("people").await["total"], 1);
    let page_html = h.raw(h.http.get(format!("{}/sandbox", h.base))).await;
    assert!(page_html.body.as_str().unwrap().contains("People who manage Pages"));
    let changed = h.post("people", json!({"id": "ada", "name": "Ada B"})).await;
    assert_eq!((&changed["appScopedId"], &changed["name"]), (&made["appScopedId"], &json!("Ada B")));
    assert_eq!(changed["pages"].as_array().unwrap().len(), 1);
    for body in [json!({"pages": [{"id": ig.account}]}), json!({"pages": [{"id": page.account, "typo": 1}]})] {
        assert_eq!(h.try_post("people", &body).await.status, 422, "{body}");
    }
    assert_eq!(h.try_post("people", &json!({"pages": [{"id": "x"}]})).await.status, 404);
    let token = h.fb_token(json!({})).await;
    let code = h.ig_code().await;
    h.post("reset", json!({"keepAccounts": true})).await;
    assert_eq!(h.get("people").await["items"][0]["id"], "ada");
    assert_eq!(h.graph(&format!("facebook-graph/me?access_token={token}")).await.status, 200);
    assert_eq!(h.ig_exchange(&code).await.status, 400, "codes do not stay");
    assert_eq!(h.oauth().await["codesIssued"], 0);
    h.post("reset", json!({})).await;
    assert_eq!(h.get("tokens").await, json!({"items": [], "total": 0}));
    assert_eq!(h.get("people").await["items"][0]["name"], "Robin Sandbox");
    assert_eq!(h.graph(&format!("facebook-graph/me?access_token={token}")).await.code(), (190, 0));
}
