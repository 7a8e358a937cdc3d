//! Reading conversations and messages: order, pages, and what is derived.

use crate::rows;
use crate::world::{Caller, World};
use domain::id::IdKind;
use entities::conversation::{Column, Entity};
use entities::message;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

const NOW: i64 = 1_790_000_000_000;

#[tokio::test]
async fn a_conversation_shows_what_a_shop_needs() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let row = rows::talk(&world, &connection, "p1", NOW).await;
    let listed = world.get(&ada, "/api/conversations").await.body;
    assert_eq!(listed["nextCursor"], Value::Null);
    let shown = &listed["items"][0];
    assert_eq!(shown["id"], IdKind::Conversation.show(row.id));
    assert_eq!(shown["connectionId"], IdKind::Connection.show(connection.id));
    assert_eq!(shown["platform"], "instagram");
    assert_eq!(shown["contact"]["externalId"], "p1");
    assert_eq!(shown["contact"]["name"], "Ada");
    assert_eq!(shown["lastMessage"]["text"], "Thanks!");
    assert_eq!(shown["lastInboundAt"], "2026-09-21T14:13:20.000Z");
    assert_eq!(shown["windowClosesAt"], "2026-09-22T14:13:20.000Z");
    assert_eq!(shown["unreadCount"], 1);
    assert_eq!(shown["leadSource"]["type"], "ad");
    assert_eq!(shown["leadSource"]["last"]["ref"], "x");

    let path = format!("/api/conversations/{}", shown["id"].as_str().unwrap());
    assert_eq!(world.get(&ada, &path).await.body, *shown);
    let messages = world.get(&ada, &format!("{path}/messages")).await.body;
    let (reply, question) = (&messages["items"][0], &messages["items"][1]);
    assert_eq!(*reply, shown["lastMessage"]);
    assert_eq!((&reply["direction"], &reply["inReplyTo"]), (&json!("outbound"), &question["id"]));
    let attachment = &question["attachments"][0];
    assert_eq!((&attachment["type"], &attachment["url"]), (&json!("image"), &json!("https://cdn.test/1")));
    assert_eq!((&attachment["status"], &attachment["previewUrl"]), (&json!("remote"), &Value::Null));
    assert_eq!(question["reactions"][0]["reaction"], "love");
    assert_eq!(question["status"], Value::Null);

    assert_eq!(world.send(&ada, "POST", &format!("{path}/read"), Value::Null).await.status, 204);
    assert_eq!(world.get(&ada, &path).await.body["unreadCount"], 0);
}

#[tokio::test]
async fn how_far_the_contact_has_come_decides_a_sent_messages_status() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let row = rows::talk(&world, &connection, "p1", NOW).await;
    let path = format!("/api/conversations/{}/messages", IdKind::Conversation.show(row.id));
    let status = async || world.get(&ada, &path).await.body["items"][0]["status"].clone();
    assert_eq!(status().await, "sent");
    for (column, at, expected) in [
        (Column::ContactDeliveredAt, NOW, "sent"),
        (Column::ContactDeliveredAt, NOW + 1, "delivered"),
        (Column::ContactReadAt, NOW + 1, "read"),
    ] {
        let update = Entity::update_many().col_expr(column, Expr::value(Some(at))).filter(Column::Id.eq(row.id));
        update.exec(world.ctx.db.write()).await.unwrap();
        assert_eq!(status().await, expected);
    }
}

