//! Instagram Login from the code to the refreshed token: every rule of time and every shape.
//! Codes, texts and statuses are those of the fact sheet.

use serde_json::json;

use crate::{
    harness::Harness,
    signing::{BACK, IG_ID, IG_SECRET},
};

#[tokio::test]
async fn from_the_code_to_the_account() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    let account = h.get("accounts").await["items"][0].clone();
    let code = h.ig_code().await;
    let reply = h.ig_exchange(&code).await;
    // Flat, a bare number, a list, and no lifetime.
    let scoped: u64 = account["appScopedId"].as_str().unwrap().parse().unwrap();
    assert_eq!(reply.body["user_id"], scoped);
    assert!(scoped > 1 << 53);
    assert_eq!(reply.body["permissions"], json!(["instagram_business_basic", "instagram_business_manage_messages"]));
    assert!(reply.body.get("expires_in").is_none());
    let short = reply.token();
    let long = h.ig_long(&short).await;
    let lives = long.body["expires_in"].as_u64().unwrap();
    assert!((5_183_880..5_184_000).contains(&lives), "{lives}");
    assert_eq!(long.body["token_type"], "bearer");
    let token = long.token();
    let fields = "user_id,username,name,account_type,profile_picture_url";
    let me = h.graph(&format!("instagram-graph/v25.0/me?fields={fields}&access_token={token}")).await;
    assert_eq!(
        me.body,
        json!({"id": account["appScopedId"], "user_id": ig.account, "username": "shop", "name": "Shop", "account_type": "BUSINESS"})
    );
    let only = h.raw(h.http.get(format!("{}/instagram-graph/me?fields=user_id", h.base)).bearer_auth(&token)).await;
    assert_eq!(only.body, json!({"id": account["appScopedId"], "user_id": ig.account}));
    assert_eq!(h.graph(&format!("facebook-graph/v25.0/me?access_token={token}")).await.code().0, 190);
    // The token writes too.
    h.dm(&ig, "hello").await;
    let pair = crate::harness::Pair { token, ..ig.clone() };
    assert_eq!(h.send(&pair, "hi").await.status, 200);
    let tokens = h.get(&format!("tokens?accountId={}", ig.account)).await;
    let kinds: Vec<_> = tokens["items"].as_array().unwrap().iter().map(|token| token["kind"].clone()).collect();
    assert_eq!(kinds, ["fixed", "instagramShort", "instagramLong"]);
    let oauth = h.oauth().await;
    for name in ["dialogs", "allowed", "codesIssued", "codeExchanges", "longLived"] {
        assert_eq!(oauth[name], 1, "{name}: {oauth}");
    }
    assert_eq!(oauth["identityReads"], 3);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_an_hour() {
    let h = Harness::start().await;
    h.instagram().await;
    let code = h.ig_code().await;
    let right = [
        ("client_id", IG_ID),
        ("client_secret", IG_SECRET),
        ("grant_type", "authorization_code"),
        ("redirect_uri", BACK),
        ("code", code.as_str()),
    ];
    let differs = "Error validating verification code. Please make sure your redirect_uri is identical to the one you \
                   used in the OAuth dialog request";
    let wrong = [
        (0, "1", "Invalid platform app"),
        (1, "x", "Error validating client secret."),
        (2, "password", "Invalid grant_type"),
        (3, "http://127.0.0.1:9/back/", differs),
        (4, "x", "Matching code was not found or was already used"),
    ];
    for (at, value, expected) in wrong {
        let mut fields = right;
        fields[at].1 = value;
        let reply = h.form("instagram-api/oauth/access_token", &fields).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.body, json!({"error_type": "OAuthException", "code": 400, "error_message": expected}));
    }
    h.ig_exchange(&code).await.token();
    let again = h.ig_exchange(&code).await;
    assert_eq!(again.body["error_message"], "Matching code was not found or was already used");
    let late = h.ig_code().await;
    h.post("clock", json!({"advanceSeconds": 3600})).await;
    assert_eq!(h.ig_exchange(&late).await.status, 400);
    let oauth = h.oauth().await;
    assert_eq!((&oauth["codeExchanges"], &oauth["codeExchangesRefused"]), (&json!(8), &json!(7)));
    // A multipart form, as in the documentation; at the bare origin the app's id decides.
    let code = h.ig_code().await;
    let mut body = String::new();
    for (name, value) in right {
        let value = if name == "code" { &code } else { value };
        body.push_str(&format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str("--b--\r\n");
    let request = h.http.post(format!("{}/oauth/access_token", h.base)).body(body);
    h.raw(request.header("content-type", "multipart/form-data; boundary=b")).await.token();
}

#[tokio::test]
async fn a_short_token_becomes_a_long_one_within_its_hour() {
    let h = Harness::start().await;
    h.instagram().await;
    let short = h.ig_exchange(&h.ig_code().await).await.token();
    let at = |query: String| h.http.get(format!("{}/instagram-graph/access_token?{query}", h.base));
    let ask = format!("grant_type=ig_exchange_token&access_token={short}");
    assert_eq!(h.raw(at(format!("{ask}&client_secret=x"))).await.code().0, 1);
    assert_eq!(h.raw(at(format!("{ask}&client_secret={IG_SECRET}&client_id=1"))).await.code().0, 101);
    h.raw(at(format!("{ask}&client_secret={IG_SECRET}&client_id={IG_ID}"))).await.token();
    let post = h.form("instagram-graph/access_token", &[("grant_type", "ig_exchange_token")]).await;
    assert_eq!(post.body["error"]["type"], "IGApiException");
    h.post("clock", json!({"advanceSeconds": 3600})).await;
    let late = h.ig_long(&short).await;
    assert_eq!((late.status, late.code()), (400, (190, 463)));
    assert!(late.message().starts_with("Error validating access token: Session has expired on "), "{}", late.message());
    assert_eq!(h.oauth().await["longLivedRefused"], 3);
}

#[tokio::test]
async fn refreshing_has_rules() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let token = h.ig_token().await;
    let young = h.ig_refresh(&token).await;
    assert_eq!((young.status, young.code()), (400, (100, 0)));
    assert!(young.message().contains("24 hours"));
    h.days(2).await;
    let reply = h.ig_refresh(&token).await;
    let next = reply.token();
    assert_ne!(next, token);
    assert!((5_183_880..5_184_000).contains(&reply.body["expires_in"].as_u64().unwrap()));
    let listed = h.get(&format!("tokens?accountId={}", ig.account)).await;
    assert_eq!(listed["items"].as_array().unwrap().last().unwrap()["refreshedFrom"], token.as_str());
    // The old one lives on to its own end, and can be refreshed again; a version in the path changes nothing.
    let path = format!("instagram-graph/v25.0/refresh_access_token?grant_type=ig_refresh_token&access_token={token}");
    h.graph(&path).await.token();
    for wrong in [&page.token, &h.ig_exchange(&h.ig_code().await).await.token()] {
        let reply = h.ig_refresh(wrong).await;
        assert_eq!((reply.status, reply.code()), (400, (100, 0)));
        assert_eq!(reply.message(), "Unsupported request - method type: get");
        assert_eq!(reply.body["error"]["type"], "IGApiException");
    }
    assert_eq!(h.ig_refresh("IGAAnobody").await.code(), (190, 0));
    h.post("permissions", json!({"accountId": ig.account, "remove": ["instagram_business_basic"]})).await;
    h.days(2).await;
    assert_eq!(h.ig_refresh(&next).await.message(), "Unsupported request - method type: get");
    let me = h.graph(&format!("instagram-graph/me?access_token={next}")).await;
    assert_eq!((me.status, me.code().0), (403, 10));
    h.days(60).await;
    assert_eq!(h.ig_refresh(&next).await.code(), (190, 463));
    let counters = h.get("counters?detail=true").await;
    assert_eq!(counters["oauth"]["refreshes"], 8);
    assert_eq!(counters["oauth"]["refreshesRefused"], 6);
    assert_eq!(counters["refreshesByAccount"], json!({&ig.account: 6, &page.account: 1}));
}

