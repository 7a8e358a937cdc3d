//! The stream of what changes: what it tells, to whom, and how it ends.

mod elsewhere;
mod ends;

use crate::rows;
use crate::webhooks::sign;
use crate::world::{Caller, Like, World};
use domain::OrganizationId;
use domain::api_keys::Scope;
use domain::clock::{DAY, rfc3339};
use domain::compose::{self, Author, Words};
use domain::feed::{MOST, Noted, What};
use domain::id::{IdKind, new_id};
use domain::inbox::threads;
use domain::outbound::{self, Trouble};
use domain::scheduled;
use entities::connection;
use jobs::Workers;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub const NOW: i64 = 1_790_000_000_000;
const SOON: Duration = Duration::from_secs(10);

/// An open stream.
pub struct Events {
    pub response: reqwest::Response,
    text: String,
}

impl Events {
    /// Opens it and reads its beginning.
    pub async fn open(world: &World, caller: &Caller) -> Self {
        let response = world.request(caller, "GET", "/api/events").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut events = Self { response, text: String::new() };
        let (name, data) = events.next().await.expect("a stream that ended");
        assert!(name == "ready" && data["at"].is_string(), "{name} {data}");
        events
    }

    /// The next event, or `None` at the end.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let name = line("event: ").unwrap_or("message").to_owned();
                let data: Option<Value> = line("data: ").map(|data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                match data {
                    // On a database that others may share without a word, everybody reads again now and then.
                    Some(data) if data["reason"] != "shared" => return Some((name, data)),
                    _ => continue,
                }
            }
            let chunk = timeout_at(deadline, self.response.chunk()).await.expect("nothing came in time");
            self.text.push_str(str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    /// The next event of this name for which this holds.
    pub async fn until(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (found, data) = self.next().await.expect("the stream ended");
            if found == name && holds(&data) {
                return data;
            }
        }
    }

    /// Reads to the end of the stream.
    pub async fn ends(mut self) {
        while self.next().await.is_some() {}
    }
}

/// A signed-in shop with an account.
pub async fn shop(world: &World, email: &str, account: &str) -> (Caller, connection::Model) {
    let caller = world.register(email).await;
    let connection = rows::connect(world, caller.organization.unwrap(), account).await;
    (caller, connection)
}

pub async fn note(world: &World, organization: Option<OrganizationId>, what: What) {
    let tx = world.ctx.db.begin().await.unwrap();
    tx.note(organization.unwrap().0, what);
    tx.commit().await.unwrap();
}

async fn webhook(world: &World, messaging: Value) {
    let body = json!({ "object": "instagram", "entry": [{ "id": "17", "time": NOW, "messaging": [messaging] }] });
    let body = body.to_string();
    let request = world.request(&Caller::default(), "POST", "/api/webhooks/instagram");
    let request = request.header("X-Hub-Signature-256", sign("instagram", body.as_bytes()));
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
}

