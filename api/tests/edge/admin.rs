//! What operators see and do.

use crate::webhooks::sign;
use crate::world::{Answer, Caller, World};
use domain::api_keys::Scope;
use jobs::Workers;
use serde_json::{Value, json};
use std::time::Duration;

async fn deliver(world: &World, body: &'static [u8]) {
    let request = world.request(&Caller::default(), "POST", "/api/webhooks/instagram");
    let request = request.header("X-Hub-Signature-256", sign("instagram", body)).body(body);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_and_its_job_are_shown_with_what_became_of_them() {
    let world = World::new().await;
    let operator = world.key(None, &[Scope::JobsRead]).await;
    deliver(&world, b"{\"object\": geheim").await;
    let listed = world.get(&operator, "/api/admin/jobs?state=available&kind=webhook.process").await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    let workers = Workers::start(&world.ledger);
    let mut job = Value::Null;
    for _ in 0..100 {
        let path = format!("/api/admin/jobs/{}", listed["items"][0]["id"].as_str().unwrap());
        job = world.get(&operator, &path).await.body;
        if job["state"] == "completed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    workers.stop(Duration::from_secs(1)).await;
    assert_eq!(job["state"], "completed", "{job}");
    for field in [
        "queue",
        "kind",
        "attempt",
        "maxAttempts",
        "runAt",
        "organizationId",
        "connectionId",
        "error",
        "attempts",
        "result",
        "createdAt",
        "finishedAt",
    ] {
        assert!(job.get(field).is_some(), "{field}");
    }
    let answer = world.get(&operator, "/api/admin/deliveries").await;
    assert!(!answer.text.contains("geheim"));
    let delivery = &answer.body["items"][0];
    assert_eq!((&delivery["state"], &delivery["events"]), (&json!("malformed"), &json!([])));
    let one = world.get(&operator, &format!("/api/admin/deliveries/{}", delivery["id"].as_str().unwrap())).await.body;
    assert_eq!(one, *delivery);
    for missing in ["/api/admin/deliveries/dlv_1", "/api/admin/jobs/job_1", "/api/admin/jobs/x"] {
        assert_eq!(world.get(&operator, missing).await.code(), "not_found");
    }
    for bad in ["state=lost", "kind=Robert'%3B", "kind=%00"] {
        assert_eq!(world.get(&operator, &format!("/api/admin/jobs?{bad}")).await.code(), "invalid_parameter", "{bad}");
    }
}

#[tokio::test]
async fn pausing_a_queue_is_written_down_with_its_reason() {
    let world = World::new().await;
    let reader = world.key(None, &[Scope::JobsRead, Scope::AuditRead]).await;
    let writer = world.key(None, &[Scope::JobsWrite]).await;
    let body = json!({ "reason": "Meta is down" });
    let pause = "/api/admin/queues/send/pause";
    assert_eq!(world.send(&reader, "POST", pause, body.clone()).await.code(), "scope_required");
    let lenient = world.send(&writer, "POST", pause, json!({ "reason": false })).await;
    assert_eq!((lenient.status, lenient.code()), (422, "invalid_request"));
    let paused = world.send(&writer, "POST", pause, body.clone()).await;
    assert_eq!((paused.status, &paused.body["paused"]), (200, &json!(true)));
    assert_eq!(world.send(&writer, "POST", "/api/admin/queues/lost/pause", body).await.code(), "not_found");
    let queues = world.get(&reader, "/api/admin/queues").await.body;
    let send = queues["items"].as_array().unwrap().iter().find(|queue| queue["name"] == "send").unwrap();
    assert_eq!(*send, paused.body);
    let resumed = world.send(&writer, "POST", "/api/admin/queues/send/resume", json!({})).await.body;
    assert_eq!((&resumed["paused"], &resumed["pausedAt"]), (&json!(false), &Value::Null));
    let trail = world.get(&reader, "/api/admin/audit").await.body;
    let paused = trail["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "queue.paused").unwrap();
    assert_eq!((&paused["target"], &paused["reason"]), (&json!("send"), &json!("Meta is down")));
    assert!(paused["actor"].as_str().unwrap().starts_with("key_"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_run_out_of_turn_once_and_with_its_reason() {
    let world = World::new().await;
    let reader = world.key(None, &[Scope::JobsRead, Scope::AuditRead]).await;
    let writer = world.key(None, &[Scope::JobsWrite]).await;
    let schedules = world.get(&reader, "/api/admin/schedules").await.body;
    let daily = schedules["items"].as_array().unwrap().iter().find(|one| one["name"] == "token.refresh_due").unwrap();
    assert_eq!((&daily["everySeconds"], &daily["lastDueAt"]), (&json!(86_400), &Value::Null));
    let path = "/api/admin/schedules/token.refresh_due";
    let run_now = format!("{path}/run-now");
    let body = json!({ "reason": "the app secret is right again" });
    assert_eq!(world.get(&writer, "/api/admin/schedules").await.code(), "scope_required");
    assert_eq!(world.send(&reader, "POST", &run_now, body.clone()).await.code(), "scope_required");
    let nobody = world.send(&Caller::default(), "POST", &run_now, body.clone()).await;
    assert_eq!((nobody.status, nobody.code()), (401, "unauthenticated"));
    // A kind that does not recur is no schedule.
    for missing in ["token.refresh", "lost"] {
        assert_eq!(world.get(&reader, &format!("/api/admin/schedules/{missing}")).await.code(), "not_found");
        let run_now = format!("/api/admin/schedules/{missing}/run-now");
        assert_eq!(world.send(&writer, "POST", &run_now, json!({})).await.code(), "not_found");
    }
    let long = json!({ "reason": "x".repeat(501) });
    assert_eq!(world.send(&writer, "POST", &run_now, long).await.code(), "invalid_request");
    assert_eq!(world.get(&reader, "/api/admin/jobs").await.body["items"], json!([]));

    let made = world.send(&writer, "POST", &run_now, body).await.body;
    assert_eq!(made["outcome"], "made", "{made}");
    let again = world.send(&writer, "POST", &run_now, json!({})).await.body;
    assert_eq!((&again["outcome"], &again["jobId"]), (&json!("hastened"), &made["jobId"]));
    let workers = Workers::start(&world.ledger);
    let job = format!("/api/admin/jobs/{}", made["jobId"].as_str().unwrap());
    let (mut done, mut daily) = (Value::Null, Value::Null);
    for _ in 0..100 {
        (done, daily) = (world.get(&reader, &job).await.body, world.get(&reader, path).await.body);
        if done["state"] == "completed" && !daily["lastDueAt"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    workers.stop(Duration::from_secs(1)).await;
    assert_eq!((&done["state"], &done["result"]), (&json!("completed"), &json!({ "due": 0, "jobs": 0 })));
    assert_eq!(daily["lastDueAt"], "2026-09-21T14:13:20.000Z");
    assert_eq!(daily["nextDueAt"], "2026-09-22T14:13:20.000Z", "a run out of turn is not the daily one");

    let trail = world.get(&reader, "/api/admin/audit").await.body;
    let acts: Vec<_> =
        trail["items"].as_array().unwrap().iter().filter(|one| one["action"] == "schedule.run_now").collect();
    assert_eq!(acts.len(), 2, "{trail}");
    assert_eq!(
        (&acts[1]["target"], &acts[1]["reason"]),
        (&json!("token.refresh_due"), &json!("the app secret is right again"))
    );
    assert_eq!(acts[1]["details"]["jobId"], made["jobId"]);
}