async fn pages(world: &World, caller: &Caller, path: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(caller, &format!("{path}?limit=2&cursor={cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().unwrap();
        assert!((1..=2).contains(&items.len()));
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn pages_hold_every_row_once_newest_first() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let mut expected = Vec::new();
    for n in 0..7 {
        // Several share one moment: then the id decides.
        let row = rows::talk(&world, &connection, &format!("p{n}"), NOW + n / 3).await;
        expected.insert(0, IdKind::Conversation.show(row.id));
    }
    assert_eq!(pages(&world, &ada, "/api/conversations").await, expected);
    assert_eq!(pages(&world, &ada, &format!("/api/conversations/{}/messages", expected[0])).await.len(), 2);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let world = World::new().await;
    let (ada, eve) = (world.register("ada@shop.test").await, world.register("eve@shop.test").await);
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let first = rows::talk(&world, &connection, "p1", NOW).await;
    let second = rows::talk(&world, &connection, "p2", NOW).await;
    let cursor = world.get(&ada, "/api/conversations?limit=1").await.body["nextCursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let refused = async |caller: &Caller, path: String| {
        let answer = world.get(caller, &path).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_cursor"), "{path}");
    };
    refused(&eve, format!("/api/conversations?cursor={cursor}")).await;
    refused(&ada, format!("/api/conversations?cursor=A{cursor}")).await;
    refused(&ada, "/api/conversations?cursor=%00".to_owned()).await;
    let thread = |id| format!("/api/conversations/{}/messages", IdKind::Conversation.show(id));
    refused(&ada, format!("{}?cursor={cursor}", thread(first.id))).await;
    let of_first = world.get(&ada, &format!("{}?limit=1", thread(first.id))).await.body["nextCursor"].clone();
    refused(&ada, format!("{}?cursor={}", thread(second.id), of_first.as_str().unwrap())).await;
    for limit in ["0", "-1", "x", "99999999999999999999"] {
        let answer = world.get(&ada, &format!("/api/conversations?limit={limit}")).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_parameter"), "{limit}");
        assert_eq!(answer.body["detail"], "The parameter limit is a number from 1; a page has 100 at most.");
    }
}

#[tokio::test]
async fn an_id_that_meta_never_gave_is_not_shown() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let conversation = rows::talk(&world, &connection, "person", 1_000).await;
    let made_up = message::ActiveModel {
        id: Set(conversation.last_message_id.unwrap()),
        external_id: Set(Some("without-mid:00ff".to_owned())),
        ..Default::default()
    };
    message::Entity::update(made_up).exec(world.ctx.db.write()).await.unwrap();
    let thread = format!("/api/conversations/{}/messages", IdKind::Conversation.show(conversation.id));
    let shown = world.get(&ada, &thread).await.body;
    assert_eq!(shown["items"][0]["externalId"], Value::Null);
    assert!(shown["items"][1]["externalId"].as_str().unwrap().starts_with("m_"));
}

#[tokio::test]
async fn a_conversation_is_found_by_what_it_holds() {
    let world = World::new().await;
    let (ada, eve) = (world.register("ada@shop.test").await, world.register("eve@shop.test").await);
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    rows::talk(&world, &connection, "p1", NOW).await;
    let found = async |caller: &Caller, query: &str| {
        let answer = world.get(caller, &format!("/api/conversations?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        answer.body["items"].as_array().unwrap().len()
    };
    // The name, the words of either side, Meta's id; in either case, and anywhere.
    for words in ["Ada", "ADA", "ada", "hello", "HELLO", "ello%3F", "thanks!", "Thanks", "p1", "", "%20ada%20"] {
        assert_eq!(found(&ada, &format!("q={words}")).await, 1, "{words}");
        assert_eq!(found(&eve, &format!("q={words}")).await, 0, "{words}");
    }
    // What a database would take for a wildcard, a mark or an end is a character like others.
    for words in ["%25", "_", "h_llo", "%5C", "!", "%5C%25", "'", "%22", "x", "p", "ada%00x"] {
        assert_eq!(found(&ada, &format!("q={words}")).await, usize::from(words == "!"), "{words}");
    }
    let id = IdKind::Connection.show(connection.id);
    for (query, count) in [
        ("unread=true", 1),
        ("lead=true", 0),
        ("lead=false", 1),
        ("platform=instagram", 1),
        ("platform=facebook", 0),
        ("q=ada&unread=true&lead=false&platform=instagram", 1),
        ("q=nobody&unread=true", 0),
        (&format!("connectionId={id}"), 1),
        ("connectionId=con_1", 0),
    ] {
        assert_eq!(found(&ada, query).await, count, "{query}");
    }
    let long = world.get(&ada, &format!("/api/conversations?q={}", "x".repeat(101))).await;
    assert_eq!((long.status, long.code()), (400, "invalid_parameter"));
}