fn dm(mid: &str, text: &str) -> Value {
    let message = json!({ "mid": mid, "text": text });
    json!({ "sender": { "id": "900" }, "recipient": { "id": "17" }, "timestamp": NOW, "message": message })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_message_is_told_as_its_routes_show_it() {
    let world = World::new().await;
    let (ada, _) = shop(&world, "ada@shop.test", "17").await;
    let workers = Workers::start(&world.ledger);
    let mut events = Events::open(&world, &ada).await;
    let headers = events.response.headers();
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    {
        assert_eq!(headers[name], value);
    }
    webhook(&world, dm("m_1", "Hello?")).await;
    let message = events.until("message", |message| message["text"] == "Hello?").await;
    let conversation = events.until("conversation", |_| true).await;
    assert_eq!((&conversation["lastMessage"], &conversation["unreadCount"]), (&message, &json!(1)));
    let path = format!("/api/conversations/{}", conversation["id"].as_str().unwrap());
    assert_eq!(world.get(&ada, &path).await.body, conversation);
    assert_eq!(world.get(&ada, &format!("{path}/messages")).await.body["items"][0], message);

    // What is said of it afterwards is told, too.
    let reaction = json!({ "mid": "m_1", "action": "react", "reaction": "love", "emoji": "❤" });
    let by =
        json!({ "sender": { "id": "900" }, "recipient": { "id": "17" }, "timestamp": NOW + 1, "reaction": reaction });
    webhook(&world, by.clone()).await;
    events.until("message", |message| message["reactions"][0]["emoji"] == "❤").await;
    // One to a message that nobody has seen changes no message, and until when the shop may write.
    let (mut unseen, at) = (by, NOW + 60_000);
    unseen["reaction"]["mid"] = json!("m_unseen");
    unseen["timestamp"] = json!(at);
    webhook(&world, unseen).await;
    let closes = rfc3339(at + DAY);
    events.until("conversation", |conversation| conversation["windowClosesAt"] == closes).await;
    webhook(
        &world,
        json!({ "sender": { "id": "900" }, "recipient": { "id": "17" }, "timestamp": NOW + 2,
        "message": { "mid": "m_1", "is_deleted": true } }),
    )
    .await;
    events.until("message", |message| message["kind"] == "deleted" && message["text"] == Value::Null).await;
    assert_eq!(world.send(&ada, "POST", &format!("{path}/read"), Value::Null).await.status, 204);
    events.until("conversation", |conversation| conversation["unreadCount"] == 0).await;
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_of_a_message_is_told() {
    let world = World::like(Like { signup_plan: Some("team"), ..Like::default() }).await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let conversation = rows::talk(&world, &connection, "900", NOW).await;
    let mut events = Events::open(&world, &ada).await;
    let (organization, id, db) = (ada.organization.unwrap(), new_id(NOW), &world.ctx.db);
    let is = |status: &'static str| {
        move |message: &Value| message["id"] == IdKind::Message.show(id) && message["status"] == status
    };
    let author = Author { user: None, by_hand: true };
    let words = Words::Text("On its way".to_owned());
    let tx = db.begin().await.unwrap();
    let made = compose::compose(&tx, &world.ctx, organization, conversation.id, id, &words, author).await.unwrap();
    tx.commit().await.unwrap();
    events.until("message", is("queued")).await;
    let trouble = Trouble { class: "permanent".to_owned(), code: None, sentence: "No.".to_owned() };

    let tx = db.begin().await.unwrap();
    assert!(outbound::begin(&tx, id, NOW).await.unwrap());
    tx.commit().await.unwrap();
    events.until("message", is("sending")).await;
    let tx = db.begin().await.unwrap();
    outbound::fail(&tx, &made[0], &trouble).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(events.until("message", is("failed")).await["error"]["message"], "No.");
    let tx = db.begin().await.unwrap();
    compose::retry(&tx, &world.ctx, organization, conversation.id, id, true).await.unwrap();
    tx.commit().await.unwrap();
    events.until("message", is("queued")).await;
    let tx = db.begin().await.unwrap();
    assert!(outbound::begin(&tx, id, NOW).await.unwrap());
    outbound::unknown(&tx, id, &trouble).await.unwrap();
    tx.commit().await.unwrap();
    events.until("message", is("unknown")).await;
    let tx = db.begin().await.unwrap();
    outbound::sent(&tx, id, "m_sent", Some(NOW + 5), NOW + 5).await.unwrap();
    tx.commit().await.unwrap();
    events.until("message", is("sent")).await;
    events.until("conversation", |shown| shown["lastMessage"]["externalId"] == "m_sent").await;

    // The contact reads: messages without a new row have a new status.
    let workers = Workers::start(&world.ledger);
    webhook(
        &world,
        json!({ "sender": { "id": "900" }, "recipient": { "id": "17" }, "timestamp": NOW + 9,
        "read": { "mid": "m_sent" } }),
    )
    .await;
    events.until("message", is("read")).await;
    events.until("conversation", |shown| shown["lastMessage"]["status"] == "read").await;
    workers.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn connections_and_scheduled_messages_are_told_to_whoever_may_see_them() {
    let world = World::like(Like { signup_plan: Some("team"), ..Like::default() }).await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let organization = ada.organization.unwrap();
    let conversation = rows::talk(&world, &connection, "900", NOW).await;
    let inbox_only = world.key(ada.organization, &[Scope::InboxRead]).await;
    let both = world.key(ada.organization, &[Scope::InboxRead, Scope::ConnectionsRead]).await;
    let mut events = Events::open(&world, &ada).await;
    let mut of_key = Events::open(&world, &both).await;
    let mut blind = Events::open(&world, &inbox_only).await;

    let path = format!("/api/meta/connections/{}", IdKind::Connection.show(connection.id));
    let reply = json!({ "mode": "template", "text": "x" });
    let changed = world.send(&ada, "PUT", &format!("{path}/auto-reply"), reply).await.body;
    assert_eq!(events.until("connection", |_| true).await, changed);
    assert_eq!(of_key.until("connection", |_| true).await, changed);
    let tx = world.ctx.db.begin().await.unwrap();
    domain::connections::needs_reconnect(&tx, &world.ctx, &connection, "The password was changed.").await.unwrap();
    tx.commit().await.unwrap();
    events.until("connection", |shown| shown["status"] == "needs_reconnect").await;
    assert_eq!(world.send(&ada, "DELETE", &path, Value::Null).await.status, 204);
    events.until("connection", |shown| shown["status"] == "disconnected").await;
    rows::connect(&world, organization, "17").await;
    events.until("connection", |shown| shown["status"] == "active").await;

    let tx = world.ctx.db.begin().await.unwrap();
    let (words, due) = (Words::Text("Later".to_owned()), NOW + 3_600_000);
    let row =
        scheduled::create(&tx, &world.ctx, organization, conversation.id, new_id(1), words, due, None).await.unwrap();
    tx.commit().await.unwrap();
    let id = IdKind::ScheduledMessage.show(row.id);
    events.until("scheduledMessage", |shown| shown["id"] == id && shown["status"] == "scheduled").await;
    let tx = world.ctx.db.begin().await.unwrap();
    scheduled::cancel(&tx, &world.ctx, organization, row.id).await.unwrap();
    tx.commit().await.unwrap();
    events.until("scheduledMessage", |shown| shown["id"] == id && shown["status"] == "cancelled").await;
    // All that came before is the connection's, and not for this key.
    assert_eq!(blind.next().await.unwrap().0, "scheduledMessage");

    let no_inbox = world.key(ada.organization, &[Scope::ConnectionsRead]).await;
    assert_eq!(world.get(&no_inbox, "/api/events").await.code(), "scope_required");
    assert_eq!(world.get(&Caller::default(), "/api/events").await.code(), "unauthenticated");
    let operator = world.key(None, &[Scope::JobsRead]).await;
    assert_eq!(world.get(&operator, "/api/events").await.code(), "unauthenticated");
}

/// Everything of Ada's changes while Eve listens; even what is noted for Eve by mistake does not show what is Ada's.
#[tokio::test]
async fn another_organization_sees_nothing() {
    let world = World::new().await;
    let (ada, hers) = shop(&world, "ada@shop.test", "17").await;
    let (eve, eves) = shop(&world, "eve@shop.test", "18").await;
    let talk = rows::talk(&world, &hers, "900", NOW).await;
    let own = rows::talk(&world, &eves, "900", NOW).await;
    let (mut to_ada, mut to_eve) = (Events::open(&world, &ada).await, Events::open(&world, &eve).await);
    let message = What::Message { conversation: talk.id, id: talk.last_message_id.unwrap() };
    let receipts = What::Receipts { conversation: talk.id, since: i64::MIN };
    let all = [What::Conversation(talk.id), What::Connection(hers.id), What::ScheduledMessage(talk.id), receipts];
    let tx = world.ctx.db.begin().await.unwrap();
    all.into_iter().chain([message]).for_each(|what| tx.note(ada.organization.unwrap().0, what));
    tx.commit().await.unwrap();
    to_ada.until("message", |shown| shown["text"] == "Thanks!").await;
    to_ada.until("connection", |_| true).await;
    for what in all {
        note(&world, eve.organization, what).await;
    }
    note(&world, eve.organization, What::Conversation(own.id)).await;
    let (name, first) = to_eve.next().await.unwrap();
    assert_eq!((name.as_str(), &first["id"]), ("conversation", &json!(IdKind::Conversation.show(own.id))));
    // A message that is not there for her is one that was removed.
    note(&world, eve.organization, message).await;
    let (name, data) = to_eve.next().await.unwrap();
    assert_eq!((name.as_str(), data), ("resync", json!({ "reason": "removed" })));
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told_and_too_much_at_once_is_read_again() {
    let world = World::new().await;
    let (ada, connection) = shop(&world, "ada@shop.test", "17").await;
    let organization = ada.organization.unwrap();
    let (one, other) =
        (rows::talk(&world, &connection, "900", NOW).await, rows::talk(&world, &connection, "901", NOW).await);
    let mut events = Events::open(&world, &ada).await;
    let tx = world.ctx.db.begin().await.unwrap();
    assert!(threads::mark_read(&tx, organization, one.id).await.unwrap());
    tx.rollback().await.unwrap();
    let tx = world.ctx.db.begin().await.unwrap();
    assert!(threads::mark_read(&tx, organization, one.id).await.unwrap());
    drop(tx);
    let tx = world.ctx.db.begin().await.unwrap();
    assert!(threads::mark_read(&tx, organization, other.id).await.unwrap());
    tx.commit().await.unwrap();
    let (name, shown) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &shown["id"]), ("conversation", &json!(IdKind::Conversation.show(other.id))));

    // The same thing many times is told once.
    for _ in 0..20 {
        note(&world, ada.organization, What::Conversation(other.id)).await;
    }
    note(&world, ada.organization, What::Connection(connection.id)).await;
    let mut told = 0;
    while events.next().await.unwrap().0 == "conversation" {
        told += 1;
    }
    assert!(told < 10, "{told}");

    let tx = world.ctx.db.begin().await.unwrap();
    for n in 0..=MOST as u128 {
        tx.note(organization.0, What::Conversation(Uuid::from_u128(n)));
    }
    tx.commit().await.unwrap();
    assert_eq!(events.until("resync", |_| true).await["reason"], "many");

    // More than it can follow, for nothing else runs on this thread meanwhile.
    for _ in 0..100 {
        let mut noted = Noted::default();
        noted.add(organization.0, What::Connection(connection.id));
        world.ctx.db.feed().publish(noted);
    }
    assert_eq!(events.until("resync", |_| true).await["reason"], "lagging");
}
