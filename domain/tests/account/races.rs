//! Many at once: the plan holds at every commit, nobody is refused while there was room, and a handle is good once.

use crate::bench::Bench;
use crate::people::{Person, candidate, ready};
use domain::audit::Actor;
use domain::connect::{self, SaveError, Selection};
use domain::connections::{self, LoginRoute};
use domain::{organizations, plans};
use entities::connect_flow::Model as Flow;
use entities::{connection, plan_slot};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    Statement,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Rounds of each race: the full number takes minutes, and is asked for with `RACE_ROUNDS=100`.
fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Accounts that count: all but those over plan or disconnected.
async fn counted(bench: &Bench, person: &Person) -> (u64, u64) {
    let db = bench.ctx.db.read();
    let within = connection::Entity::find()
        .filter(connection::Column::OrganizationId.eq(person.organization.0))
        .filter(connection::Column::Status.is_not_in(["disconnected", "over_plan"]))
        .count(db)
        .await
        .unwrap();
    let slots = plan_slot::Entity::find()
        .filter(plan_slot::Column::OrganizationId.eq(person.organization.0))
        .count(db)
        .await
        .unwrap();
    (within, slots)
}

/// Whether accounts or places are more than the plan in force allows: asked in one statement, which sees one moment.
async fn is_over(bench: &Bench, person: &Person) -> bool {
    let db = bench.ctx.db.read();
    let place = if db.get_database_backend() == DbBackend::Postgres { "$1" } else { "?1" };
    let text = format!(
        "SELECT plans.accounts_limit AS allowed,
                (SELECT count(*) FROM connections AS c WHERE c.organization_id = o.id
                    AND c.status NOT IN ('disconnected', 'over_plan')) AS accounts,
                (SELECT count(*) FROM plan_slots AS s WHERE s.organization_id = o.id) AS places
         FROM organizations AS o JOIN plans ON plans.id = o.plan_id WHERE o.id = {place}"
    );
    let asked = Statement::from_sql_and_values(db.get_database_backend(), text, [person.organization.0.into()]);
    let row = db.query_one_raw(asked).await.unwrap().unwrap();
    let allowed = i64::from(row.try_get::<i32>("", "allowed").unwrap());
    let number = |name: &str| row.try_get::<i64>("", name).unwrap();
    number("accounts") > allowed || number("places") > allowed
}

#[derive(Default)]
struct Tally {
    saved: AtomicUsize,
    full: AtomicUsize,
    wrong: AtomicUsize,
}

