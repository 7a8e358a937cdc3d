//! Much at once: the sandbox must not be what makes a large test slow.
//! The numbers are far below what it does, so that a busy machine does not fail them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Harness, Pair};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_one_account() {
    let h = Arc::new(Harness::start().await);
    let ig = h.instagram().await;
    let started = Instant::now();
    let tasks: Vec<_> = (0..20)
        .map(|worker| {
            let (h, account, token) = (Arc::clone(&h), ig.account.clone(), ig.token.clone());
            tokio::spawn(async move {
                for number in 0..250 {
                    let customer = format!("9{worker:03}{number:06}");
                    let pair = Pair { account: account.clone(), token: token.clone(), customer };
                    h.dm(&pair, "hello").await;
                    assert_eq!(h.send(&pair, "hi").await.status, 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let per_second = 5000.0 / started.elapsed().as_secs_f64();
    h.until("all delivered", |counters| counters["webhooksDelivered"] == 10_000).await;
    let counters = h.counters().await;
    assert_eq!(counters["repliesByInbound"]["histogram"], json!({"1": 5000}));
    assert_eq!(counters["maxSendsPerCustomer"], 1);
    assert_eq!(counters["webhooksFailed"], 0);
    assert!(started.elapsed() < Duration::from_secs(60), "{per_second} pairs per second");
    println!("{per_second:.0} DMs with a reply per second");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let h = Harness::start().await;
        let ig = h.instagram().await;
        h.dm(&ig, "hello").await;
        h.quiet().await;
        h.post("settings", json!({"seed": 42, "usageHeadersAfter": 1_000_000})).await;
        h.fault(json!({"name": "transient", "rate": 0.5})).await;
        h.fault(json!({"name": "no_echo"})).await;
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(h.send(&ig, "a").await.status);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&200) && runs[0].contains(&500));
}
