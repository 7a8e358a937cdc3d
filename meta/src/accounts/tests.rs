//! Lists in pages, empty and endless ones; accounts in both shapes; webhooks on and off.
//! Each answer is one that Meta has been seen to give, or one that would do harm if it were believed.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::Asset;
use crate::client::{MetaClient, Settings};

fn client(server: &MockServer) -> MetaClient {
    let settings = Settings {
        facebook_graph_url: format!("{}/fb", server.uri()),
        instagram_graph_url: format!("{}/ig", server.uri()),
        meta_app_id: Some("9".to_owned()),
        ..Settings::default()
    };
    MetaClient::new(settings).unwrap()
}

fn token() -> SecretString {
    "EAAperson".to_owned().into()
}

async fn get(server: &MockServer, at: &str, body: Value) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

#[tokio::test]
async fn the_instagram_account_in_both_shapes() {
    let account =
        json!({"user_id":17841405793187218999_u64,"id":"289","username":"shop","account_type":"Media_Creator"});
    for body in [account.clone(), json!({"data":[account]})] {
        let server = MockServer::start().await;
        get(&server, "/ig/v25.0/me", body).await;
        let found = client(&server).instagram_account(&token()).await.unwrap();
        assert_eq!((found.user_id.as_str(), found.app_scoped_id.as_deref()), ("17841405793187218999", Some("289")));
        assert_eq!((found.account_type.as_deref(), found.name.as_deref()), (Some("MEDIA_CREATOR"), None));
        assert!(found.is_professional());
    }
    let server = MockServer::start().await;
    get(&server, "/ig/v25.0/me", json!({"id":"289"})).await;
    assert!(client(&server).instagram_account(&token()).await.is_err(), "the app-scoped id is not the routing id");
}

