//! Files as a client fetches them: their kinds and lives, and the names that misbehave.
//! What a customer sends must be there to be fetched.

use std::time::Duration;

use serde_json::json;

use crate::harness::Harness;

async fn fetch(h: &Harness, url: &str) -> (u16, String, Vec<u8>) {
    let response = h.http.get(url).send().await.unwrap();
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    (response.status().as_u16(), kind, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn files_of_every_kind() {
    let h = Harness::start().await;
    let cases: [(&str, &str, &[u8]); 8] = [
        ("a.png", "image/png", b"\x89PNG"),
        ("a.jpg", "image/jpeg", b"\xff\xd8\xff"),
        ("a.jpeg", "image/jpeg", b"\xff\xd8\xff"),
        ("a.mp4", "video/mp4", b"\0\0\0"),
        ("a.mp3", "audio/mpeg", b"\xff\xfb"),
        ("a.aac", "audio/aac", b"\xff\xf1"),
        ("a.pdf", "application/pdf", b"%PDF"),
        ("page.html", "text/html; charset=utf-8", b"<!DOCTYPE html>"),
    ];
    for (name, kind, begins) in cases {
        let (status, got, bytes) = fetch(&h, &format!("{}/media/{name}", h.base)).await;
        assert_eq!((status, got.as_str()), (200, kind), "{name}");
        assert!(bytes.starts_with(begins) && bytes.len() < 10_000, "{name}");
        let head = h.http.head(format!("{}/media/{name}", h.base)).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], bytes.len().to_string());
    }
    for name in ["missing.png", "a.exe", "a", "a/b.png", ""] {
        assert_eq!(fetch(&h, &format!("{}/media/{name}", h.base)).await.0, 404, "{name}");
    }
    assert_eq!(h.http.post(format!("{}/media/a.png", h.base)).send().await.unwrap().status().as_u16(), 405);
    assert_eq!(h.counters().await["mediaReads"], 2 * cases.len() + 5);
    h.fault(json!({"name": "media_unavailable", "count": 1})).await;
    assert_eq!(fetch(&h, &format!("{}/media/a.png", h.base)).await.0, 503);
    assert_eq!(fetch(&h, &format!("{}/media/a.png", h.base)).await.0, 200);
}

#[tokio::test]
async fn names_that_misbehave() {
    let h = Harness::start().await;
    let target = "http://169.254.169.254/latest/?a=1&b=2";
    let url = reqwest::Url::parse_with_params(&format!("{}/media/redirect.png", h.base), [("to", target)]).unwrap();
    let reply = h.raw(h.http.get(url)).await;
    assert_eq!((reply.status, reply.headers["location"].to_str().unwrap()), (302, target));
    assert_eq!(fetch(&h, &format!("{}/media/redirect.png", h.base)).await.0, 400);
    assert_eq!(fetch(&h, &format!("{}/media/redirect.png?to=a%0d%0ab", h.base)).await.0, 400);
    let mut huge = h.http.get(format!("{}/media/huge.png", h.base)).send().await.unwrap();
    assert_eq!((huge.headers()["content-type"].as_bytes(), huge.content_length()), (&b"image/png"[..], Some(30 << 20)));
    let mut seen = 0;
    while let Some(chunk) = huge.chunk().await.unwrap() {
        assert!(seen > 0 || chunk.starts_with(b"\x89PNG"));
        seen += chunk.len();
    }
    assert_eq!(seen, 30 << 20);
    let slow = h.http.get(format!("{}/media/slow.png", h.base)).timeout(Duration::from_millis(300)).send().await;
    assert!(slow.unwrap_err().is_timeout());
}

#[tokio::test]
async fn links_end_by_the_sandbox_clock() {
    let h = Harness::start().await;
    h.post("clock", json!({"set": "2026-11-21T10:00:00Z", "freeze": true})).await;
    let link = async |body| h.post("media", body).await["url"].as_str().unwrap().to_owned();
    let ends = link(json!({"kind": "image", "livesSeconds": 60})).await;
    let stays = link(json!({"kind": "image"})).await;
    assert!(ends.starts_with(&format!("{}/media/", h.base)) && ends.ends_with(".png?oe=6b016bdc"), "{ends}");
    assert!(stays.ends_with(".png") && ends.split('?').next() != Some(stays.as_str()));
    for (kind, mime) in [("video", "video/mp4"), ("audio", "audio/aac"), ("file", "application/pdf")] {
        assert_eq!(fetch(&h, &link(json!({"kind": kind})).await).await.1, mime);
    }
    h.post("clock", json!({"advanceSeconds": 60})).await;
    assert_eq!(fetch(&h, &ends).await.0, 200);
    h.post("clock", json!({"advanceSeconds": 1})).await;
    assert_eq!(fetch(&h, &ends).await.0, 403);
    assert_eq!(fetch(&h, &stays).await.0, 200);
    assert_eq!(fetch(&h, &format!("{stays}?oe=soon")).await.0, 403);
}

#[tokio::test]
async fn what_a_customer_sends_is_there() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    let given = json!({"type": "image", "url": "https://cdn.test/a.png"});
    let attachments = json!([{"type": "image"}, {"type": "video"}, given, {"type": "fallback"}]);
    let dm = json!({"accountId": ig.account, "customerId": ig.customer, "attachments": attachments});
    h.post("messages", dm).await;
    let got = h.receiver.wait(1).await;
    let element = &got[0].elements()[0];
    let sent = element["message"]["attachments"].as_array().unwrap();
    assert_eq!(fetch(&h, sent[0]["payload"]["url"].as_str().unwrap()).await.1, "image/png");
    assert_eq!(fetch(&h, sent[1]["payload"]["url"].as_str().unwrap()).await.1, "video/mp4");
    assert_eq!(sent[2]["payload"]["url"], "https://cdn.test/a.png");
    assert_eq!(sent[3], json!({"type": "fallback"}), "what has no file stays without one");
}
