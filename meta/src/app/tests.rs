//! What Meta says of the app in all its forms, and that no answer, however it is worded, makes the secret show.
//! The head of an answer is read whatever its status.

use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{AppSubscription, Probe};
use crate::class::{ErrorClass, Operation, classify};
use crate::client::{MetaClient, Settings};
use crate::error::Cause;
use crate::oauth::{App, Login};

/// Short and without digits, so that nothing but the secret's own text gives it away.
const SECRET: &str = "gibberish";

fn client(server: &MockServer) -> MetaClient {
    let settings = Settings {
        facebook_graph_url: format!("{}/fb", server.uri()),
        instagram_graph_url: format!("{}/ig", server.uri()),
        meta_app_id: Some("9".into()),
        meta_app_secret: Some(SecretString::from(SECRET)),
        ..Settings::default()
    };
    MetaClient::new(settings).unwrap()
}

fn app() -> App {
    App { id: "9".into(), secret: SECRET.to_owned().into() }
}

async fn get(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(server).await;
}

fn says(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

#[tokio::test]
async fn an_app_is_known_by_its_own_token() {
    let server = MockServer::start().await;
    let token = format!("9|{SECRET}");
    Mock::given(method("GET"))
        .and(path("/fb/v25.0/debug_token"))
        .and(header("authorization", format!("Bearer {token}")))
        .and(query_param("input_token", token))
        .respond_with(says(200, json!({"data":{"app_id":9,"type":"APP","application":"Shop","is_valid":true}})))
        .expect(1)
        .mount(&server)
        .await;
    let found = client(&server).app_identity(&app()).await.unwrap();
    assert_eq!((found.id.as_str(), found.name.as_deref()), ("9", Some("Shop")));
}

#[tokio::test]
async fn a_wrong_secret_is_a_fault_of_the_app_and_never_shows() {
    let message = format!("Error validating {SECRET} of 9|{SECRET}");
    let refused = [
        says(400, json!({"error":{"code":190,"message":message,"type":"OAuthException"}})),
        says(400, json!({"error":{"code":101,"message":message}})),
        says(200, json!({"data":{"is_valid":false,"error":{"code":190,"message":message}}})),
    ];
    for answer in refused {
        let server = MockServer::start().await;
        get(&server, "/fb/v25.0/debug_token", answer.clone()).await;
        get(&server, "/fb/v25.0/9/subscriptions", answer).await;
        let client = client(&server);
        let error = client.app_identity(&app()).await.unwrap_err();
        assert_eq!(classify(Operation::ReadApp, &error).class, ErrorClass::AppConfiguration, "{error}");
        for error in [error, client.app_subscriptions(&app()).await.unwrap_err()] {
            assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_an_app_is_none() {
    for body in [json!({}), json!({"data":{"is_valid":true}}), json!({"data":{"app_id":"9","is_valid":false}})] {
        let server = MockServer::start().await;
        get(&server, "/fb/v25.0/debug_token", says(200, body.clone())).await;
        assert_eq!(client(&server).app_identity(&app()).await.unwrap_err().cause, Cause::NotJson, "{body}");
    }
    let server = MockServer::start().await;
    let address = server.uri();
    let client = client(&server);
    drop(server);
    let error = client.app_identity(&app()).await.unwrap_err();
    assert!(!error.to_string().contains(SECRET) && !error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn the_subscriptions_of_an_app() {
    let server = MockServer::start().await;
    let data = json!([
        {"object":"page","callback_url":"https://a.test/p","active":true,"fields":[{"name":"messages","version":"v25.0"}]},
        {"object":"instagram","callback_url":"https://a.test/i","active":false,"fields":["messages","standby"]},
        {"object":"user"},
        {"callback_url":"https://a.test/no-object"},
    ]);
    get(&server, "/fb/v25.0/9/subscriptions", says(200, json!({ "data": data }))).await;
    let found = client(&server).app_subscriptions(&app()).await.unwrap();
    let of = |object: &str, url: Option<&str>, active, fields: &[&str]| AppSubscription {
        object: object.to_owned(),
        callback_url: url.map(str::to_owned),
        active,
        fields: fields.iter().map(|name| (*name).to_owned()).collect(),
    };
    let expected = [
        of("page", Some("https://a.test/p"), true, &["messages"]),
        of("instagram", Some("https://a.test/i"), false, &["messages", "standby"]),
        of("user", None, true, &[]),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_head_of_an_answer_is_read_whatever_its_status() {
    for status in [200, 400, 502] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status)
            .set_body_string("<html>")
            .insert_header("facebook-api-version", "v21.0")
            .insert_header("date", "Mon, 26 Jan 2026 00:00:00 GMT");
        Mock::given(path("/ig/v25.0/me"))
            .and(query_param_is_missing("access_token"))
            .and(query_param_is_missing("appsecret_proof"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let found = client(&server).probe(Login::Instagram).await.unwrap();
        assert_eq!(found, Probe { version: Some("v21.0".to_owned()), at: Some(1_769_385_600_000) });
    }
    let server = MockServer::start().await;
    get(&server, "/fb/v25.0/me", says(400, json!({})).insert_header("date", "yesterday")).await;
    assert_eq!(client(&server).probe(Login::Facebook).await.unwrap(), Probe { version: None, at: None });
}