#[tokio::test]
async fn pages_are_followed_over_empty_ones_and_never_to_another_host() {
    let server = MockServer::start().await;
    let next = "https://evil.test/v25.0/7/accounts?access_token=STOLEN&limit=100&after=QVFI1";
    let page = |after: Option<&str>, body: Value| {
        let mock = Mock::given(path("/fb/v25.0/me/accounts")).and(query_param("limit", "100"));
        let mock = match after {
            Some(after) => mock.and(query_param("after", after)),
            None => mock.and(query_param_is_missing("after")),
        };
        mock.and(query_param_is_missing("access_token"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .expect(1)
    };
    let one = json!({"id":"1","name":"One","access_token":"EAApage1","tasks":["MESSAGING"],
        "instagram_business_account":{"id":"178","username":"one"}});
    page(None, json!({"data":[one],"paging":{"next":next}})).mount(&server).await;
    let empty = json!({"data":[],"paging":{"cursors":{"after":"QVFI2"},"next":"not an address"}});
    page(Some("QVFI1"), empty).mount(&server).await;
    let rest = json!({"data":[{"id":"2","name":"No token"},{"id":"3","access_token":"EAAperson"},{"id":"1"},{"id":"../x"}],
        "paging":{"cursors":{"after":"QVFI3"}}});
    page(Some("QVFI2"), rest).mount(&server).await;
    let pages = client(&server).pages(&token(), true).await.unwrap();
    let ids: Vec<&str> = pages.iter().map(|page| page.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(pages[0].token.as_ref().unwrap().expose_secret(), "EAApage1");
    assert_eq!(pages[0].instagram.as_ref().unwrap().id, "178");
    assert!(pages[1].token.is_none());
    assert!(pages[2].token.is_none(), "a person's token is no Page's token");
}

#[tokio::test]
async fn a_list_that_does_not_move_ends_with_an_error() {
    let server = MockServer::start().await;
    get(&server, "/fb/v25.0/me/accounts", json!({"data":[],"paging":{"next":"https://x.test/?after=A"}})).await;
    assert!(client(&server).pages(&token(), false).await.is_err());
    let server = MockServer::start().await;
    get(&server, "/fb/v25.0/me/accounts", json!({"success":true})).await;
    assert!(client(&server).pages(&token(), false).await.is_err(), "no list");
}

#[tokio::test]
async fn pages_of_a_portfolio() {
    let server = MockServer::start().await;
    get(&server, "/fb/v25.0/me/accounts", json!({"data":[]})).await;
    get(&server, "/fb/v25.0/me/businesses", json!({"data":[{"id":"50"}]})).await;
    get(&server, "/fb/v25.0/50/owned_pages", json!({"data":[{"id":"1","access_token":"EAApage1"},{"id":"2"}]})).await;
    get(&server, "/fb/v25.0/50/client_pages", json!({"data":[{"id":"1","access_token":"EAApage1"}]})).await;
    get(&server, "/fb/v25.0/2", json!({"id":"2","access_token":"EAApage2"})).await;
    let pages = client(&server).pages(&token(), true).await.unwrap();
    let tokens: Vec<_> = pages.iter().map(|page| page.token.as_ref().unwrap().expose_secret().to_owned()).collect();
    assert_eq!(tokens, ["EAApage1", "EAApage2"]);
    assert!(client(&server).pages(&token(), false).await.unwrap().is_empty(), "not without the permission");
}

#[tokio::test]
async fn a_portfolio_that_may_not_be_read_is_none() {
    let barred = json!({"error":{"message":"(#10) not allowed","type":"OAuthException","code":10}});
    let absent = ResponseTemplate::new(404).set_body_string("<html>Not found</html>");
    for answer in [absent, ResponseTemplate::new(400).set_body_json(barred)] {
        let server = MockServer::start().await;
        get(&server, "/fb/v25.0/me/accounts", json!({"data":[]})).await;
        let asked = Mock::given(method("GET")).and(path("/fb/v25.0/me/businesses"));
        asked.respond_with(answer).expect(1).mount(&server).await;
        assert!(client(&server).pages(&token(), true).await.unwrap().is_empty());
    }
    let server = MockServer::start().await;
    get(&server, "/fb/v25.0/me/accounts", json!({"data":[]})).await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(502)).mount(&server).await;
    assert!(client(&server).pages(&token(), true).await.is_err(), "what passes is tried again");
}

#[tokio::test]
async fn permissions_that_were_declined_are_left_out() {
    let server = MockServer::start().await;
    let body = json!({"data":[{"permission":"pages_messaging","status":"granted"},{"permission":"email","status":"declined"}]});
    get(&server, "/fb/v25.0/me/permissions", body).await;
    assert_eq!(client(&server).granted_permissions(&token()).await.unwrap(), ["pages_messaging"]);
}

#[tokio::test]
async fn webhooks_on_and_off() {
    let server = MockServer::start().await;
    let success = |value: Value| ResponseTemplate::new(200).set_body_json(json!({ "success": value }));
    let (page, instagram) = ("/fb/v25.0/7/subscribed_apps", "/ig/v25.0/me/subscribed_apps");
    let on = Mock::given(method("POST")).and(path(page));
    let fields = "messages,messaging_postbacks,messaging_referrals,message_deliveries,message_reads,message_echoes,message_edits,message_reactions,standby";
    on.and(query_param("subscribed_fields", fields)).respond_with(success(json!(true))).expect(1).mount(&server).await;
    Mock::given(method("DELETE")).and(path(instagram)).respond_with(success(json!("true"))).mount(&server).await;
    Mock::given(method("POST")).and(path(instagram)).respond_with(success(json!(false))).mount(&server).await;
    let client = client(&server);
    client.subscribe(Asset::Page("7"), &token()).await.unwrap();
    client.unsubscribe(Asset::Instagram, &token()).await.unwrap();
    assert!(client.subscribe(Asset::Instagram, &token()).await.is_err(), "not confirmed");
}

#[tokio::test]
async fn whether_webhooks_are_on() {
    let all = Asset::Page("7").fields();
    let named: Vec<_> = all.iter().map(|name| json!({ "name": name })).collect();
    let cases = [
        (json!([{"id":"9","subscribed_fields":all}]), true, true),
        (json!([{"id":9,"subscribed_fields":named}]), true, true),
        (json!([{"id":"9","subscribed_fields":["messages"]}]), false, true),
        (json!([{"id":"9"}]), true, true),
        (json!([{"id":"9","subscribed_fields":["feed"]}]), false, false),
        (json!([{"id":"8","subscribed_fields":all}]), false, false),
        (json!([]), false, false),
    ];
    for (apps, whole, essential) in cases {
        let server = MockServer::start().await;
        get(&server, "/fb/v25.0/7/subscribed_apps", json!({ "data": apps })).await;
        for (needed, expected) in [(all, whole), (Asset::ESSENTIAL, essential)] {
            let found = client(&server).is_subscribed(Asset::Page("7"), &token(), needed).await.unwrap();
            assert_eq!(found, Some(expected), "{apps}");
        }
    }
    let gone = json!({"error":{"message":"Unsupported get request","type":"GraphMethodException","code":100,"error_subcode":33}});
    for (status, body, expected) in [
        (200, json!({"success":true}), Some(None)),
        (404, json!("Not found"), Some(None)),
        (400, gone, Some(None)),
        (502, json!("Bad gateway"), None),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status).set_body_json(&body))
            .mount(&server)
            .await;
        let found = client(&server).is_subscribed(Asset::Page("7"), &token(), Asset::ESSENTIAL).await;
        assert_eq!(found.ok(), expected, "{status} {body}");
    }
}
