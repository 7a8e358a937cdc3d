//! What one process commits is told to those who look at it in another, through Redis and through Postgres; what may have
//! been missed is read again, and what could not be sent is sent later.

use crate::server::{Postgres, Redis};
use crate::site::{Site, settings, through};
use domain::OrganizationId;
use domain::feed::{Hearing, News, Subscription, What};
use jobs::{Ledger, Workers};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use uuid::Uuid;

const SHOP: OrganizationId = OrganizationId(Uuid::from_u128(1));
const OTHER: OrganizationId = OrganizationId(Uuid::from_u128(2));

async fn commit(ledger: &Ledger, organization: OrganizationId, id: u128) {
    let tx = ledger.context().db.begin().await.unwrap();
    tx.note(organization.0, What::Conversation(Uuid::from_u128(id)));
    tx.commit().await.unwrap();
}

async fn subscribe(ledger: &Ledger, organization: OrganizationId) -> Subscription {
    ledger.context().db.feed().subscribe(organization, 9).await.unwrap()
}

async fn next(subscription: &mut Subscription) -> News {
    timeout(Duration::from_secs(20), subscription.next()).await.expect("no news")
}

/// Waits until this is told; a word to read again covers it as well.
async fn told(subscription: &mut Subscription, id: u128) {
    loop {
        if let News::Changed(what) = next(subscription).await
            && what.contains(&What::Conversation(Uuid::from_u128(id)))
        {
            return;
        }
    }
}

async fn resync(subscription: &mut Subscription, wanted: &'static str) {
    while next(subscription).await != News::Resync(wanted) {}
}

/// Returns what twenty commits took, one after the other, each until it was told.
async fn each_hears_the_other(api: &Ledger, worker: &Ledger) -> Duration {
    let mut here = subscribe(api, SHOP).await;
    let mut foreign = subscribe(api, OTHER).await;
    let mut there = subscribe(worker, SHOP).await;
    let began = Instant::now();
    for id in 0..20 {
        commit(worker, SHOP, id).await;
        told(&mut here, id).await;
        assert!(matches!(next(&mut there).await, News::Changed(_)), "its own are told at once");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    // Many of one moment.
    for id in 100..180 {
        commit(worker, SHOP, id).await;
    }
    told(&mut here, 179).await;
    let nothing = timeout(Duration::from_millis(300), foreign.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn through_redis_what_is_committed_is_told_in_another_process() {
    let (mut redis, site) = (Redis::start(), Site::on_sqlite().await);
    let (api, worker) = (site.process(through(&redis.url())).await, site.process(through(&redis.url())).await);
    println!("told through Redis, twenty times: {:?}", each_hears_the_other(&api, &worker).await);
    let mut here = subscribe(&api, SHOP).await;
    // Its listener is cut off: what came meanwhile is read again.
    redis.ask::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    resync(&mut here, "reconnected").await;
    commit(&worker, SHOP, 1_000).await;
    told(&mut here, 1_000).await;
    // All of Redis is away for a while: no commit waits, and nothing is lost.
    redis.kill();
    let began = Instant::now();
    for id in 1_001..1_010 {
        commit(&worker, SHOP, id).await;
    }
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    resync(&mut here, "interrupted").await;
    redis.start_again();
    resync(&mut here, "reconnected").await;
    commit(&worker, SHOP, 1_010).await;
    told(&mut here, 1_010).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_postgres_what_is_committed_is_told_in_another_process() {
    let postgres = Postgres::start();
    let site = Site::at(postgres.url()).await;
    let (api, worker) = (site.process(settings()).await, site.process(settings()).await);
    println!("told through Postgres, twenty times: {:?}", each_hears_the_other(&api, &worker).await);
    let mut here = subscribe(&api, SHOP).await;
    let cut =
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'retail-assist feed'";
    postgres.run(cut);
    resync(&mut here, "reconnected").await;
    commit(&worker, SHOP, 1_000).await;
    told(&mut here, 1_000).await;
    // The last of a process that ends goes out before.
    commit(&worker, SHOP, 1_003).await;
    worker.context().db.feed().flushed(Duration::from_secs(2)).await;
    drop(worker);
    told(&mut here, 1_003).await;
}

/// Whoever runs no workers has others that do, and reads again now and then; whoever does is alone until it sees others.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_shared_file_only_those_read_again_who_are_not_alone() {
    let (shared, single) = (Site::on_sqlite().await, Site::on_sqlite().await);
    let api = shared.process(settings()).await;
    let alone = single.process(settings()).await;
    let workers = Workers::start(&alone);
    let (mut without, mut with) = (subscribe(&api, SHOP).await, subscribe(&alone, SHOP).await);
    assert_eq!(api.context().db.feed().hearing(), Hearing::Alone);
    resync(&mut without, "shared").await;
    resync(&mut without, "shared").await;
    assert!(timeout(Duration::from_millis(100), with.next()).await.is_err(), "it is alone");
    let others = Workers::start(&single.process(settings()).await);
    resync(&mut with, "shared").await;
    others.stop(Duration::from_secs(5)).await;
    workers.stop(Duration::from_secs(5)).await;
}
