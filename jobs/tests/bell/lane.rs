//! Within one process nothing waits for the tick that could begin at once.

use crate::site::{Site, a_job, begun, enqueue, settings};
use jobs::Workers;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_next_of_a_lane_begins_when_the_one_before_has_ended() {
    let site = Site::on_sqlite().await;
    let process = site.process(settings()).await;
    let workers = Workers::start(&process);
    let lane = |job: jobs::ledger::enqueue::NewJob| job.lane("conversation".to_owned());
    let (ids, committed) = enqueue(&process, (0..4).map(|_| lane(a_job(50))).collect()).await;
    let last = begun(ids[3], Duration::from_secs(5)).await.expect("the lane waited for the tick");
    assert!(last.saturating_duration_since(committed) < Duration::from_secs(2));
    workers.stop(Duration::from_secs(5)).await;
}
