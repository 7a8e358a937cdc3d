//! What a stranger can do slowly, endlessly or wrongly, byte by byte over TCP, and how the server ends.

use crate::world::{Answer, Caller, Like, World};
use api::server::Limits;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn open(world: &World) -> TcpStream {
    TcpStream::connect(world.address).await.unwrap()
}

/// What comes until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    // A reset ends a connection as well as a close.
    let _closed_either_way = read.expect("the server closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_slow_head_and_a_quiet_connection_are_closed() {
    let limits = Limits { head: Duration::from_millis(200), quiet: Duration::from_millis(600), ..Limits::default() };
    let world = World::like(Like { limits, ..Like::default() }).await;
    let mut slow = open(&world).await;
    let writing = async {
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\n".iter().cycle() {
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), writing).await.expect("drops who never ends a head");

    let (mut quiet, began) = (open(&world).await, Instant::now());
    quiet.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut quiet).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() >= Duration::from_millis(500), "a connection between requests has more time than a head");
}

#[tokio::test]
async fn a_chunked_body_is_counted_too() {
    let world = World::new().await;
    let mut stream = open(&world).await;
    stream
        .write_all(b"POST /api/webhooks/instagram HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x1_0000], b"\r\n"].concat();
    for _ in 0..17 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_is_refused_before_it_comes() {
    let world = World::new().await;
    for (framing, status) in [
        ("Content-Length: 33554433", "413"),
        ("Content-Length: 99999999999", "413"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "400"),
        ("Transfer-Encoding: chunked\r\ncontent-length: 5", "400"),
    ] {
        let (mut stream, began) = (open(&world).await, Instant::now());
        let head = format!("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await.to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{framing}: {answer}");
        assert!(answer.contains("connection: close") && answer.contains("application/problem+json"), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(2), "{framing}");
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let world = World::like(Like { limits, ..Like::default() }).await;
    let first = open(&world).await;
    let mut second = open(&world).await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let waits = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(waits.is_err());
    drop(first);
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn quiet_connections_make_room_when_every_place_is_taken() {
    let limits = Limits { connections: 5, ..Limits::default() };
    let world = World::like(Like { limits, ..Like::default() }).await;
    let mut quiet = Vec::new();
    for _ in 0..5 {
        let mut stream = open(&world).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        quiet.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (mut sixth, began) = (open(&world).await, Instant::now());
    sixth.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut sixth).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_secs(1));
    for mut stream in quiet {
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"), "its answer was whole");
    }
}

#[tokio::test]
async fn stopping_finishes_what_was_begun_and_takes_nothing_new() {
    let world = World::new().await;
    let body = json!({ "email": "ada@shop.test", "password": "correct horse", "organizationName": "Shop" }).to_string();
    let head = format!(
        "POST /api/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut begun = open(&world).await;
    begun.write_all(head.as_bytes()).await.unwrap();
    let mut idle = open(&world).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.stop.cancel();
    // Between the signal and the end, answers announce it.
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let announced = rest(&mut idle).await;
    assert!(announced.starts_with("HTTP/1.1 200") && announced.contains("connection: close"), "{announced}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(TcpStream::connect(world.address).await.is_err());
    begun.write_all(body.as_bytes()).await.unwrap();
    assert!(rest(&mut begun).await.starts_with("HTTP/1.1 201"));
    world.running.await.unwrap();
}

#[tokio::test]
async fn nothing_sent_wrongly_is_our_fault() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let raw = async |content_type: Option<&str>, body: &[u8]| {
        let mut request = world.request(&Caller::default(), "POST", "/api/auth/login");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        Answer::of(request.body(body.to_vec()).send().await.unwrap()).await
    };
    let json = Some("application/json");
    for (content_type, body, code) in [
        (None, b"{}".as_slice(), "unsupported_media_type"),
        (Some("text/plain"), b"{}", "unsupported_media_type"),
        (Some("nonsense"), b"{}", "unsupported_media_type"),
        (json, b"", "invalid_request"),
        (json, b"{", "invalid_json"),
        (json, b"\xff\xfe", "invalid_json"),
        (json, b"{\"email\":\"\xff\",\"password\":\"x\"}", "invalid_json"),
        (json, b"{\"email\":\"\\ud800\",\"password\":\"x\"}", "invalid_json"),
        (json, b"{\"email\":null,\"password\":\"x\"}", "invalid_request"),
        (json, b"{\"email\":{},\"password\":[]}", "invalid_request"),
        (json, &[b'['; 100_000], "invalid_json"),
        (json, b"{\"email\":\"a\\u0000@b\",\"password\":\"x\"}", "invalid_credentials"),
    ] {
        let answer = raw(content_type, body).await;
        assert_eq!(answer.code(), code, "{:?}", String::from_utf8_lossy(&body[..body.len().min(60)]));
    }
    for (method, path, status) in [
        ("GET", "/api/auth/login", 405),
        ("DELETE", "/api/conversations", 405),
        ("BREW", "/api/conversations", 405),
        ("GET", "/", 404),
        ("GET", "/api", 404),
        ("GET", "/api/conversations/", 404),
        ("GET", "//api//conversations", 404),
        ("GET", "/api/conversations/%00", 404),
        ("GET", "/api/conversations/%ff%fe", 404),
        ("GET", "/api/conversations/..%2f..%2fetc", 404),
        ("GET", "/api/conversations?limit=1&limit=2&%ff=%00", 200),
    ] {
        let answer = world.send(&ada, method, path, Value::Null).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if status == 405 {
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
        if status >= 400 {
            answer.code();
        }
    }
}
