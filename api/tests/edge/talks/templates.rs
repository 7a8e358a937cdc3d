//! Templates: making, listing, changing and deleting them, a look at what becomes of one, and the keywords that make one
//! answer by itself.

use super::Talks;
use super::shop::{ANN, BEN, id_of, refusal};
use crate::world::World;
use domain::api_keys::Scope;
use domain::id::{IdKind, new_id};
use entities::template;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

#[tokio::test]
async fn templates_are_made_listed_changed_and_deleted() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let mut made = Vec::new();
    for number in 0..5 {
        let body = json!({ "name": format!("Number {number}"), "text": "Hi {{contact.name|there}}", "keywords": ["Open?", "open"] });
        let answer = world.send(&ada, "POST", "/api/templates", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(answer.body["id"].as_str().unwrap().starts_with("tpl_"));
        assert_eq!(answer.body["keywords"], json!(["open"]), "folded, and once");
        made.insert(0, answer.body);
        world.clock.advance(if number == 2 { 0 } else { 1 });
    }
    let mut listed = Vec::new();
    let mut path = "/api/templates?limit=2".to_owned();
    loop {
        let page = world.get(&ada, &path).await.body;
        listed.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        path = format!("/api/templates?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, made, "newest first, none twice, none left out");
    let one = format!("/api/templates/{}", made[0]["id"].as_str().unwrap());
    world.clock.advance(1_000);
    let changed = world.send(&ada, "PATCH", &one, json!({ "text": "Hello" })).await.body;
    assert_eq!(
        (&changed["text"], &changed["name"], &changed["keywords"]),
        (&json!("Hello"), &made[0]["name"], &json!(["open"]))
    );
    assert_ne!(changed["updatedAt"], changed["createdAt"]);
    assert_eq!(world.get(&ada, &one).await.body, changed);
    let none = world.send(&ada, "PATCH", &one, json!({ "keywords": [], "name": "Hello" })).await.body;
    assert_eq!((&none["keywords"], &none["text"]), (&json!([]), &json!("Hello")));
    let reader = world.key(ada.organization, &[Scope::InboxRead]).await;
    assert_eq!(world.get(&reader, &one).await.body, none);
    for (method, path) in [("PATCH", one.as_str()), ("DELETE", &one), ("POST", "/api/templates")] {
        let body = json!({ "name": "x", "text": "x" });
        assert_eq!(world.send(&reader, method, path, body).await.code(), "scope_required", "{method}");
    }
    assert_eq!(world.send(&ada, "DELETE", &one, Value::Null).await.status, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(world.send(&ada, method, &one, Value::Null).await.code(), "not_found");
    }
    assert_eq!(world.send(&ada, "PATCH", &one, json!({})).await.code(), "not_found");
}

#[tokio::test]
async fn what_is_no_template_is_named() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let good = json!({ "name": "Hours", "text": "We are open." });
    let made = world.send(&ada, "POST", "/api/templates", good.clone()).await.body;
    let other = world.send(&ada, "POST", "/api/templates", json!({ "name": "Other", "text": "x" })).await.body;
    let path = format!("/api/templates/{}", other["id"].as_str().unwrap());
    for (field, value, word) in [
        ("name", json!(" "), "name"),
        ("name", json!("x".repeat(81)), "name"),
        ("name", json!("a\u{1b}b"), "character"),
        ("text", json!(""), "text"),
        ("text", json!("ä".repeat(5_001)), "text"),
        ("text", json!("a\u{0}b"), "character"),
        ("text", json!("Hi {{contact.nmae}}"), "{{contact.nmae}} is not a variable"),
        ("text", json!("Hi {{}}"), "{{}} is not a variable"),
        ("text", json!("{{contact.name}} {{ token }}"), "{{token}} is not a variable"),
        ("keywords", json!(["?!"]), "keywords"),
        ("keywords", json!(["x".repeat(41)]), "keywords"),
        ("keywords", json!((0..21).map(|number| format!("word{number}")).collect::<Vec<_>>()), "keywords"),
    ] {
        let mut body = json!({ "name": "New", "text": "New" });
        body[field] = value.clone();
        let mut change = json!({});
        change[field] = value.clone();
        for answer in
            [world.send(&ada, "POST", "/api/templates", body).await, world.send(&ada, "PATCH", &path, change).await]
        {
            let (status, code, sentence) = refusal(&answer);
            assert_eq!((status, code.as_str()), (422, "invalid_request"), "{field} {value}");
            assert!(sentence.contains(word), "{sentence}");
        }
    }
    for body in [json!({ "name": "x" }), json!({ "text": "x" }), json!({ "name": 5, "text": "x" }), json!({ "x": 1 })] {
        assert_eq!(world.send(&ada, "POST", "/api/templates", body).await.code(), "invalid_request");
    }
    for answer in [
        world.send(&ada, "POST", "/api/templates", json!({ "name": " Hours ", "text": "x" })).await,
        world.send(&ada, "PATCH", &path, json!({ "name": "Hours" })).await,
    ] {
        assert_eq!((answer.status, answer.code()), (409, "name_taken"));
    }
    assert_eq!(world.send(&ada, "PATCH", &path, json!({ "name": "Other" })).await.status, 200, "its own");
    let eve = world.register("eve@shop.test").await;
    assert_eq!(world.send(&eve, "POST", "/api/templates", good).await.status, 201, "names are an organization's own");
    assert_eq!(world.get(&ada, "/api/templates").await.body["items"][1], made, "unchanged");

    let organization_id = ada.organization.unwrap().0;
    let rows = (0..498).map(|number| {
        let row = template::Model {
            id: new_id(1),
            organization_id,
            name: format!("Row {number}"),
            text: "x".to_owned(),
            keywords: "[]".to_owned(),
            created_at: 1,
            updated_at: 1,
        };
        template::ActiveModel::from(row)
    });
    template::Entity::insert_many(rows).exec_without_returning(world.ctx.db.write()).await.unwrap();
    let full = world.send(&ada, "POST", "/api/templates", json!({ "name": "One more", "text": "x" })).await;
    assert_eq!((full.status, full.code()), (409, "limit_reached"));
    assert_eq!(world.send(&ada, "DELETE", &path, Value::Null).await.status, 204);
    let room = world.send(&ada, "POST", "/api/templates", json!({ "name": "One more", "text": "x" })).await;
    assert_eq!(room.status, 201);
}

#[tokio::test]
async fn a_preview_shows_what_would_be_sent() {
    let talks = Talks::new().await;
    let ada = json!({ "accountId": talks.instagram.external_id, "id": ANN, "name": "Ada Lovelace", "username": "ada" });
    talks.logins.control("/sandbox/customers", ada).await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    let hello = talks.template("Hello", "Hi {{contact.firstName}} (@{{contact.username}})", &[]).await;
    let look = |with: Value| {
        let mut body = json!({ "conversationId": id_of(&talk) });
        body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        body
    };
    let path = "/api/templates/preview";
    let by_id = talks.done("POST", path, look(json!({ "templateId": hello }))).await;
    assert_eq!(by_id, json!({ "text": "Hi Ada (@ada)", "parts": ["Hi Ada (@ada)"] }));
    let long = format!("{{{{contact.name}}}} {}", "b".repeat(995));
    let by_text = talks.done("POST", path, look(json!({ "text": long }))).await;
    assert_eq!(by_text["text"], format!("Ada Lovelace {}", "b".repeat(995)));
    let parts: Vec<&str> = by_text["parts"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    assert_eq!(parts.len(), 2);
    let made = talks.write(&talk, json!({ "text": by_text["text"] })).await;
    talks.until_status(&talk, &made, "sent").await;
    talks.settled().await;
    assert_eq!(talks.texts(&talks.instagram, ANN).await, parts, "and so it is sent");
    for (with, status, code) in [
        (json!({ "templateId": IdKind::Template.show(new_id(1)) }), 422, "unknown_template"),
        (json!({ "templateId": "x" }), 422, "unknown_template"),
        (json!({ "text": " " }), 422, "invalid_request"),
        (json!({ "text": "a\u{0}" }), 422, "invalid_request"),
        (json!({ "text": "x".repeat(10_001) }), 422, "text_too_long"),
        (json!({ "text": "x", "templateId": hello }), 422, "invalid_request"),
        (json!({}), 422, "invalid_request"),
        (json!({ "text": "x", "conversationId": "cnv_1" }), 404, "not_found"),
        (json!({ "text": "x", "conversationId": IdKind::Conversation.show(new_id(1)) }), 404, "not_found"),
    ] {
        let answer = talks.send("POST", path, look(with.clone())).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{with}");
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_template_that_answers_is_kept_and_fits() {
    let talks = Talks::new().await;
    let thanks = talks.template("Thanks", "Thanks!", &[]).await;
    let path = format!("/api/templates/{thanks}");
    for account in [&talks.instagram, &talks.page] {
        talks.reply_with(account, json!({ "mode": "template", "templateId": thanks })).await;
    }
    let used = talks.send("DELETE", &path, Value::Null).await;
    let (status, code, sentence) = refusal(&used);
    assert_eq!((status, code.as_str()), (409, "template_in_use"));
    let shop = talks.get(&format!("/api/meta/connections/{}", talks.instagram.id)).await["name"].clone();
    assert!(sentence.contains(shop.as_str().unwrap()), "{sentence}");
    // 1000 bytes for Instagram, and the Page would take more.
    assert_eq!(talks.send("PATCH", &path, json!({ "text": "ä".repeat(500) })).await.status, 200);
    let (status, code, sentence) = refusal(&talks.send("PATCH", &path, json!({ "text": "ä".repeat(501) })).await);
    assert_eq!((status, code.as_str()), (422, "invalid_request"));
    assert!(sentence.contains("1000 bytes"), "{sentence}");
    assert_eq!(talks.get(&path).await["text"], "ä".repeat(500));
    talks.reply_with(&talks.instagram, json!({ "mode": "off", "text": "Another" })).await;
    assert_eq!(talks.send("PATCH", &path, json!({ "text": "ä".repeat(2_000) })).await.status, 200);
    let (_, _, sentence) = refusal(&talks.send("PATCH", &path, json!({ "text": "ä".repeat(2_001) })).await);
    assert!(sentence.contains("2000 characters"), "{sentence}");
    // And no account takes one that does not fit.
    let auto = format!("/api/meta/connections/{}/auto-reply", talks.instagram.id);
    let wanted = json!({ "mode": "template", "templateId": thanks });
    assert_eq!(talks.send("PUT", &auto, wanted.clone()).await.code(), "invalid_request");
    talks.reply_with(&talks.page, json!({ "mode": "off", "text": "Another" })).await;
    assert_eq!(talks.send("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(talks.send("PUT", &auto, wanted).await.code(), "unknown_template");
    talks.stop().await;
}

#[tokio::test]
async fn what_is_done_to_a_template_at_once_is_done_one_after_the_other() {
    let talks = Talks::new().await;
    let auto = format!("/api/meta/connections/{}/auto-reply", talks.page.id);
    for round in 0..10 {
        let id = talks.template(&format!("Round {round}"), "Hi", &[]).await;
        let path = format!("/api/templates/{id}");
        // Two people change it, each another part.
        let (renamed, reworded) = tokio::join!(
            talks.send("PATCH", &path, json!({ "name": format!("Named {round}") })),
            talks.send("PATCH", &path, json!({ "text": "Hello" })),
        );
        assert_eq!((renamed.status, reworded.status), (200, 200));
        let now = talks.get(&path).await;
        assert_eq!((&now["name"], &now["text"]), (&json!(format!("Named {round}")), &json!("Hello")));
        // One deletes it while another begins to answer with it.
        let (chosen, deleted) = tokio::join!(
            talks.send("PUT", &auto, json!({ "mode": "template", "templateId": id })),
            talks.send("DELETE", &path, Value::Null),
        );
        match (chosen.status, deleted.status) {
            (200, 409) => assert_eq!(talks.get(&path).await["id"], id),
            (422, 204) => assert_eq!(chosen.code(), "unknown_template"),
            both => panic!("{both:?}"),
        }
        talks.reply_with(&talks.page, json!({ "mode": "off", "text": "Another" })).await;
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_keyword_has_its_own_answer() {
    let talks = Talks::new().await;
    let ada = json!({ "accountId": talks.page.external_id, "id": ANN, "name": "Ada Lovelace" });
    talks.logins.control("/sandbox/customers", ada).await;
    let hours = talks.template("Hours", "{{contact.firstName|Dear}}: nine to six.", &["open", "opening hours"]).await;
    talks.template("Price", "It is ten.", &["price", "how much"]).await;
    // By the second message it is known who writes.
    talks.talk(&talks.page, ANN).await;
    talks.reply_with(&talks.page, json!({ "mode": "template", "text": "Thanks!" })).await;
    let mut expected = Vec::new();
    for (said, reply) in [
        ("Are you OPEN?", "Ada: nine to six."),
        ("What is the price of your opening-hours sign?", "Ada: nine to six."),
        ("How   much?!", "It is ten."),
        ("Reopened at last", "Thanks!"),
    ] {
        talks.dm(&talks.page, ANN, json!({ "text": said })).await;
        talks.settled().await;
        expected.push(reply);
        assert_eq!(talks.texts(&talks.page, ANN).await, expected, "{said}");
    }
    let rows = talks.written(&talks.path_of(&talks.page, ANN).await).await;
    assert_eq!(rows.iter().filter(|row| row["templateId"] == hours.as_str()).count(), 2, "{rows:?}");
    // It answers for every account, so it fits into one message of each.
    let long = json!({ "name": "Long", "text": "ä".repeat(501), "keywords": ["long"] });
    let (status, code, sentence) = refusal(&talks.send("POST", "/api/templates", long).await);
    assert_eq!((status, code.as_str()), (422, "invalid_request"));
    assert!(sentence.contains("1000 bytes"), "{sentence}");
    let path = format!("/api/templates/{hours}");
    assert_eq!(talks.send("PATCH", &path, json!({ "text": "ä".repeat(501) })).await.code(), "invalid_request");
    assert_eq!(talks.send("PATCH", &path, json!({ "text": "ä".repeat(501), "keywords": [] })).await.status, 200);
    // Without the mode nothing answers, keyword or not.
    talks.reply_with(&talks.page, json!({ "mode": "off" })).await;
    talks.dm(&talks.page, BEN, json!({ "text": "open?" })).await;
    talks.settled().await;
    assert_eq!(talks.texts(&talks.page, BEN).await, Vec::<String>::new());
    talks.stop().await;
}
