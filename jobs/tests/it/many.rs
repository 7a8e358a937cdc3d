//! Many workers on one ledger: no job is had by two, no lane by two at a time, and what several write at once into one
//! conversation is what one would have written.

use crate::harness::{Bench, SCRIPTED};
use crate::shop::{ACCOUNT, Shop};
use crate::story::{shape, story};
use domain::audit::Actor;
use domain::connections::{AutoReply, set_auto_reply};
use domain::db::is_unique_violation;
use entities::job;
use jobs::ingest::Endpoint;
use jobs::ledger::claim::{self, Claim};
use jobs::ledger::enqueue::NewJob;
use jobs::ledger::settle::settle;
use jobs::outcome::{Outcome, decide};
use jobs::settings::Slots;
use jobs::{Ledger, LedgerSettings, Workers};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Claims and settles until nothing is left; notes what it had.
async fn work_off(ledger: Ledger, had: Arc<Mutex<Vec<Uuid>>>, lanes: Arc<Mutex<HashSet<String>>>) {
    let mut idle = 0;
    while idle < 20 {
        let now = ledger.now();
        let claim = Claim { queue: SCRIPTED.queue, worker: ledger.worker(), now, lease_until: now + 60_000, limit: 7 };
        let jobs = claim::due(&ledger.context().db, claim).await.unwrap();
        if jobs.is_empty() {
            idle += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        idle = 0;
        for job in &jobs {
            had.lock().unwrap().push(job.id);
            if let Some(lane) = &job.lane {
                assert!(lanes.lock().unwrap().insert(lane.clone()), "{lane} is had twice at a time");
            }
        }
        tokio::task::yield_now().await;
        for job in &jobs {
            if let Some(lane) = &job.lane {
                lanes.lock().unwrap().remove(lane);
            }
            let decision = decide(job, Outcome::Completed(Value::Null), now, 0.5);
            let tx = ledger.context().db.begin().await.unwrap();
            settle(&tx, job, &decision, now).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_workers_share_the_work_and_no_job_or_lane_is_had_by_two() {
    let bench = Bench::new().await;
    let mut new = Vec::new();
    for n in 0..400 {
        let job = NewJob::new(&SCRIPTED, json!({}));
        new.push(if n % 2 == 0 { job.lane(format!("lane {}", n % 14)) } else { job });
    }
    let mut tx = bench.ledger.context().db.begin().await.unwrap();
    let ids = bench.ledger.enqueue(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    let (had, lanes) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(HashSet::new())));
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(tokio::spawn(work_off(bench.another().await, had.clone(), lanes.clone())));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let had = had.lock().unwrap();
    assert_eq!(had.len(), ids.len(), "each once");
    assert_eq!(had.iter().collect::<HashSet<_>>().len(), ids.len());
}

/// However two claims meet, the key stands behind the look.
#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_of_a_lane_cannot_both_run() {
    let bench = Bench::new().await;
    let job = || NewJob::new(&SCRIPTED, json!({})).lane("one".to_owned());
    let (first, second) = (bench.enqueue(job()).await.unwrap(), bench.enqueue(job()).await.unwrap());
    let run = async |id: Uuid| {
        job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value("running"))
            .filter(job::Column::Id.eq(id))
            .exec(bench.ledger.context().db.write())
            .await
    };
    run(first).await.unwrap();
    assert!(is_unique_violation(&run(second).await.unwrap_err()));
}

/// So many retries, schedules or replies fall due at once after an outage.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_jobs_due_in_the_same_second_drain() {
    const MANY: usize = 20_000;
    let slots = Slots { send: 64, ..crate::harness::settings().slots };
    let settings = LedgerSettings { slots, ..crate::harness::settings() };
    let bench = Bench::with(settings).await;
    let due = bench.ledger.now() + 60_000;
    for _ in 0..MANY / 1_000 {
        let new = (0..1_000).map(|n| NewJob::new(&SCRIPTED, json!({})).run_at(due + n)).collect();
        let mut tx = bench.ledger.context().db.begin().await.unwrap();
        bench.ledger.enqueue(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
    }
    let workers = bench.work();
    bench.clock.advance(61_000);
    let left = async || {
        let unfinished = job::Entity::find().filter(job::Column::State.ne("completed"));
        unfinished.filter(job::Column::Kind.eq(SCRIPTED.name)).count(bench.ledger.context().db.read()).await.unwrap()
    };
    let deadline = Instant::now() + Duration::from_secs(200);
    while left().await > 0 {
        assert!(Instant::now() < deadline, "{} are left", left().await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    workers.stop(Duration::from_secs(5)).await;
    let again = job::Entity::find().filter(job::Column::Attempt.ne(1));
    assert_eq!(
        again.filter(job::Column::Kind.eq(SCRIPTED.name)).count(bench.ledger.context().db.read()).await.unwrap(),
        0
    );
}

/// Its replies would end up as the last message now and then.
async fn quiet_shop() -> Shop {
    let shop = Shop::new().await;
    let ctx = shop.ledger.context();
    let tx = ctx.db.begin().await.unwrap();
    let off = set_auto_reply(&tx, ctx, Actor::CommandLine, shop.organization, shop.connection.id, AutoReply::off());
    off.await.unwrap();
    tx.commit().await.unwrap();
    shop
}

/// A mark and its message, an edit and its unsend, in two transactions at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_written_at_the_same_time_give_the_same_rows() {
    let told = quiet_shop().await;
    told.deliver(&story(&told, 0)).await;
    let expected = shape(&told).await;
    for seed in 1..=8 {
        let mut shop = quiet_shop().await;
        shop.stop_workers().await;
        let mut deliveries = Vec::new();
        for event in story(&shop, seed) {
            let body = json!({ "object": "instagram", "entry": [{ "id": ACCOUNT, "messaging": [event] }] });
            let stored = shop.ledger.ingest().store(Endpoint::Instagram, body.to_string().into_bytes()).await;
            deliveries.push(stored.unwrap());
        }
        // One delivery a transaction, six transactions at a time.
        let slots = Slots { webhooks: 3, ..crate::harness::settings().slots };
        let settings = LedgerSettings { webhook_batch: 1, slots, ..crate::harness::settings() };
        let workers: Vec<Workers> =
            (0..2).map(|_| Workers::start(&Ledger::new(shop.ledger.context().clone(), settings.clone()))).collect();
        for id in deliveries {
            assert_eq!(shop.processed(id).await.state, "processed", "seed {seed}");
        }
        for worker in workers {
            worker.stop(Duration::from_secs(5)).await;
        }
        assert_eq!(shape(&shop).await, expected, "seed {seed}");
    }
}
