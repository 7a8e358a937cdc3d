//! Exchange and refresh against a server that answers as Meta does, in both shapes, and as it should not.
//! What is sent is looked at byte for byte: a wrong grant or address costs a shop its login.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{App, Login};
use crate::class::{ErrorClass, Operation, classify};
use crate::client::{MetaClient, Settings};

fn client(server: &MockServer) -> MetaClient {
    let settings = Settings {
        facebook_graph_url: format!("{}/fb", server.uri()),
        instagram_graph_url: format!("{}/ig", server.uri()),
        instagram_api_url: format!("{}/api", server.uri()),
        meta_app_id: Some("1".into()),
        instagram_app_id: Some("2".into()),
        instagram_app_secret: Some("ig-app-secret".to_owned().into()),
        ..Settings::default()
    };
    MetaClient::new(settings).unwrap()
}

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn app() -> App {
    App { id: "2".into(), secret: secret("app+secret&=") }
}

async fn answers(server: &MockServer, http: &str, at: &str, status: u16, body: Value) {
    let template = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method(http)).and(path(at)).respond_with(template).expect(1).mount(server).await;
}

#[tokio::test]
async fn an_app_needs_id_and_secret() {
    let server = MockServer::start().await;
    let client = client(&server);
    assert!(client.app(Login::Facebook).is_none(), "its secret is missing");
    assert_eq!(client.app(Login::Instagram).unwrap().id, "2");
}

#[tokio::test]
async fn instagrams_code_in_both_shapes() {
    let flat = json!({"access_token":"IGAAshort","user_id":17841405793187218_u64,"permissions":["a","b"]});
    let listed = json!({"data":[{"access_token":"IGAAshort","user_id":"17841405793187218","permissions":"a,b"}]});
    for body in [flat, listed] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/api/oauth/access_token"))
            .and(body_string_contains("client_secret=app%2Bsecret%26%3D"))
            .and(body_string_contains("grant_type=authorization_code"))
            .and(body_string_contains("redirect_uri=https%3A%2F%2Fa.test%2Fcb"))
            .and(body_string_contains("code=C-1"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .expect(1)
            .mount(&server)
            .await;
        let (client, app, code) = (client(&server), app(), secret("C-1"));
        let token = client.exchange_code(Login::Instagram, &app, &code, "https://a.test/cb").await.unwrap();
        assert_eq!(token.token.expose_secret(), "IGAAshort");
        assert_eq!(token.user_id.as_deref(), Some("17841405793187218"));
        assert_eq!(token.permissions.unwrap(), ["a", "b"]);
        assert_eq!(token.expires_in, None);
    }
}

#[tokio::test]
async fn facebooks_code_may_not_say_how_long() {
    let server = MockServer::start().await;
    let body = json!({"access_token":"EAAuser","token_type":"bearer"});
    answers(&server, "POST", "/fb/v25.0/oauth/access_token", 200, body).await;
    let token =
        client(&server).exchange_code(Login::Facebook, &app(), &secret("C"), "https://a.test/cb").await.unwrap();
    assert_eq!((token.token.expose_secret(), token.expires_in, token.permissions), ("EAAuser", None, None));
    let sent = server.received_requests().await.unwrap();
    assert!(sent[0].url.query().is_none(), "code and secret are not in the address");
}

#[tokio::test]
async fn short_becomes_long_and_long_stays_alive() {
    let server = MockServer::start().await;
    let long = |token: &str| json!({"access_token":token,"token_type":"bearer","expires_in":5_183_944});
    Mock::given(path("/ig/access_token"))
        .and(query_param("grant_type", "ig_exchange_token"))
        .and(query_param("client_secret", "app+secret&="))
        .and(query_param("access_token", "short"))
        .respond_with(ResponseTemplate::new(200).set_body_json(long("long-1")))
        .mount(&server)
        .await;
    Mock::given(path("/fb/v25.0/oauth/access_token"))
        .and(query_param("grant_type", "fb_exchange_token"))
        .and(query_param("client_id", "2"))
        .and(query_param("fb_exchange_token", "short"))
        .respond_with(ResponseTemplate::new(200).set_body_json(long("long-2")))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/ig/refresh_access_token"))
        .and(query_param("grant_type", "ig_refresh_token"))
        .and(query_param("access_token", "long-1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(long("long-3")))
        .mount(&server)
        .await;
    let client = client(&server);
    let got = client.long_lived_token(Login::Instagram, &app(), &secret("short")).await.unwrap();
    assert_eq!((got.token.expose_secret(), got.expires_in), ("long-1", Some(5_183_944)));
    let got = client.long_lived_token(Login::Facebook, &app(), &secret("short")).await.unwrap();
    assert_eq!(got.token.expose_secret(), "long-2");
    assert_eq!(client.refresh_token(&got.token).await.unwrap_err().http_status, Some(404));
    assert_eq!(client.refresh_token(&secret("long-1")).await.unwrap().token.expose_secret(), "long-3");
}

#[tokio::test]
async fn an_empty_token_is_no_token() {
    for body in [
        json!({}),
        json!({"access_token":""}),
        json!({"access_token":"  "}),
        json!({"access_token":null}),
        json!({"data":[]}),
    ] {
        let server = MockServer::start().await;
        answers(&server, "GET", "/ig/refresh_access_token", 200, body.clone()).await;
        let error = client(&server).refresh_token(&secret("long")).await.unwrap_err();
        assert_eq!(classify(Operation::TokenRefresh, &error).class, ErrorClass::Transient, "{body}");
    }
}

#[tokio::test]
async fn refusals_have_their_class_and_show_no_secret() {
    use ErrorClass::{AppConfiguration, LoginRestart};
    let graph = |code: i64, subcode: i64, message: &str| json!({"error":{"message":message,"type":"OAuthException","code":code,"error_subcode":subcode}});
    let instagram = |message: &str| json!({"error_type":"OAuthException","code":400,"error_message":message});
    let cases = [
        (Login::Facebook, graph(100, 36009, "This authorization code has been used."), LoginRestart),
        (Login::Facebook, graph(100, 36007, "This authorization code has expired."), LoginRestart),
        (Login::Facebook, graph(100, 36008, "Error validating verification code."), AppConfiguration),
        (Login::Facebook, json!({"error":{"message":"Error validating client secret.","code":1}}), AppConfiguration),
        (Login::Instagram, instagram("Matching code was not found or was already used"), LoginRestart),
        (Login::Instagram, instagram("Invalid platform app"), AppConfiguration),
    ];
    for (login, body, class) in cases {
        let server = MockServer::start().await;
        let at = if login == Login::Instagram { "/api/oauth/access_token" } else { "/fb/v25.0/oauth/access_token" };
        answers(&server, "POST", at, 400, body.clone()).await;
        let error =
            client(&server).exchange_code(login, &app(), &secret("C-canary-1"), "https://a.test").await.unwrap_err();
        assert_eq!(classify(Operation::CodeExchange, &error).class, class, "{body}");
        let shown = format!("{error:?} {error}");
        assert!(!shown.contains("C-canary-1") && !shown.contains("app+secret"), "{shown}");
    }
}

#[tokio::test]
async fn a_call_that_breaks_off_shows_no_address() {
    let server = MockServer::start().await;
    let client = client(&server);
    drop(server);
    let error = client.refresh_token(&secret("IGAAcanary")).await.unwrap_err();
    assert!(!format!("{error:?}").contains("IGAAcanary"), "{error:?}");
}
