//! How a stream ends: with its caller's right to it, with the server, and with a caller who does not read; and what does not
//! end it.

use super::{Events, NOW, note, shop};
use crate::rows;
use crate::world::{Caller, Like, World};
use api::routes::events::Streams;
use api::server::Limits;
use domain::api_keys::Scope;
use domain::feed::What;
use domain::id::IdKind;
use entities::{api_key, message};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_session_or_the_key() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let feed = world.ctx.db.feed();
    let events = Events::open(&world, &ada).await;
    assert_eq!(world.send(&ada, "POST", "/api/auth/logout", Value::Null).await.status, 204);
    events.ends().await;

    let key = world.key(ada.organization, &[Scope::InboxRead]).await;
    let events = Events::open(&world, &key).await;
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(Some(NOW)))
        .filter(api_key::Column::OrganizationId.eq(ada.organization.unwrap().0))
        .exec(world.ctx.db.write())
        .await
        .unwrap();
    events.ends().await;

    // A stream alone does not keep a session in use.
    let eve = world.register("eve@shop.test").await;
    let events = Events::open(&world, &eve).await;
    assert_eq!(feed.subscribers_of(eve.organization.unwrap()), 1);
    world.clock.advance(domain::sessions::IDLE);
    events.ends().await;
    until("its place is free", async || feed.subscribers_of(eve.organization.unwrap()) == 0).await;
}

#[tokio::test]
async fn an_organization_has_so_many_streams_and_they_are_counted() {
    let streams = Streams { most: 2, ..Streams::default() };
    let world = World::like(Like { streams, ..Like::default() }).await;
    let (ada, eve) = (world.register("ada@shop.test").await, world.register("eve@shop.test").await);
    let open = [Events::open(&world, &ada).await, Events::open(&world, &ada).await];
    let refused = world.get(&ada, "/api/events").await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_requests"));
    assert_eq!(refused.header("retry-after"), "30");
    let of_eve = Events::open(&world, &eve).await;
    let shown = async |count: usize| {
        let figures = world.get(&Caller::default(), "/metrics").await.text;
        figures.lines().any(|line| line == format!("retail_assist_event_streams {count}"))
    };
    assert!(shown(3).await, "{}", world.get(&Caller::default(), "/metrics").await.text);
    drop((open, of_eve));
    until("closed streams give their places back", async || shown(0).await).await;
    Events::open(&world, &ada).await;
}

#[tokio::test]
async fn streams_end_at_once_when_the_server_stops() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(Events::open(&world, &ada).await);
    }
    let began = Instant::now();
    world.stop.cancel();
    for events in open {
        events.ends().await;
    }
    world.running.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// Neither the limit of a connection between requests nor somebody who wants its place ends a stream that is read.
#[tokio::test]
async fn a_healthy_stream_is_not_a_quiet_connection() {
    let limits = Limits {
        connections: 2,
        quiet: Duration::from_millis(300),
        stuck: Duration::from_millis(300),
        ..Limits::default()
    };
    let world = World::like(Like { limits, ..Like::default() }).await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let talk = rows::talk(&world, &connection, "900", NOW).await;
    let mut events = Events::open(&world, &ada).await;
    let path = format!("/api/conversations/{}", IdKind::Conversation.show(talk.id));
    for _ in 0..4 {
        // Both places are taken for a while, and the other caller's is given up.
        let idle = tokio::net::TcpStream::connect(world.address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(idle);
        assert_eq!(world.get(&ada, &path).await.status, 200);
        note(&world, ada.organization, What::Conversation(talk.id)).await;
        events.until("conversation", |_| true).await;
    }
}

#[tokio::test]
async fn a_caller_who_does_not_read_is_cut_off() {
    let limits = Limits { stuck: Duration::from_millis(300), ..Limits::default() };
    let world = World::like(Like { limits, ..Like::default() }).await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let talk = rows::talk(&world, &connection, "900", NOW).await;
    let long = "x".repeat(1 << 20);
    message::Entity::update_many()
        .col_expr(message::Column::Text, Expr::value(Some(long)))
        .exec(world.ctx.db.write())
        .await
        .unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut deaf = socket.connect(world.address).await.unwrap();
    let head = format!("GET /api/events HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", ada.cookie.as_ref().unwrap());
    deaf.write_all(head.as_bytes()).await.unwrap();
    let (feed, organization) = (world.ctx.db.feed(), ada.organization.unwrap());
    until("it is open", async || feed.subscribers_of(organization) == 1).await;
    let began = Instant::now();
    until("it is cut off", async || {
        note(&world, Some(organization), What::Conversation(talk.id)).await;
        feed.subscribers_of(organization) == 0
    })
    .await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    let mut rest = Vec::new();
    let _reset_or_closed = tokio::time::timeout(Duration::from_secs(5), deaf.read_to_end(&mut rest)).await.unwrap();
}
