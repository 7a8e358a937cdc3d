//! Figures for Prometheus. Counters are kept where things happen; what is a state of the database is read when asked for.

use super::ledger;
use domain::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sea_orm::DbErr;
use std::sync::OnceLock;

/// Seconds; from a quick read to the longest a request may take.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// The recorder of this process; installed at the first call.
pub fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    // Buckets are refused only when there are none.
    let builder = PrometheusBuilder::new();
    let builder = builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another recorder of figures is installed; ours shows nothing");
    }
    handle
}

/// Reads the gauges that are states of the database.
pub async fn refresh(ctx: &Context) -> Result<(), DbErr> {
    let (db, now) = (ctx.db.read(), ctx.now());
    let queues = ledger::queues(db, now).await?;
    for queue in &queues {
        for (state, jobs) in [("waiting", queue.waiting), ("running", queue.running)] {
            metrics::gauge!("retail_assist_jobs", "queue" => queue.name.clone(), "state" => state).set(figure(jobs));
        }
        let age = queue.oldest_due_at.map_or(0, |at| (now - at).max(0));
        metrics::gauge!("retail_assist_oldest_due_seconds", "queue" => queue.name.clone()).set(figure(age) / 1_000.0);
        metrics::gauge!("retail_assist_queue_paused", "queue" => queue.name.clone()).set(u8::from(queue.paused));
    }
    let workers = i64::try_from(ledger::live_workers(db, now).await?).unwrap_or(i64::MAX);
    metrics::gauge!("retail_assist_workers_live").set(figure(workers));
    metrics::gauge!("retail_assist_messages_unknown").set(figure(ledger::unknown_messages(db).await?));
    Ok(())
}

/// Figures are far below where a float stops counting.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn figure(count: i64) -> f64 {
    count as f64
}
