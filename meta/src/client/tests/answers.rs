//! Answers that arrive whole: taken, refused, contradictory, or no answers at all.
//! Where a call goes, what it carries, and what is made of what comes back.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{PATIENCE, PROOF, TOKEN, answering, class, client, failure, send};
use crate::class::{ErrorClass, Operation, classify};
use crate::error::Cause;
use crate::messaging::Route;

#[tokio::test]
async fn a_message_is_taken() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200)
        .set_body_json(json!({"recipient_id": "9", "message_id": "m_1"}))
        .insert_header("facebook-api-version", "v26.0")
        .insert_header("x-app-usage", r#"{"call_count":81}"#);
    Mock::given(method("POST"))
        .and(path("/v25.0/me/messages"))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .and(query_param("appsecret_proof", PROOF))
        .and(body_json(json!({"recipient":{"id":"9"},"messaging_type":"RESPONSE","message":{"text":"hi"}})))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    let sent = send(&server.uri(), Route::FacebookPage).await.unwrap();
    assert_eq!((sent.message_id.as_str(), sent.recipient_id.as_deref()), ("m_1", Some("9")));
    assert_eq!((sent.usage.max_percent(), sent.api_version.as_deref()), (Some(81), Some("v26.0")));
    for request in server.received_requests().await.unwrap() {
        assert!(!request.url.as_str().contains(TOKEN));
    }
}

#[tokio::test]
async fn instagram_login_has_its_own_host_and_no_proof() {
    let server = MockServer::start().await;
    Mock::given(path("/ig/v25.0/me/messages"))
        .and(query_param_is_missing("appsecret_proof"))
        .and(body_json(json!({"recipient":{"id":"9"},"message":{"text":"hi"}})))
        .respond_with(ResponseTemplate::new(200).set_body_string(r#"{"message_id":17841405793187218999}"#))
        .expect(1)
        .mount(&server)
        .await;
    let sent = send(&server.uri(), Route::InstagramLogin).await.unwrap();
    assert_eq!((sent.message_id.as_str(), sent.recipient_id), ("17841405793187218999", None));
}

#[tokio::test]
async fn refusals_keep_their_numbers_and_usage() {
    let body = json!({"error":{"message":format!("bad {TOKEN}"),"type":"OAuthException","code":613,"error_subcode":2534040,"fbtrace_id":"Ab1"}});
    let usage = r#"{"1":[{"type":"messenger","call_count":100,"estimated_time_to_regain_access":3}]}"#;
    let template = ResponseTemplate::new(403).set_body_json(body);
    let server =
        answering(template.insert_header("x-business-use-case-usage", usage).insert_header("retry-after", "60")).await;
    let error = send(&server.uri(), Route::InstagramViaPage).await.unwrap_err();
    assert_eq!((error.error.code, error.error.subcode, error.error.http_status), (Some(613), Some(2534040), Some(403)));
    assert_eq!(error.error.retry_after, Some(Duration::from_secs(180)));
    assert_eq!(error.usage.max_percent(), Some(100));
    assert_eq!(class(&error.error), ErrorClass::RateLimited);
}

#[tokio::test]
async fn an_error_inside_success() {
    let server = answering(ResponseTemplate::new(200).set_body_string(r#"{"error":{"code":190}}"#)).await;
    let error = failure(&server.uri()).await;
    assert_eq!((error.cause, error.http_status, class(&error)), (Cause::Graph, Some(200), ErrorClass::Reconnect));
    // Whatever else it says: a message with an id exists.
    let both = r#"{"message_id":"m","error":{"code":190}}"#;
    let server = answering(ResponseTemplate::new(200).set_body_string(both)).await;
    assert_eq!(send(&server.uri(), Route::FacebookPage).await.unwrap().message_id, "m");
}

#[tokio::test]
async fn answers_that_say_nothing() {
    let cases = [
        (500, "<html>EAAsandboxToken</html>"),
        (502, ""),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"recipient_id":"9"}"#),
        (200, "[]"),
        (404, "not found"),
    ];
    for (status, body) in cases {
        let server = answering(ResponseTemplate::new(status).set_body_string(body)).await;
        let error = failure(&server.uri()).await;
        assert_eq!((error.cause, error.http_status), (Cause::NotJson, Some(status)), "{body}");
        assert_eq!(class(&error), ErrorClass::UnknownOutcome);
    }
}

#[tokio::test]
async fn a_parsed_failure_of_metas_own_is_unknown_and_not_repeated() {
    let body = r#"{"error":{"message":"An unexpected error has occurred.","code":2,"is_transient":true}}"#;
    let server = answering(ResponseTemplate::new(500).set_body_string(body)).await;
    assert_eq!(class(&failure(&server.uri()).await), ErrorClass::UnknownOutcome);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = MockServer::start().await;
    let target = format!("{}/steal?access_token={TOKEN}", elsewhere.uri());
    for status in [301, 302, 307, 308] {
        let server = answering(ResponseTemplate::new(status).insert_header("location", target.as_str())).await;
        let error = failure(&server.uri()).await;
        assert_eq!((error.http_status, class(&error)), (Some(status), ErrorClass::UnknownOutcome));
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

/// A connection that was used before and closes under the second request: HTTP stacks like to repeat that one.
#[tokio::test]
async fn a_conversation_is_read_back() {
    let token = SecretString::from(TOKEN);
    let body = r#"{"data":[{"id":"t","messages":{"data":[{"id":"m_1","created_time":"2026-11-21T10:00:00+0000","from":{"id":"1"},"message":"hi"}]}}]}"#;
    for (route, prefix, platform) in [
        (Route::FacebookPage, "", "messenger"),
        (Route::InstagramViaPage, "", "instagram"),
        (Route::InstagramLogin, "/ig", "instagram"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path(format!("{prefix}/v25.0/me/conversations")))
            .and(query_param("platform", platform))
            .and(query_param("user_id", "9"))
            .and(query_param("fields", "messages.limit(5){id,created_time,from,message}"))
            .and(header("authorization", format!("Bearer {TOKEN}")))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .expect(1)
            .mount(&server)
            .await;
        let read = client(&server.uri(), PATIENCE).conversation_messages(route, &token, "9", 5).await.unwrap();
        assert_eq!((read.len(), read[0].mid.as_str()), (1, "m_1"));
    }
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_string("{}")).mount(&server).await;
    let error =
        client(&server.uri(), PATIENCE).conversation_messages(Route::FacebookPage, &token, "9", 5).await.unwrap_err();
    assert_eq!(classify(Operation::ReadConversation, &error).class, ErrorClass::Transient);
}