#[tokio::test]
async fn a_token_may_stay_the_same() {
    let h = Harness::start().await;
    h.instagram().await;
    h.post("settings", json!({"refreshRotates": false, "expiresInDriftSeconds": 0})).await;
    let token = h.ig_token().await;
    h.days(59).await;
    let reply = h.ig_refresh(&token).await;
    assert_eq!((reply.token(), &reply.body["expires_in"]), (token.clone(), &json!(5_184_000)));
    assert!(h.ig_refresh(&token).await.message().contains("24 hours"));
    h.days(59).await;
    h.ig_refresh(&token).await.token();
}

#[tokio::test]
async fn a_token_made_by_hand_does_not_expire() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.days(400).await;
    assert_eq!(h.graph(&format!("instagram-graph/me?access_token={}", ig.token)).await.status, 200);
    let fresh = h.ig_refresh(&ig.token).await.token();
    h.days(61).await;
    assert_eq!(h.graph(&format!("instagram-graph/me?access_token={fresh}")).await.code(), (190, 463));
    assert_eq!(h.graph(&format!("instagram-graph/me?access_token={}", ig.token)).await.status, 200);
}

#[tokio::test]
async fn every_shape_of_instagram() {
    let h = Harness::start().await;
    let account = json!({
        "platform": "instagram", "username": "shop", "accountType": "MEDIA_CREATOR", "picture": "http://127.0.0.1:9/p.png",
    });
    let ig = h.pair(account).await;
    let all = format!("fields=user_id,name,account_type,profile_picture_url&access_token={}", ig.token);
    let me = async || h.graph(&format!("instagram-graph/v25.0/me?{all}")).await.body;
    assert_eq!(me().await["account_type"], "MEDIA_CREATOR");
    assert_eq!(me().await["profile_picture_url"], "http://127.0.0.1:9/p.png");
    for (casing, expected) in [("lower", "media_creator"), ("title", "Media_Creator"), ("as", "MEDIA_CREATOR")] {
        h.post("settings", json!({"accountTypeCasing": casing})).await;
        assert_eq!(me().await["account_type"], expected);
    }
    h.post("settings", json!({"identityWithoutName": true})).await;
    assert!(me().await.get("name").is_none() && me().await.get("profile_picture_url").is_none());
    h.post("settings", json!({"instagramDataEnvelope": true})).await;
    assert_eq!(me().await["data"][0]["user_id"], ig.account.as_str());
    let exchanged = async || h.ig_exchange(&h.ig_code().await).await.body;
    let one = exchanged().await["data"][0].clone();
    assert!(one["user_id"].is_string() && one["access_token"].is_string());
    assert_eq!(one["permissions"], "instagram_business_basic,instagram_business_manage_messages");
    h.post("settings", json!({"instagramIdsAsNumbers": true, "permissionsAsArray": true})).await;
    assert!(me().await["data"][0]["user_id"].is_u64());
    let one = exchanged().await["data"][0].clone();
    assert!(one["user_id"].is_u64() && one["permissions"].is_array());
    let plain = json!({
        "instagramDataEnvelope": false, "instagramIdsAsNumbers": false, "permissionsAsArray": false,
    });
    h.post("settings", plain).await;
    let one = exchanged().await;
    assert!(one["user_id"].is_string() && one["permissions"].is_string());
    let bad = h.try_post("accounts", &json!({"platform": "instagram", "accountType": "ROBOT"})).await;
    assert_eq!(bad.status, 422);
}