/// One save; a refusal must be true in the very transaction that it was made in.
async fn try_save(bench: &Bench, person: &Person, flow: &Flow, id: &str, tally: &Tally) {
    let tx = bench.ctx.db.begin().await.unwrap();
    let selection = Selection::new([id.to_owned()]).unwrap();
    match connect::save(&tx, &bench.ctx, flow.id, &selection, Actor::User(person.user)).await {
        Ok(_) => {
            tx.commit().await.unwrap();
            tally.saved.fetch_add(1, Ordering::SeqCst);
        }
        Err(SaveError::Plan(_)) => {
            let entitled = plans::Entitled::load(tx.conn(), person.organization).await.unwrap().unwrap();
            let used = plans::accounts_used(tx.conn(), person.organization).await.unwrap();
            let limit = entitled.plan.accounts_limit.map_or(u64::MAX, |limit| u64::try_from(limit).unwrap());
            if used < limit {
                tally.wrong.fetch_add(1, Ordering::SeqCst);
            }
            tally.full.fetch_add(1, Ordering::SeqCst);
            tx.rollback().await.unwrap();
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_saves_between_plan_changes_disconnects_and_reconnects_keep_the_plan() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..rounds() {
        let person = Arc::new(Person::of(&bench, "starter").await);
        let mut flows = Vec::new();
        // 32 logins over 24 accounts: eight of them reconnect what another one connects.
        for n in 0..32 {
            let id = format!("{round}-{}", n % 24);
            flows.push((id.clone(), ready(&bench, &person, vec![candidate(&id)]).await.0));
        }
        let (tally, over) = (Arc::new(Tally::default()), Arc::new(AtomicUsize::new(0)));
        let done = Arc::new(AtomicBool::new(false));
        let watcher = {
            let (bench, person, over, done) = (bench.clone(), person.clone(), over.clone(), done.clone());
            tokio::spawn(async move {
                let mut looks = 0_usize;
                while !done.load(Ordering::SeqCst) {
                    over.fetch_add(usize::from(is_over(&bench, &person).await), Ordering::SeqCst);
                    looks += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                looks
            })
        };
        let mut tasks = Vec::new();
        for (id, flow) in flows {
            let (bench, person, tally) = (bench.clone(), person.clone(), tally.clone());
            tasks.push(tokio::spawn(async move { try_save(&bench, &person, &flow, &id, &tally).await }));
        }
        for step in 0..8 {
            let (bench, person) = (bench.clone(), person.clone());
            tasks.push(tokio::spawn(async move { disturb(&bench, &person, step).await }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        assert!(watcher.await.unwrap() > 0);
        assert_eq!(over.load(Ordering::SeqCst), 0, "round {round}: over the plan");
        assert_eq!(tally.wrong.load(Ordering::SeqCst), 0, "round {round}: refused while there was room");
        assert_eq!(tally.saved.load(Ordering::SeqCst) + tally.full.load(Ordering::SeqCst), 32);
        settled(&bench, &person, round).await;
    }
}

/// Plan changes and disconnects, while others save.
async fn disturb(bench: &Bench, person: &Person, step: usize) {
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..15))).await;
    let tx = bench.ctx.db.begin().await.unwrap();
    if step.is_multiple_of(2) {
        let plan = if step.is_multiple_of(4) { "pro" } else { "starter" };
        organizations::set_plan(&tx, &bench.ctx, Actor::CommandLine, person.organization, plan).await.unwrap();
    } else {
        let rows = connections::list(tx.conn(), person.organization).await.unwrap();
        if let Some(row) = rows.iter().find(|row| row.status == "active") {
            connections::disconnect(&tx, &bench.ctx, Actor::CommandLine, person.organization, row.id).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

/// When all is quiet, the plan of the moment is kept, and no account is over plan while there is room.
async fn settled(bench: &Bench, person: &Person, round: usize) {
    let (within, slots) = counted(bench, person).await;
    let entitled = plans::Entitled::load(bench.ctx.db.read(), person.organization).await.unwrap().unwrap();
    let limit = entitled.plan.accounts_limit.map_or(u64::MAX, |limit| u64::try_from(limit).unwrap());
    assert!(within <= limit && within == slots, "round {round}: {within} accounts, {slots} places, {limit} allowed");
    let rows = connections::list(bench.ctx.db.read(), person.organization).await.unwrap();
    let over = rows.iter().filter(|row| row.status == "over_plan").count();
    assert!(over == 0 || within == limit, "round {round}: {over} over plan, {within} of {limit}");
    let unique: BTreeSet<&str> = rows.iter().map(|row| row.external_id.as_str()).collect();
    assert_eq!(unique.len(), rows.len(), "an account has one row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_choices_for_one_handle_one_takes_effect() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..rounds() {
        let person = Arc::new(Person::of(&bench, "enterprise").await);
        let ids: Vec<String> = (0..50).map(|n| format!("{round}-{n}")).collect();
        let flow = ready(&bench, &person, ids.iter().map(|id| candidate(id)).collect()).await.0;
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                // Every fifth makes the same choice; the others each their own.
                let id = if n % 5 == 0 { ids[0].clone() } else { ids[n].clone() };
                let (bench, person, flow) = (bench.clone(), person.clone(), flow.clone());
                tokio::spawn(async move {
                    let tx = bench.ctx.db.begin().await.unwrap();
                    let selection = Selection::new([id.clone()]).unwrap();
                    match connect::save(&tx, &bench.ctx, flow.id, &selection, Actor::User(person.user)).await {
                        Ok(saved) => {
                            tx.commit().await.unwrap();
                            let made = saved.connections.into_iter().map(|row| row.id).collect::<Vec<_>>();
                            Some((id, made, saved.fresh))
                        }
                        Err(SaveError::HandleInvalid) => None,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.extend(task.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|(.., fresh)| *fresh).count(), 1, "round {round}");
        let winners: BTreeSet<_> = answers.iter().map(|(id, made, _)| (id.clone(), made.clone())).collect();
        assert_eq!(winners.len(), 1, "round {round}: the same choice, the same answer");
        let rows = connections::list(bench.ctx.db.read(), person.organization).await.unwrap();
        assert_eq!(rows.len(), 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_account_that_two_organizations_want_has_one_owner() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..rounds() {
        let id = format!("wanted-{round}");
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (bench, id) = (bench.clone(), id.clone());
                tokio::spawn(async move {
                    let shop = bench.organization("pro").await;
                    bench.connect(shop, LoginRoute::FacebookPage, &id).await.is_ok()
                })
            })
            .collect();
        let mut owners = 0;
        for task in tasks {
            owners += usize::from(task.await.unwrap());
        }
        assert_eq!(owners, 1, "round {round}");
    }
}
