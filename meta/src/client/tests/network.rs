//! Networks that fail: before the request, under it, and under the answer.
//! The line between "nothing was written" and "nobody knows" decides whether a message may be sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use super::{PATIENCE, TOKEN, answering, class, client, failure, send_within};
use crate::class::ErrorClass;
use crate::error::Cause;
use crate::messaging::{Content, Route, SendRequest};

/// A server that reads the request, writes these bytes, and hangs up.
async fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(answer).await;
    });
    format!("http://{address}")
}

#[tokio::test]
async fn an_answer_that_never_comes() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let result = send_within(&server.uri(), Route::FacebookPage, Duration::from_secs(1)).await;
    let error = result.unwrap_err().error;
    assert_eq!((error.cause, class(&error)), (Cause::Timeout, ErrorClass::UnknownOutcome));
}

#[tokio::test]
async fn an_answer_that_breaks_off() {
    let cases: [&[u8]; 4] = [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"message_id\":",
        b"no http at all\r\n\r\n",
    ];
    for answer in cases {
        let error = failure(&raw(answer).await).await;
        assert_eq!((error.cause, class(&error)), (Cause::Interrupted, ErrorClass::UnknownOutcome), "{error}");
    }
}

#[tokio::test]
async fn a_request_on_a_dying_connection_is_not_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            while let Ok(1..) = stream.read(&mut buffer).await {
                if seen.fetch_add(1, Ordering::SeqCst) > 0 {
                    break;
                }
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"message_id\":\"m\"}";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let client = client(&base, PATIENCE);
    let token = SecretString::from(TOKEN);
    let request = SendRequest {
        route: Route::FacebookPage,
        token: &token,
        recipient: "9",
        content: Content::Text("hi"),
        metadata: None,
        tag: None,
    };
    assert_eq!(client.send(request).await.unwrap().message_id, "m");
    let error = client.send(request).await.unwrap_err().error;
    assert_eq!((error.cause, class(&error)), (Cause::Interrupted, ErrorClass::UnknownOutcome));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_without_end() {
    let body = format!(r#"{{"message_id":"m","pad":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let server = answering(ResponseTemplate::new(200).set_body_string(body)).await;
    let error = failure(&server.uri()).await;
    assert_eq!((error.cause, class(&error)), (Cause::Interrupted, ErrorClass::UnknownOutcome));
}

#[tokio::test]
async fn nothing_written_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let error = failure(&format!("http://{closed}")).await;
    assert_eq!((error.cause, class(&error)), (Cause::Connect, ErrorClass::Transient), "{error}");
    // TLS with a server that does not speak it.
    let plain = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.replace("http://", "https://");
    let error = failure(&plain).await;
    assert_eq!((error.cause, class(&error)), (Cause::Connect, ErrorClass::Transient), "{error}");
    // A token that cannot stand in a header.
    let token = SecretString::from("EAA\nbad");
    let request = SendRequest {
        route: Route::FacebookPage,
        token: &token,
        recipient: "9",
        content: Content::Text("hi"),
        metadata: None,
        tag: None,
    };
    let error = client(&format!("http://{closed}"), PATIENCE).send(request).await.unwrap_err().error;
    assert_eq!(error.cause, Cause::Connect);
}
