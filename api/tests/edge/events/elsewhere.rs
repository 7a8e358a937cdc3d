//! What another process commits on the same database: told through Redis or Postgres, and where there is neither, read again.

use super::{Events, NOW, note, shop};
use crate::rows;
use crate::world::World;
use domain::feed::What;
use domain::id::IdKind;
use domain::inbox::threads;
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use std::time::Duration;
use testbed::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_commits_is_told_here() {
    let world = World::new().await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let (eve, _) = shop(&world, "eve@shop.test", "18").await;
    let talk = rows::talk(&world, &connection, "900", NOW).await;
    let other = world.other_process().await;
    let mut to_eve = Events::open(&world, &eve).await;
    if Setup::current() == Setup::Sqlite {
        let mut response = world.request(&ada, "GET", "/api/events").send().await.unwrap();
        let within = tokio::time::timeout(Duration::from_secs(10), async {
            let mut text = String::new();
            while !text.contains(r#"{"reason":"shared"}"#) {
                text.push_str(str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
            }
        });
        return within.await.expect("nobody was told to read again");
    }
    let mut to_ada = Events::open(&world, &ada).await;
    let tx = other.context().db.begin().await.unwrap();
    assert!(threads::mark_read(&tx, ada.organization.unwrap(), talk.id).await.unwrap());
    tx.commit().await.unwrap();
    let (name, shown) = to_ada.next().await.unwrap();
    assert_eq!((name.as_str(), &shown["id"]), ("conversation", &json!(IdKind::Conversation.show(talk.id))));
    assert_eq!(shown["unreadCount"], 0);

    // What this process commits comes once, although it is sent to the others, too.
    for n in 0..3 {
        let tx = other.context().db.begin().await.unwrap();
        tx.note(ada.organization.unwrap().0, What::ScheduledMessage(talk.id));
        tx.commit().await.unwrap();
        note(&world, ada.organization, What::Connection(connection.id)).await;
        assert_eq!(to_ada.next().await.unwrap().0, "connection", "{n}");
    }
    note(&world, eve.organization, What::Everything).await;
    assert_eq!(to_eve.next().await.unwrap(), ("resync".to_owned(), json!({ "reason": "many" })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_broke_is_made_up_for() {
    if Setup::current() != Setup::Postgres {
        return;
    }
    let world = World::new().await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let talk = rows::talk(&world, &connection, "900", NOW).await;
    let other = world.other_process().await;
    let mut events = Events::open(&world, &ada).await;
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE application_name = 'retail-assist feed' AND datname = current_database()";
    world.ctx.db.write().execute_unprepared(cut).await.unwrap();
    assert_eq!(events.until("resync", |_| true).await["reason"], "reconnected");
    let tx = other.context().db.begin().await.unwrap();
    assert!(threads::mark_read(&tx, ada.organization.unwrap(), talk.id).await.unwrap());
    tx.commit().await.unwrap();
    events.until("conversation", |shown| shown["unreadCount"] == 0).await;
}
