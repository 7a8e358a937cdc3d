//! Many messages for later, cancelled in the very moment they fall due: none leaves early, none twice, and none after its
//! cancel was acknowledged. `RACE_ROUNDS=100` is the full size: 5,000 of them.

use crate::harness::START;
use crate::shop::Shop;
use domain::clock::Millis;
use domain::compose::Words;
use domain::connections::LoginRoute;
use domain::id::new_id;
use domain::scheduled::{self, ScheduleError};
use entities::scheduled_message;
use futures::StreamExt as _;
use jobs::jobs::message_send_scheduled;
use sea_orm::EntityTrait as _;
use serde_json::json;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

const PAGE: &str = "101000000000001";
const CUSTOMERS: usize = 40;
const PER_ROUND: usize = 50;

fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    NotTried,
    Acknowledged,
    TooLate,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scheduled_leaves_once_in_time_or_not_at_all() {
    let shop = Shop::with(LoginRoute::FacebookPage, PAGE).await;
    let many = rounds() * PER_ROUND;
    shop.without_replies().await;
    for customer in 0..CUSTOMERS {
        shop.dm(&format!("9000000000{customer:05}"), "hello").await;
    }
    let talks: Vec<Uuid> = shop.conversations().await.into_iter().map(|talk| talk.id).collect();
    assert_eq!(talks.len(), CUSTOMERS);

    // Due one millisecond after the other, so that the cancels of the last race with the sends of the first.
    let begins = START + 3_000;
    let mut made = Vec::with_capacity(many);
    for chunk in (0..many).collect::<Vec<_>>().chunks(500) {
        let mut tx = shop.ledger.context().db.begin().await.unwrap();
        let mut jobs = Vec::new();
        for n in chunk {
            let (words, due) = (Words::Text(format!("later {n}")), begins + Millis::try_from(n / 2).unwrap());
            let talk = talks[n % CUSTOMERS];
            let id = new_id(START);
            let ctx = shop.ledger.context();
            let row = scheduled::create(&tx, ctx, shop.organization, talk, id, words, due, None).await.unwrap();
            jobs.push(message_send_scheduled::job(&row));
            made.push(row);
        }
        shop.ledger.enqueue(&mut tx, jobs).await.unwrap();
        tx.commit().await.unwrap();
    }

    // From here on both clocks go; ours is never ahead of Meta's.
    shop.control("/sandbox/clock", json!({ "set": START, "freeze": false })).await;
    let (began, clock) = (Instant::now(), shop.clock.clone());
    let passed = move || Millis::try_from(began.elapsed().as_millis()).unwrap();
    let going = tokio::spawn(async move {
        let mut turned = 0;
        loop {
            let now = passed();
            clock.advance(now - turned);
            turned = now;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });

    // Two of three are cancelled: one from five milliseconds before it is due to five after, the other until long after that,
    // while the workers get to it.
    let cancels = made.iter().enumerate().filter(|(n, _)| n % 3 != 0).map(|(n, row)| {
        let offset = Millis::try_from(if n % 3 == 1 { n % 11 } else { 5 + 20 * (n % 50) }).unwrap() - 5;
        let (ledger, organization, id, at) = (shop.ledger.clone(), shop.organization, row.id, row.due_at + offset);
        tokio::spawn(async move {
            let millis = u64::try_from(at - START).unwrap();
            tokio::time::sleep_until((began + Duration::from_millis(millis)).into()).await;
            match message_send_scheduled::cancel(&ledger, organization, id).await {
                Ok(()) => (id, Cancel::Acknowledged),
                Err(ScheduleError::Over(status)) if status == "released" => (id, Cancel::TooLate),
                Err(other) => panic!("a cancel failed: {other}"),
            }
        })
    });
    let cancelled: HashMap<Uuid, Cancel> =
        futures::stream::iter(cancels).buffer_unordered(many).map(Result::unwrap).collect().await;
    shop.until_nothing_is_due_before(begins + Millis::try_from(many).unwrap() + 60_000).await;
    going.abort();

    let mut times: HashMap<String, Vec<Millis>> = HashMap::new();
    for sent in shop.all_sent().await {
        let at = chrono::DateTime::parse_from_rfc3339(sent["at"].as_str().unwrap()).unwrap().timestamp_millis();
        times.entry(sent["text"].as_str().unwrap().to_owned()).or_default().push(at);
    }
    let (mut acknowledged, mut too_late, mut latest) = (0, 0, 0);
    for (n, row) in made.iter().enumerate() {
        let sent = times.remove(&format!("later {n}")).unwrap_or_default();
        let cancel = cancelled.get(&row.id).copied().unwrap_or(Cancel::NotTried);
        let after = scheduled_message::Entity::find_by_id(row.id).one(shop.ledger.context().db.read()).await;
        let status = after.unwrap().unwrap().status;
        match cancel {
            Cancel::Acknowledged => {
                acknowledged += 1;
                assert_eq!(
                    (sent.len(), status.as_str()),
                    (0, "cancelled"),
                    "{n}: sent after its cancel was acknowledged"
                );
            }
            Cancel::NotTried | Cancel::TooLate => {
                too_late += usize::from(cancel == Cancel::TooLate);
                assert_eq!((sent.len(), status.as_str()), (1, "released"), "{n}: {cancel:?}");
                assert!(sent[0] >= row.due_at, "{n} was early by {} ms", row.due_at - sent[0]);
                latest = latest.max(sent[0] - row.due_at);
            }
        }
    }
    assert!(times.is_empty(), "nobody scheduled {times:?}");
    assert!(acknowledged > 0 && too_late > 0, "no race: {acknowledged} acknowledged, {too_late} too late");
    println!("{many} scheduled: {acknowledged} cancels acknowledged, {too_late} too late, at most {latest} ms late");
}
