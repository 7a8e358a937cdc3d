//! Registering, signing in and out, and what protects a session.

use crate::world::{Answer, Caller, Like, World};
use serde_json::{Value, json};

fn credentials(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

#[tokio::test]
async fn from_registering_to_signing_out() {
    let world = World::new().await;
    let nobody = Caller::default();
    let body = json!({ "email": "Ada@Shop.test", "password": "correct horse", "organizationName": " Shop " });
    let answer = world.send(&nobody, "POST", "/api/auth/register", body).await;
    assert_eq!(answer.status, 201);
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["ra_session=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    assert_eq!(answer.body["user"]["email"], "ada@shop.test");
    assert_eq!(answer.body["organization"]["name"], "Shop");
    assert_eq!(answer.body["organization"]["plan"], "pro");
    assert_eq!(answer.body["organization"]["subscription"], "active");
    assert!(answer.body["user"]["id"].as_str().unwrap().starts_with("usr_"));

    let ada = answer.caller();
    assert_eq!(world.get(&ada, "/api/auth/me").await.body, answer.body);
    let again = world.send(&ada, "POST", "/api/auth/login", credentials("ada@shop.test", "correct horse")).await;
    assert_eq!(again.status, 200);
    assert_eq!(world.get(&ada, "/api/auth/me").await.code(), "unauthenticated", "the session from before has ended");
    let ada = again.caller();
    assert_eq!(world.send(&ada, "POST", "/api/auth/logout", Value::Null).await.status, 204);
    assert_eq!(world.get(&ada, "/api/auth/me").await.code(), "unauthenticated");
}

#[tokio::test]
async fn every_wrong_sign_in_has_the_same_answer() {
    let world = World::new().await;
    world.register("ada@shop.test").await;
    let mut answers = Vec::new();
    for body in [
        credentials("ada@shop.test", "wrong"),
        credentials("nobody@shop.test", "wrong"),
        credentials("not an address", "wrong"),
        credentials("ada@shop.test", ""),
        credentials("ada@shop.test", &"x".repeat(5_000)),
    ] {
        let answer = world.send(&Caller::default(), "POST", "/api/auth/login", body).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_credentials"));
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn too_many_failures_are_told_when_to_come_back() {
    let world = World::new().await;
    world.register("ada@shop.test").await;
    let login = async |password: &str| {
        let body = credentials("ada@shop.test", password);
        world.send(&Caller::default(), "POST", "/api/auth/login", body).await
    };
    for _ in 0..5 {
        assert_eq!(login("wrong").await.status, 401);
    }
    let refused = login("correct horse").await;
    assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (429, "too_many_requests", "900"));
    world.clock.advance(15 * 60_000);
    assert_eq!(login("correct horse").await.status, 200);
}

#[tokio::test]
async fn failures_count_by_what_a_trusted_proxy_saw() {
    for (trusted, last) in [(vec![], 429), (vec!["127.0.0.1".parse().unwrap()], 401)] {
        let world = World::like(Like { trusted_proxies: trusted, ..Like::default() }).await;
        let fail = async |n: usize, from: &str| {
            let login = world.request(&Caller::default(), "POST", "/api/auth/login");
            let login = login.header("X-Forwarded-For", format!("9.9.9.{n}, {from}"));
            let answer = login.json(&credentials(&format!("{n}@shop.test"), "wrong")).send().await.unwrap();
            answer.status().as_u16()
        };
        let mut n = 0;
        while fail(n, "1.1.1.1").await == 401 {
            n += 1;
            assert!(n < 200, "one address may not try without end");
        }
        assert_eq!(fail(n + 1, "2.2.2.2").await, last);
    }
}

#[tokio::test]
async fn a_change_needs_the_token_that_our_page_knows() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let eve = world.register("eve@shop.test").await;
    for csrf in [None, Some("wrong".to_owned()), eve.csrf] {
        let forged = Caller { csrf, ..ada.clone() };
        let answer = world.send(&forged, "POST", "/api/auth/logout", Value::Null).await;
        assert_eq!((answer.status, answer.code()), (403, "csrf_required"));
    }
    assert_eq!(world.get(&Caller { csrf: None, ..ada.clone() }, "/api/auth/me").await.status, 200);
    let foreign = world.request(&ada, "POST", "/api/auth/logout").header("Origin", "https://evil.test");
    assert_eq!(Answer::of(foreign.send().await.unwrap()).await.code(), "bad_origin");
    assert_eq!(world.get(&ada, "/api/auth/me").await.status, 200);
}

#[tokio::test]
async fn signing_in_from_a_foreign_page_is_refused() {
    let world = World::new().await;
    world.register("ada@shop.test").await;
    let own = format!("http://{}", world.address);
    for (origin, status) in [("https://evil.test", 403), ("null", 403), ("http://shop.test", 200), (&own, 200)] {
        let login = world.request(&Caller::default(), "POST", "/api/auth/login").header("Origin", origin);
        let answer = login.json(&credentials("ada@shop.test", "correct horse")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{origin}");
    }
}

#[tokio::test]
async fn on_https_the_cookie_is_bound_to_its_host() {
    let world = World::like(Like { origin: "https://shop.test", ..Like::default() }).await;
    let ada = world.register("ada@shop.test").await;
    assert!(ada.cookie.as_deref().unwrap().starts_with("__Host-ra_session="));
    assert_eq!(world.get(&ada, "/api/auth/me").await.status, 200);
    let planted = ada.cookie.as_deref().unwrap().replace("__Host-", "");
    let planted = Caller { cookie: Some(planted), ..Caller::default() };
    assert_eq!(world.get(&planted, "/api/auth/me").await.status, 401);
}

#[tokio::test]
async fn registering_is_refused_with_a_reason() {
    let closed = World::like(Like { signup_plan: None, ..Like::default() }).await;
    let body = |email: &str, password: &str, name: &str| json!({ "email": email, "password": password, "organizationName": name });
    let register = async |world: &World, body: Value| {
        let answer = world.send(&Caller::default(), "POST", "/api/auth/register", body).await;
        (answer.status, answer.code().to_owned())
    };
    let refused = register(&closed, body("ada@shop.test", "correct horse", "Shop")).await;
    assert_eq!(refused, (403, "registration_closed".to_owned()));

    let world = World::new().await;
    world.register("ada@shop.test").await;
    assert_eq!(register(&world, body("ADA@shop.test", "correct horse", "Shop")).await, (409, "email_taken".to_owned()));
    for bad in [
        body("nobody", "correct horse", "Shop"),
        body("bob@shop.test", "short", "Shop"),
        body("bob@shop.test", "correct horse", ""),
        body("bob@shop.test", "correct horse", "a\0b"),
        body("bob@shop.test", "correct horse", &"x".repeat(101)),
        json!({ "email": "bob@shop.test", "password": 12_345_678, "organizationName": "Shop" }),
        json!({ "email": "bob@shop.test", "password": "correct horse", "organizationName": 12_345 }),
        json!({ "email": "bob@shop.test", "password": "correct horse", "organizationName": true }),
        json!({ "email": "bob@shop.test" }),
        json!({ "email": "bob@shop.test", "password": "correct horse", "organizationName": "Shop", "plan": "team" }),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(register(&world, bad.clone()).await, (422, "invalid_request".to_owned()), "{bad}");
    }
}
