//! The dialogs as a browser without script sees them: the page, its form, and where it leads.
//! The control interface's consent does the same without the page.

use serde_json::{Value, json};

use crate::{
    harness::Harness,
    signing::{BACK, FB_ID, FB_SCOPE, IG_ID, IG_SCOPE, code_in},
};

async fn page(h: &Harness, url: &str) -> (u16, String) {
    let reply = h.raw(h.http.get(url)).await;
    let text = reply.body.as_str().map_or_else(|| reply.body.to_string(), str::to_owned);
    (reply.status, text)
}

fn location(reply: &crate::harness::Reply) -> &str {
    assert_eq!(reply.status, 302, "{}", reply.body);
    reply.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn facebook_in_a_browser() {
    let h = Harness::start().await;
    let (one, two) = (h.page().await, h.page().await);
    let (status, html) = page(&h, &h.fb_dialog()).await;
    assert_eq!(status, 200);
    for id in ["person", "allow", "deny", "scope-pages_messaging"] {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}: {html}");
    }
    for pair in [&one, &two] {
        let boxed = format!("id=\"account-{0}\" name=\"accounts\" value=\"{0}\" checked", pair.account);
        assert!(html.contains(&boxed), "{html}");
    }
    assert!(html.contains("action=\"/facebook-web/v25.0/dialog/oauth\"") && !html.contains("<script"));
    let person = h.get("people").await["items"][0]["id"].as_str().unwrap().to_owned();
    let fields = [
        ("client_id", FB_ID),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", FB_SCOPE),
        ("state", "a&b c"),
        ("person", &person),
        ("shown", &person),
        ("accounts", &two.account),
        ("scopes", "pages_show_list"),
        ("scopes", "pages_messaging"),
        ("decision", "allow"),
    ];
    let reply = h.form("facebook-web/v25.0/dialog/oauth", &fields).await;
    let to = location(&reply);
    assert!(to.starts_with(&format!("{BACK}?code=AQ")) && to.ends_with("&state=a%26b+c#_=_"), "{to}");
    let token = h.fb_exchange(&code_in(to)).await.token();
    let pages = h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
    assert_eq!(pages.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(pages.body["data"][0]["id"], two.account.as_str());
    let granted = h.graph(&format!("facebook-graph/me/permissions?access_token={token}")).await;
    let of = |status: &str| {
        let all = granted.body["data"].as_array().unwrap().clone();
        all.into_iter().filter(|one| one["status"] == status).count()
    };
    assert_eq!((of("granted"), of("declined")), (3, 4), "{}", granted.body);
    let denied = [&fields[..10], &[("decision", "deny")]].concat();
    let reply = h.form("facebook-web/dialog/oauth", &denied).await;
    let expected = "error=access_denied&error_code=200&error_description=Permissions+error&error_reason=user_denied";
    assert_eq!(location(&reply), format!("{BACK}?{expected}&state=a%26b+c#_=_"));
    let oauth = h.oauth().await;
    assert_eq!((&oauth["dialogs"], &oauth["allowed"], &oauth["denied"]), (&json!(1), &json!(1), &json!(1)));
}

#[tokio::test]
async fn another_person_has_other_pages() {
    let h = Harness::start().await;
    let (one, two) = (h.page().await, h.page().await);
    h.post("people", json!({"id": "p1", "name": "Ada <b>", "pages": [{"id": one.account}]})).await;
    h.post("people", json!({"id": "p2", "name": "Bob", "pages": [{"id": two.account}]})).await;
    let (_, html) = page(&h, &h.fb_dialog()).await;
    assert!(html.contains("Ada &lt;b&gt;") && html.contains("id=\"switch\""));
    assert!(html.contains(&one.account) && !html.contains(&two.account));
    let fields = |decision| {
        [
            ("client_id", FB_ID),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", FB_SCOPE),
            ("person", "p2"),
            ("shown", "p1"),
            ("scopes", "pages_show_list"),
            ("decision", decision),
        ]
    };
    let reply = h.form("facebook-web/dialog/oauth", &fields("switch")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.as_str().unwrap().contains(&format!("account-{}", two.account)));
    // Allowed at once, the boxes of somebody else do not count.
    let reply = h.form("facebook-web/dialog/oauth", &fields("allow")).await;
    let token = h.fb_exchange(&code_in(location(&reply))).await.token();
    let pages = h.graph(&format!("facebook-graph/me/accounts?access_token={token}")).await;
    assert_eq!(pages.body["data"][0]["id"], two.account.as_str());
}

#[tokio::test]
async fn instagram_in_a_browser() {
    let h = Harness::start().await;
    let (status, html) = page(&h, &h.ig_dialog()).await;
    assert!(status == 200 && html.contains("id=\"empty\"") && html.contains("value=\"allow\" disabled"));
    let ig = h.instagram().await;
    let (_, html) = page(&h, &h.ig_dialog().replace("instagram-web", "instagram-api")).await;
    assert!(html.contains("id=\"account\"") && html.contains("@shop"), "{html}");
    let fields = |decision| {
        [
            ("client_id", IG_ID),
            ("redirect_uri", "http://127.0.0.1:9/back?x=1"),
            ("response_type", "code"),
            ("scope", IG_SCOPE),
            ("state", "s"),
            ("account", ig.account.as_str()),
            ("decision", decision),
        ]
    };
    let reply = h.form("instagram-web/oauth/authorize", &fields("allow")).await;
    let to = location(&reply);
    assert!(to.starts_with("http://127.0.0.1:9/back?x=1&code=AQ") && to.ends_with("&state=s#_"), "{to}");
    let reply = h.form("instagram-api/oauth/authorize", &fields("deny")).await;
    let expected = "error=access_denied&error_reason=user_denied&error_description=The+user+denied+your+request";
    assert_eq!(location(&reply), format!("http://127.0.0.1:9/back?x=1&{expected}&state=s"));
}

#[tokio::test]
async fn wrong_dialogs_stay_with_meta() {
    let h = Harness::start().await;
    h.instagram().await;
    let cases = [
        ("client_id", "1", "Invalid App ID", "Invalid platform app"),
        ("redirect_uri", "https://example.test/", "URL Blocked", "Invalid redirect_uri"),
        ("response_type", "", "Invalid response_type", "Invalid response_type"),
        ("response_type", "token", "Invalid response_type", "Invalid response_type"),
        ("scope", "business_basic", "Invalid Scopes: business_basic", "Invalid scope: [business_basic]"),
        ("scope", "", "Invalid Scopes", "Invalid scope: []"),
    ];
    for (name, value, facebook, instagram) in cases {
        for (dialog, expected) in [(h.fb_dialog(), facebook), (h.ig_dialog(), instagram)] {
            let mut url = reqwest::Url::parse(&dialog).unwrap();
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            url.query_pairs_mut().clear().extend_pairs(pairs.iter().filter(|(key, _)| key != name));
            if !value.is_empty() {
                url.query_pairs_mut().append_pair(name, value);
            }
            let (status, text) = page(&h, url.as_str()).await;
            assert!(status == 400 && text.contains(expected), "{url}: {text}");
            let refused = h.try_post("consent", &json!({"authUrl": url.as_str()})).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
        }
    }
    let registered = json!({"metaRedirectUris": ["https://shop.example.test/back"], "instagramRedirectUris": []});
    h.post("settings", registered).await;
    assert_eq!(page(&h, &h.fb_dialog()).await.0, 400);
    assert_eq!(page(&h, &h.ig_dialog()).await.0, 400);
    assert_eq!(page(&h, &h.fb_dialog().replace(BACK, "https://shop.example.test/back")).await.0, 200);
    assert_eq!(page(&h, &h.fb_dialog().replace(BACK, "https://shop.example.test/back/")).await.0, 400);
}

#[tokio::test]
async fn all_or_nothing() {
    let h = Harness::start().await;
    let page_pair = h.page().await;
    let dialog = h.fb_dialog().replace(&format!("&scope={FB_SCOPE}"), "&config_id=77");
    let (_, html) = page(&h, &dialog).await;
    assert!(html.contains("id=\"scope-pages_messaging\"") && !html.contains("name=\"scopes\""));
    assert!(html.contains("name=\"config_id\" value=\"77\""));
    let scopes = async |more: Value| {
        let code = h.consent(&dialog, more).await["code"].as_str().unwrap().to_owned();
        h.fb_exchange(&code).await.token();
        h.get("people").await["items"][0]["grantedScopes"].as_array().unwrap().len()
    };
    assert_eq!(scopes(json!({})).await, 8);
    assert_eq!(scopes(json!({"scopes": ["pages_show_list"]})).await, 1);
    h.post("settings", json!({"loginForBusiness": true, "loginForBusinessScopes": ["pages_messaging"]})).await;
    assert_eq!(scopes(json!({})).await, 2);
    let (_, html) = page(&h, &h.fb_dialog()).await;
    assert!(!html.contains("name=\"scopes\"") && html.contains(&page_pair.account));
}

#[tokio::test]
async fn consent_by_request_is_checked() {
    let h = Harness::start().await;
    let (ig, fb) = (h.instagram().await, h.page().await);
    let done = h.consent(&h.ig_dialog(), json!({"accountId": ig.account, "decision": "deny"})).await;
    assert!(done["code"].is_null() && done["redirectTo"].as_str().unwrap().contains("error_reason=user_denied"));
    let done = h.consent(&h.fb_dialog(), json!({"accounts": [fb.account]})).await;
    let to = done["redirectTo"].as_str().unwrap();
    assert_eq!(code_in(to), done["code"].as_str().unwrap());
    assert!(to.ends_with("#_=_"));
    h.post("people", json!({"id": "nobody", "pages": []})).await;
    let bad = [
        (json!({"authUrl": "nonsense"}), 422),
        (json!({"authUrl": format!("{}/v25.0/me", h.base)}), 422),
        (json!({"authUrl": h.fb_dialog(), "personId": "x"}), 404),
        (json!({"authUrl": h.ig_dialog(), "accountId": "x"}), 404),
        (json!({"authUrl": h.ig_dialog(), "accountId": fb.account}), 422),
        (json!({"authUrl": h.fb_dialog(), "accounts": ["x"]}), 404),
        (json!({"authUrl": h.fb_dialog(), "personId": "nobody", "accounts": [fb.account]}), 422),
        (json!({"authUrl": h.fb_dialog(), "scopes": ["email"]}), 422),
        (json!({"authUrl": h.fb_dialog(), "typo": 1}), 422),
    ];
    for (body, status) in bad {
        let reply = h.try_post("consent", &body).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.body);
    }
}
