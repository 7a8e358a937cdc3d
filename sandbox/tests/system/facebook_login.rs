//! Facebook Login from the code to the Pages: tokens of two lives, lists in pieces, portfolios, debug_token.
//! Codes, texts and statuses are those of the fact sheet.

use serde_json::{Value, json};

use crate::{
    harness::{Harness, Reply},
    signing::{BACK, FB_ID, FB_SECRET, IG_ID, IG_SECRET},
};

fn ids(reply: &Reply) -> Vec<String> {
    let data = reply.body["data"].as_array().unwrap_or_else(|| panic!("{}", reply.body));
    data.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn from_the_code_to_the_pages() {
    let h = Harness::start().await;
    let page = h.page().await;
    let linked = h
        .post(
            "accounts",
            json!({"platform": "instagram", "login": "facebook", "username": "shop", "pageId": page.account}),
        )
        .await;
    let code = h.fb_code().await;
    let reply = h.fb_exchange(&code).await;
    assert_eq!((&reply.body["token_type"], &reply.body["expires_in"]), (&json!("bearer"), &json!(3600)));
    let long = h.fb_long(&reply.token()).await;
    assert!((5_183_880..5_184_000).contains(&long.body["expires_in"].as_u64().unwrap()));
    let token = long.token();
    let fields =
        "id,name,access_token,category,tasks,picture%7Burl%7D,instagram_business_account%7Bid,username,name%7D";
    let list = h.graph(&format!("facebook-graph/v25.0/me/accounts?fields={fields}&access_token={token}")).await;
    let first = &list.body["data"][0];
    assert_eq!((&first["id"], &first["name"]), (&json!(page.account), &json!("Page")));
    let expected = json!({"id": linked["id"], "username": "shop", "name": "Shop"});
    assert_eq!(first["instagram_business_account"], expected);
    assert!(first["tasks"].as_array().unwrap().contains(&json!("MODERATE")));
    assert!(list.body["paging"].get("next").is_none());
    let page_token = first["access_token"].as_str().unwrap();
    assert_ne!(page_token, page.token);
    h.dm(&page, "hello").await;
    let pair = crate::harness::Pair { token: page_token.to_owned(), ..page.clone() };
    assert_eq!(h.send(&pair, "hi").await.status, 200);
    assert_eq!(h.send(&crate::harness::Pair { token: token.clone(), ..page.clone() }, "hi").await.code().0, 210);
    let usual = h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
    let keys: Vec<_> = usual.body["data"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["access_token", "category", "category_list", "id", "name", "tasks"]);
    assert_eq!(usual.body["data"][0]["access_token"], page_token, "the same as before");
    let person = h.get("people").await["items"][0].clone();
    let me = h.raw(h.http.get(format!("{}/facebook-graph/v25.0/me", h.base)).bearer_auth(&token)).await;
    assert_eq!(me.body, json!({"id": person["appScopedId"], "name": "Robin Sandbox"}));
    assert_ne!(person["appScopedId"], person["id"]);
    // A Page by its id, with either token; the linked account too.
    for who in [&token, page_token] {
        let fields = "access_token,instagram_business_account";
        let read = h.graph(&format!("facebook-graph/v25.0/{}?fields={fields}&access_token={who}", page.account)).await;
        let expected = json!({
            "id": page.account, "access_token": page_token, "instagram_business_account": {"id": linked["id"]},
        });
        assert_eq!(read.body, expected);
        let id = linked["id"].as_str().unwrap();
        let read = h.graph(&format!("facebook-graph/v25.0/{id}?fields=id,username&access_token={who}")).await;
        assert_eq!(read.body, json!({"id": id, "username": "shop"}));
    }
    assert_eq!(h.graph(&format!("facebook-graph/v25.0/me?fields=a%7B&access_token={token}")).await.code().0, 2500);
}

#[tokio::test]
async fn refused_exchanges() {
    let h = Harness::start().await;
    h.page().await;
    let code = h.fb_code().await;
    let ask = async |id: &str, secret: &str, back: &str, code: &str| {
        let query = format!("client_id={id}&client_secret={secret}&redirect_uri={back}&code={code}");
        h.graph(&format!("facebook-graph/v25.0/oauth/access_token?{query}")).await
    };
    assert_eq!(ask("1", FB_SECRET, BACK, &code).await.code(), (101, 0));
    assert_eq!(ask(FB_ID, "x", BACK, &code).await.code(), (1, 0));
    assert_eq!(ask(FB_ID, FB_SECRET, "http://127.0.0.1:9/other", &code).await.code(), (100, 36_008));
    assert_eq!(ask(FB_ID, FB_SECRET, "", &code).await.code(), (100, 36_008));
    assert_eq!(ask(FB_ID, FB_SECRET, "https://example.test/", &code).await.code(), (191, 0));
    assert_eq!(ask(FB_ID, FB_SECRET, BACK, "nonsense").await.code(), (100, 0));
    let form = [("client_id", FB_ID), ("client_secret", FB_SECRET), ("redirect_uri", BACK), ("code", &code)];
    h.form("facebook-graph/oauth/access_token", &form).await.token();
    let again = ask(FB_ID, FB_SECRET, BACK, &code).await;
    assert_eq!((again.status, again.code()), (400, (100, 36_009)));
    assert_eq!(
        again.headers["www-authenticate"],
        "OAuth \"Facebook Platform\" \"invalid_code\" \"This authorization code has been used.\""
    );
    let late = h.fb_code().await;
    h.post("clock", json!({"advanceSeconds": 600})).await;
    assert_eq!(h.fb_exchange(&late).await.code(), (100, 36_007));
    assert_eq!(h.fb_long("x").await.code(), (190, 0));
    let short = h.fb_exchange(&h.fb_code().await).await.token();
    h.post("clock", json!({"advanceSeconds": 3600})).await;
    assert_eq!(h.fb_long(&short).await.code(), (190, 463));
    h.post("settings", json!({"codeExchangeWithoutExpiresIn": true})).await;
    assert!(h.fb_exchange(&h.fb_code().await).await.body.get("expires_in").is_none());
    h.post("settings", json!({"codeExchangeWithoutExpiresIn": false, "codeExchangeLongLived": true})).await;
    assert!(h.fb_exchange(&h.fb_code().await).await.body["expires_in"].as_u64().unwrap() > 5_000_000);
    let app = format!("client_id={FB_ID}&client_secret={FB_SECRET}&grant_type=client_credentials");
    let app = h.graph(&format!("facebook-graph/oauth/access_token?{app}")).await.token();
    assert!(app.starts_with(&format!("{FB_ID}|")));
}

#[tokio::test]
async fn page_tokens_live_as_their_parent() {
    let h = Harness::start().await;
    let page = h.page().await;
    let short = h.fb_exchange(&h.fb_code().await).await.token();
    let long = h.fb_long(&short).await.token();
    let page_token = async |user: &str| {
        let list = h.graph(&format!("facebook-graph/me/accounts?access_token={user}")).await;
        list.body["data"][0]["access_token"].as_str().unwrap().to_owned()
    };
    let (brief, lasting) = (page_token(&short).await, page_token(&long).await);
    h.days(61).await;
    let me = async |token: &str| h.graph(&format!("facebook-graph/v25.0/me?access_token={token}")).await.code();
    assert_eq!(me(&brief).await, (190, 463));
    assert_eq!(me(&long).await, (190, 463));
    assert_eq!(me(&lasting).await, (0, 0));
    let person = h.get("people").await["items"][0]["id"].clone();
    h.post("password-change", json!({"personId": person})).await;
    assert_eq!(me(&lasting).await, (190, 460));
    assert_eq!(me(&page.token).await, (0, 0), "a token made by hand is nobody's");
    let again = page_token(&h.fb_token(json!({})).await).await;
    h.post("people", json!({"id": person, "pages": []})).await;
    assert_eq!(me(&again).await, (190, 492));
}

#[tokio::test]
async fn lists_come_in_pieces() {
    let h = Harness::start().await;
    let mut pages = Vec::new();
    for _ in 0..5 {
        pages.push(h.page().await.account);
    }
    let token = h.fb_token(json!({})).await;
    h.post("settings", json!({"accountsPerPage": 2, "emptyAccountPages": 2})).await;
    let mut next = Some(format!("{}/facebook-graph/v25.0/me/accounts?fields=id&access_token={token}", h.base));
    let mut sizes = Vec::new();
    let mut seen = Vec::new();
    while let Some(url) = next {
        let reply = h.raw(h.http.get(&url)).await;
        let found = ids(&reply);
        sizes.push(found.len());
        seen.extend(found);
        assert!(reply.body["paging"]["cursors"]["after"].is_string());
        next = reply.body["paging"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!((sizes, seen), (vec![2, 0, 0, 2, 1], pages));
    let all = h.graph(&format!("facebook-graph/v25.0/me/accounts?limit=100&access_token={token}")).await;
    assert_eq!(ids(&all).len(), 5);
    let bad = h.graph(&format!("facebook-graph/v25.0/me/accounts?after=x&access_token={token}")).await;
    assert_eq!(bad.code().0, 100);
    assert_eq!(h.oauth().await["accountLists"], 7);
}

#[tokio::test]
async fn pages_behind_a_portfolio() {
    let h = Harness::start().await;
    let (own, held, client) = (h.page().await.account, h.page().await.account, h.page().await.account);
    let pages = json!([
        {"id": own, "withoutToken": true, "tasks": ["ANALYZE"]}, {"id": held, "portfolioOnly": true},
        {"id": client, "clientPage": true},
    ]);
    let person = h.post("people", json!({"name": "Ada", "pages": pages})).await;
    assert_eq!(person["pages"][0]["tasks"], json!(["ANALYZE"]));
    assert_eq!(h.get("people").await["total"], 1);
    let token = h.fb_token(json!({})).await;
    let list = async |token: &str| h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
    let found = list(&token).await;
    assert_eq!(ids(&found), [own.as_str()]);
    assert!(found.body["data"][0].get("access_token").is_none());
    let refused = h.graph(&format!("facebook-graph/me/businesses?access_token={token}")).await;
    assert_eq!(refused.code().0, 10);
    // By its id a granted Page can be read all the same.
    let read = h.graph(&format!("facebook-graph/v25.0/{held}?fields=access_token&access_token={token}")).await;
    assert!(read.body["access_token"].is_string());
    let read = h.graph(&format!("facebook-graph/v25.0/{own}?fields=access_token&access_token={token}")).await;
    assert_eq!(read.body, json!({"id": own}));
    h.post("settings", json!({"accountsNeedBusinessManagement": true})).await;
    assert_eq!(list(&token).await.body, json!({"data": []}));
    h.post("settings", json!({"accountsNeedBusinessManagement": false})).await;
    let dialog = h.fb_dialog().replace("&scope=", "&scope=business_management,");
    let code = h.consent(&dialog, json!({"personId": person["id"]})).await["code"].as_str().unwrap().to_owned();
    let token = h.fb_exchange(&code).await.token();
    assert_eq!(ids(&list(&token).await).len(), 3);
    let businesses = h.graph(&format!("facebook-graph/v25.0/me/businesses?access_token={token}")).await;
    let business = ids(&businesses)[0].clone();
    for (edge, expected) in [("owned_pages", &held), ("client_pages", &client)] {
        let found = h.graph(&format!("facebook-graph/v25.0/{business}/{edge}?access_token={token}")).await;
        assert_eq!(ids(&found), [expected.as_str()], "{edge}");
        assert!(found.body["data"][0]["access_token"].is_string());
    }
    assert_eq!(h.graph(&format!("facebook-graph/1/owned_pages?access_token={token}")).await.code(), (100, 33));
}

#[tokio::test]
async fn tokens_looked_at() {
    let h = Harness::start().await;
    let (page, ig) = (h.page().await, h.instagram().await);
    let token = h.fb_token(json!({})).await;
    let app = format!("{FB_ID}%7C{FB_SECRET}");
    let debug = async |input: &str, viewer: &str| {
        h.graph(&format!("facebook-graph/v25.0/debug_token?input_token={input}&access_token={viewer}")).await
    };
    let seen = debug(&token, &app).await.body["data"].clone();
    assert_eq!((&seen["type"], &seen["is_valid"], &seen["app_id"]), (&json!("USER"), &json!(true), &json!(FB_ID)));
    assert!(seen["issued_at"].is_u64() && seen["expires_at"].as_u64().unwrap() > 0);
    assert!(seen["data_access_expires_at"].as_u64().unwrap() > seen["expires_at"].as_u64().unwrap());
    let granular: Vec<Value> = seen["granular_scopes"].as_array().unwrap().clone();
    assert!(granular.contains(&json!({"scope": "pages_show_list", "target_ids": [page.account]})));
    let seen = debug(&page.token, &token).await.body["data"].clone();
    assert_eq!(
        (&seen["type"], &seen["expires_at"], &seen["profile_id"]),
        (&json!("PAGE"), &json!(0), &json!(page.account))
    );
    assert_eq!(debug("garbage", &app).await.body["data"]["is_valid"], false);
    let foreign = debug(&ig.token, &app).await;
    assert_eq!((foreign.status, foreign.code()), (400, (100, 0)));
    assert_eq!(foreign.message(), "(#100) The App_id in the input_token did not match the Viewing App");
    assert_eq!(debug(&token, &format!("{FB_ID}%7Cwrong")).await.code().0, 190);
    assert_eq!(debug(&token, &format!("{IG_ID}%7C{IG_SECRET}")).await.code().0, 100);
    let person = h.get("people").await["items"][0]["id"].clone();
    h.post("revoke", json!({"personId": person})).await;
    let dead = debug(&token, &app).await;
    assert_eq!(dead.status, 200);
    assert_eq!(dead.body["data"]["is_valid"], false);
    assert_eq!(
        (&dead.body["data"]["error"]["code"], &dead.body["data"]["error"]["subcode"]),
        (&json!(190), &json!(458))
    );
    assert_eq!(h.oauth().await["debugTokens"], 7);
}

#[tokio::test]
async fn permissions_are_shown_and_taken_back() {
    let h = Harness::start().await;
    h.page().await;
    let token = h.fb_token(json!({"scopes": ["pages_show_list", "pages_messaging"]})).await;
    let delete = |path: &str| h.http.delete(format!("{}/facebook-graph/v25.0/{path}", h.base)).bearer_auth(&token);
    let list = async || h.graph(&format!("facebook-graph/v25.0/me/permissions?access_token={token}")).await;
    let status = |reply: &Reply, name: &str| {
        let all = reply.body["data"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["permission"] == name).map(|one| one["status"].clone())
    };
    assert_eq!(status(&list().await, "pages_messaging"), Some(json!("granted")));
    assert_eq!(status(&list().await, "instagram_basic"), Some(json!("declined")));
    assert_eq!(h.raw(delete("me/permissions/pages_messaging")).await.body, json!({"success": true}));
    assert_eq!(status(&list().await, "pages_messaging"), Some(json!("declined")));
    h.post("settings", json!({"successAsString": true})).await;
    let person = h.get("people").await["items"][0]["appScopedId"].as_str().unwrap().to_owned();
    assert_eq!(h.raw(delete(&format!("{person}/permissions"))).await.body, json!({"success": "true"}));
    let gone = list().await;
    assert_eq!((gone.status, gone.code()), (400, (190, 458)));
    assert_eq!(h.oauth().await["revocations"], 2);
}

#[tokio::test]
async fn proofs_are_demanded_of_facebook() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.page().await;
    let token = h.fb_token(json!({})).await;
    h.post("settings", json!({"requireAppsecretProof": true})).await;
    for path in ["me", "me/accounts", "me/permissions", "me/businesses"] {
        let reply = h.graph(&format!("facebook-graph/v25.0/{path}?access_token={token}")).await;
        assert_eq!((reply.status, &reply.body["error"]["type"]), (400, &json!("GraphMethodException")), "{path}");
    }
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(FB_SECRET.as_bytes()).unwrap();
    hmac::Mac::update(&mut mac, token.as_bytes());
    let proof = hex::encode(hmac::Mac::finalize(mac).into_bytes());
    let path = format!("facebook-graph/v25.0/me/accounts?access_token={token}&appsecret_proof={proof}");
    assert_eq!(h.graph(&path).await.status, 200);
    assert_eq!(h.graph(&format!("instagram-graph/me?access_token={}", ig.token)).await.status, 200);
}
