//! Liveness, readiness, figures, the document, and the headers of every answer.

use crate::world::{Caller, World};
use domain::clock::MINUTE;
use jobs::Workers;
use jobs::ingest::Endpoint;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_workers_and_the_oldest_due_job() {
    let world = World::new().await;
    let nobody = Caller::default();
    let ready = async || world.get(&nobody, "/readyz").await;
    assert_eq!(world.get(&nobody, "/healthz").await.status, 200);
    let without = ready().await;
    assert_eq!((without.status, &without.body["ready"]), (503, &false.into()));
    assert_eq!(without.body["checks"]["workers"]["live"], 0);
    assert_eq!(without.body["checks"]["database"]["ok"], true);
    assert_eq!(without.body["checks"]["migrations"]["ok"], true);

    world.ledger.ingest().store(Endpoint::Instagram, b"{}".to_vec()).await.unwrap();
    world.clock.advance(2 * MINUTE);
    let late = ready().await.body;
    assert_eq!(late["checks"]["oldestDueJob"]["ok"], false);
    assert_eq!(late["checks"]["oldestDueJob"]["ageSeconds"], 120);

    let workers = Workers::start(&world.ledger);
    let mut answer = ready().await;
    for _ in 0..100 {
        if answer.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = ready().await;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    workers.stop(Duration::from_secs(1)).await;
    assert_eq!(ready().await.status, 503);
    world.ctx.db.clone().close().await.unwrap();
    assert_eq!(ready().await.body["checks"]["database"]["ok"], false);
    assert_eq!(world.get(&nobody, "/healthz").await.status, 200);
}

#[tokio::test]
async fn figures_name_routes_and_never_paths() {
    let world = World::new().await;
    let nobody = Caller::default();
    world.get(&nobody, "/api/conversations/geheim?token=geheim").await;
    world.get(&nobody, "/geheim").await;
    let figures = world.get(&nobody, "/metrics").await.text;
    assert!(figures.contains("/api/conversations/{id}") && !figures.contains("geheim"), "{figures}");
    assert!(figures.contains("retail_assist_jobs{queue=\"send\",state=\"waiting\"}"));
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let world = World::new().await;
    for path in ["/healthz", "/api/auth/me", "/nowhere", "/api/openapi.json", "/docs", "/metrics"] {
        let answer = world.get(&Caller::default(), path).await;
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")]
        {
            assert_eq!(answer.header(name), value, "{path}");
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("script") == (path == "/docs"), "{policy}");
        assert_eq!(answer.header("x-request-id").len(), 32);
    }
    let page = world.get(&Caller::default(), "/docs").await.text;
    assert!(page.contains("Retail Assist") && !page.contains("src=\"http"), "the page fetches nothing from elsewhere");
}
