//! More work than one process has slots for: a ring is never swallowed by a process that cannot answer it, and processes
//! that are all busy do not pass rings around in haste.

use crate::server::Redis;
use crate::site::{Site, a_job, begun, count, enqueue, figures, run_one, through, with_slots};
use jobs::Workers;
use std::time::Duration;

const STOP: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_process_leaves_rings_to_an_idle_one() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let settings = || with_slots(through(&redis.url()), 1);
    let api = site.process(settings()).await;
    let busy = Workers::start(&site.process(settings()).await);
    redis.until_listened(1).await;
    let (long, _) = enqueue(&api, vec![a_job(8_000)]).await;
    begun(long[0], Duration::from_secs(1)).await.expect("the long job was not begun");
    let idle = Workers::start(&site.process(settings()).await);
    redis.until_listened(2).await;
    for _ in 0..20 {
        let took = run_one(&api, Duration::from_secs(2)).await.expect("the busy process swallowed the ring");
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
    idle.stop(STOP).await;
    busy.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_processes_do_not_spin() {
    figures();
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let settings = || with_slots(through(&redis.url()), 1);
    let api = site.process(settings()).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(Workers::start(&site.process(settings()).await));
    }
    redis.until_listened(2).await;
    let (ids, _) = enqueue(&api, (0..3).map(|_| a_job(4_000)).collect()).await;
    begun(ids[1], Duration::from_secs(1)).await.expect("the second process was not rung");
    let before = count("retail_assist_bell_heard_total", "passed_on");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let passed = count("retail_assist_bell_heard_total", "passed_on") - before;
    assert!(passed > 0, "a ring is kept for who becomes free");
    assert!(passed <= 20, "passed on {passed} times in two seconds");
    assert!(redis.waiting().await <= 8);
    for workers in workers {
        workers.stop(Duration::ZERO).await;
    }
}

/// One ring, and each process that fills its slots rings for the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_jobs_spreads_over_all_processes() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let settings = || with_slots(through(&redis.url()), 4);
    let api = site.process(settings()).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(Workers::start(&site.process(settings()).await));
    }
    redis.until_listened(3).await;
    let (ids, committed) = enqueue(&api, (0..12).map(|_| a_job(3_000)).collect()).await;
    for id in ids {
        let began = begun(id, Duration::from_secs(2)).await.expect("a process was not rung for the rest");
        assert!(began.saturating_duration_since(committed) < Duration::from_secs(1));
    }
    for workers in workers {
        workers.stop(STOP).await;
    }
}

/// A process with workers of its own calls for help, too, when what it commits is more than it has slots for.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_where_it_was_committed_goes_elsewhere() {
    let (redis, site) = (Redis::start(), Site::on_sqlite().await);
    let settings = || with_slots(through(&redis.url()), 2);
    let committer = site.process(settings()).await;
    let (here, there) = (Workers::start(&committer), Workers::start(&site.process(settings()).await));
    redis.until_listened(2).await;
    let (mut ids, _) = enqueue(&committer, vec![a_job(3_000), a_job(3_000)]).await;
    begun(ids[1], Duration::from_secs(1)).await.expect("not handed over");
    // The ring for what more there might have been has had its round.
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.until_quiet().await;
    ids.extend(enqueue(&committer, vec![a_job(3_000), a_job(3_000)]).await.0);
    for id in ids {
        begun(id, Duration::from_secs(1)).await.expect("the other process was not rung");
    }
    here.stop(STOP).await;
    there.stop(STOP).await;
}
