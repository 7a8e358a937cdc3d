//! Schedules: once across any number of processes, and caught up after downtime.

use crate::harness::Bench;
use entities::{job, schedule};
use jobs::ledger::schedule::{RanNow, list, run_due, run_now};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

async fn made(bench: &Bench) -> u64 {
    job::Entity::find()
        .filter(job::Column::Kind.eq("test.hourly"))
        .count(bench.ledger.context().db.read())
        .await
        .unwrap()
}

async fn finish_all(bench: &Bench) {
    job::Entity::update_many()
        .col_expr(job::Column::State, sea_orm::sea_query::Expr::value("completed"))
        .filter(job::Column::State.eq("available"))
        .exec(bench.ledger.context().db.write())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_due_time_makes_one_job_across_processes_and_downtime_is_caught_up_once() {
    let bench = Bench::new().await;
    let others = [bench.another().await, bench.another().await, bench.another().await];
    let everybody = || async {
        let now = bench.ledger.now();
        let runs =
            futures::future::join_all(others.iter().chain([&bench.ledger]).map(|ledger| run_due(ledger, now))).await;
        runs.into_iter().map(Result::unwrap).sum::<usize>()
    };
    assert_eq!(everybody().await, 0, "registered, and first due an hour from now");
    for round in 1..=5 {
        bench.clock.advance(3_600_000);
        assert_eq!(everybody().await, 1);
        assert_eq!(made(&bench).await, round);
        finish_all(&bench).await;
    }
    bench.clock.advance(50 * 3_600_000 + 1_234);
    assert_eq!(everybody().await, 1, "fifty hours of downtime make one job");
    assert_eq!(everybody().await, 0);
    let row = schedule::Entity::find_by_id("test.hourly").one(bench.ledger.context().db.read()).await.unwrap().unwrap();
    assert_eq!((row.last_due_at - crate::harness::START) % 3_600_000, 0, "the rhythm is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_out_of_turn_is_one_job_and_leaves_the_rhythm_alone() {
    let bench = Bench::new().await;
    let ask = async |name: &str| {
        let mut tx = bench.ledger.context().db.begin().await.unwrap();
        let ran = run_now(&bench.ledger, &mut tx, name, bench.ledger.now()).await.unwrap();
        tx.commit().await.unwrap();
        ran
    };
    let set = async |state: &str| {
        job::Entity::update_many()
            .col_expr(job::Column::State, sea_orm::sea_query::Expr::value(state))
            .col_expr(job::Column::RunAt, sea_orm::sea_query::Expr::value(bench.ledger.now() + 60_000))
            .exec(bench.ledger.context().db.write())
            .await
            .unwrap();
    };
    assert_eq!(list(&bench.ledger).await.unwrap()[0].next_due_at(), None, "no worker has registered it");
    assert_eq!(run_due(&bench.ledger, bench.ledger.now()).await.unwrap(), 0);
    let before = list(&bench.ledger).await.unwrap()[0];
    assert_eq!(before.next_due_at(), Some(crate::harness::START + 3_600_000));
    assert_eq!(ask("test.yearly").await, None);

    bench.clock.advance(1_000);
    let Some(RanNow::Made(id)) = ask("test.hourly").await else { panic!("no job was made") };
    set("retryable").await;
    assert_eq!(ask("test.hourly").await, Some(RanNow::Hastened(id)));
    let job = bench.job(id).await;
    assert_eq!((job.state.as_str(), job.run_at), ("available", bench.ledger.now()));
    set("running").await;
    assert_eq!(ask("test.hourly").await, Some(RanNow::Running(id)));
    set("completed").await;
    assert!(matches!(ask("test.hourly").await, Some(RanNow::Made(other)) if other != id));
    assert_eq!(made(&bench).await, 2);
    assert_eq!(list(&bench.ledger).await.unwrap()[0].last_due_at, before.last_due_at);
}
