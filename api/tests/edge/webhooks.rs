//! The webhook endpoints: whom they believe, what they refuse, and that 200 means stored.

use crate::world::{Answer, Caller, World};
use entities::{delivery, job};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use sha2::Sha256;

const BODY: &[u8] = br#"{"object":"instagram","entry":[]}"#;

pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn post(world: &World, platform: &str, signatures: &[String], body: &[u8]) -> Answer {
    let mut request = world.request(&Caller::default(), "POST", &format!("/api/webhooks/{platform}"));
    for signature in signatures {
        request = request.header("X-Hub-Signature-256", signature);
    }
    Answer::of(request.body(body.to_vec()).send().await.unwrap()).await
}

async fn stored(world: &World) -> Vec<delivery::Model> {
    delivery::Entity::find().all(world.ctx.db.read()).await.unwrap()
}

#[tokio::test]
async fn two_hundred_means_stored_byte_for_byte_with_its_job() {
    let world = World::new().await;
    for (n, body) in [BODY, b"{\"object\": not json", b"\xff\xfe\0", b""].into_iter().enumerate() {
        let answer = post(&world, "instagram", &[sign("instagram", body)], body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let rows = stored(&world).await;
        assert_eq!(rows.len(), n + 1);
        assert!(rows.iter().any(|row| row.body.as_deref() == Some(body) && row.endpoint == "instagram"));
        assert_eq!(job::Entity::find().count(world.ctx.db.read()).await.unwrap(), rows.len() as u64);
    }
}

#[tokio::test]
async fn each_endpoint_believes_its_own_secrets() {
    let world = World::new().await;
    for (platform, secret, status) in [
        ("instagram", "instagram", 200),
        ("instagram", "former", 200),
        ("instagram", "meta", 200),
        ("facebook", "meta", 200),
        ("facebook", "instagram", 401),
        ("instagram", "wrong", 401),
    ] {
        assert_eq!(post(&world, platform, &[sign(secret, BODY)], BODY).await.status, status, "{platform} {secret}");
    }
}

#[tokio::test]
async fn anything_but_one_good_signature_is_refused_and_not_stored() {
    let world = World::new().await;
    let good = sign("instagram", BODY);
    let bare = good.trim_start_matches("sha256=").to_owned();
    for signatures in [
        vec![],
        vec![good.clone(), good.clone()],
        vec![good.clone(), sign("wrong", BODY)],
        vec![bare.clone()],
        vec![format!("sha1={bare}")],
        vec![format!("{good}00")],
        vec![good[..good.len() - 2].to_owned()],
        vec![String::new()],
        vec![sign("instagram", b"another body")],
    ] {
        let answer = post(&world, "instagram", &signatures, BODY).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_signature"), "{signatures:?}");
    }
    assert_eq!(stored(&world).await, vec![]);
}

#[tokio::test]
async fn large_and_compressed_bodies_are_refused() {
    let world = World::new().await;
    let (most, large) = (vec![b' '; 1 << 20], vec![b' '; (1 << 20) + 1]);
    assert_eq!(post(&world, "instagram", &[sign("instagram", &most)], &most).await.status, 200);
    assert_eq!(post(&world, "instagram", &[sign("instagram", &large)], &large).await.code(), "payload_too_large");
    let larger = vec![b' '; 8 << 20];
    assert_eq!(post(&world, "instagram", &[], &larger).await.code(), "payload_too_large");
    let gzip = world.request(&Caller::default(), "POST", "/api/webhooks/instagram");
    let gzip = gzip.header("X-Hub-Signature-256", sign("instagram", BODY)).header("Content-Encoding", "gzip");
    assert_eq!(Answer::of(gzip.body(BODY).send().await.unwrap()).await.code(), "unsupported_media_type");
}

#[tokio::test]
async fn the_handshake_returns_the_challenge_to_who_knows_the_token() {
    let world = World::new().await;
    let ask = async |query: &str| world.get(&Caller::default(), &format!("/api/webhooks/facebook?{query}")).await;
    let good = ask("hub.mode=subscribe&hub.verify_token=verify%20me&hub.challenge=1158201444").await;
    assert_eq!((good.status, good.text.as_str()), (200, "1158201444"));
    assert!(good.header("content-type").starts_with("text/plain"));
    assert_eq!(good.header("x-content-type-options"), "nosniff");
    for bad in [
        "",
        "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=unsubscribe&hub.verify_token=verify%20me&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=verify%20me",
        "hub.mode=subscribe&hub.verify_token=verify%20me&hub.challenge=%3Cscript%3E",
        &format!("hub.mode=subscribe&hub.verify_token=verify%20me&hub.challenge={}", "1".repeat(65)),
    ] {
        let answer = ask(bad).await;
        assert_eq!((answer.status, answer.code()), (403, "handshake_refused"), "{bad}");
        let blames_token = answer.body["detail"].as_str().unwrap().contains("token");
        assert_eq!(blames_token, !bad.contains("verify%20me"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_answered_503() {
    let world = World::new().await;
    world.ctx.db.clone().close().await.unwrap();
    let answer = post(&world, "instagram", &[sign("instagram", BODY)], BODY).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(post(&world, "instagram", &[], BODY).await.status, 401);
}
