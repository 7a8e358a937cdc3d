//! Connections, their automatic reply, the plan, and the audit trail of it all.

use crate::rows;
use crate::world::World;
use domain::id::IdKind;
use serde_json::{Value, json};

#[tokio::test]
async fn a_connection_is_shown_without_its_token() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let row = rows::connect(&world, ada.organization.unwrap(), "17841").await;
    let answer = world.get(&ada, "/api/meta/connections").await;
    assert!(!answer.text.contains("geheim") && !answer.text.contains("v1."), "{}", answer.text);
    let shown = &answer.body["items"][0];
    assert_eq!(shown["id"], IdKind::Connection.show(row.id));
    for (field, value) in [
        ("platform", "instagram"),
        ("externalId", "17841"),
        ("name", "Account"),
        ("username", "account"),
        ("status", "active"),
    ] {
        assert_eq!(shown[field], value);
    }
    assert_eq!(shown["scopes"], json!(["instagram_business_basic"]));
    let off = json!({ "mode": "off", "text": null, "templateId": null, "instructions": null, "pauseMinutes": 60 });
    assert_eq!(shown["autoReply"], off);
    assert_eq!((&shown["tokenExpiresAt"], &shown["lastWebhookAt"]), (&Value::Null, &Value::Null));
    assert_eq!(world.get(&ada, &format!("/api/meta/connections/{}", shown["id"].as_str().unwrap())).await.body, *shown);
}

#[tokio::test]
async fn the_automatic_reply_is_checked_before_it_is_saved() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let row = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let path = format!("/api/meta/connections/{}/auto-reply", IdKind::Connection.show(row.id));
    let saved = world.send(&ada, "PUT", &path, json!({ "mode": "template", "text": "Thanks!" })).await;
    assert_eq!(
        (saved.status, &saved.body["autoReply"]["mode"], &saved.body["autoReply"]["text"]),
        (200, &json!("template"), &json!("Thanks!"))
    );
    for (body, code) in [
        (json!({ "mode": "ai" }), "ai_not_configured"),
        (json!({ "mode": "template", "templateId": "tpl_1" }), "unknown_template"),
        (json!({ "mode": "template" }), "invalid_request"),
        (json!({ "mode": "template", "text": "x".repeat(1_001) }), "invalid_request"),
        (json!({ "mode": "template", "text": "a\u{0}b" }), "invalid_request"),
        (json!({ "mode": "template", "text": 5 }), "invalid_request"),
        (json!({ "mode": "template", "text": true }), "invalid_request"),
        (json!({ "mode": "sometimes" }), "invalid_request"),
        (json!({ "mode": "off", "colour": "red" }), "invalid_request"),
        (json!({}), "invalid_request"),
    ] {
        let answer = world.send(&ada, "PUT", &path, body.clone()).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{body}");
    }
    let unsendable = world.send(&ada, "PUT", &path, json!({ "mode": "template", "text": "a\u{0}b" })).await;
    assert!(unsendable.body["detail"].as_str().unwrap().contains("character that cannot be sent"), "{unsendable:?}");
    let off = world.send(&ada, "PUT", &path, json!({ "mode": "off" })).await.body;
    assert_eq!(off["autoReply"]["mode"], "off");

    let trail = world.get(&ada, "/api/audit").await.body;
    let actions: Vec<_> =
        trail["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"auto_reply.changed") && actions.contains(&"connection.created"), "{actions:?}");
    assert!(trail["items"][0]["actor"].as_str().unwrap().starts_with("usr_"));
}

#[tokio::test]
async fn the_plan_tells_what_is_left_of_it() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    rows::connect(&world, ada.organization.unwrap(), "1").await;
    let plan = world.get(&ada, "/api/plan").await.body;
    assert_eq!((&plan["plan"], &plan["subscription"]), (&json!("pro"), &json!("active")));
    assert_eq!((&plan["accountsUsed"], &plan["accountsAllowed"]), (&json!(1), &json!(3)));
    assert_eq!(plan["features"], json!({ "instagram": true, "autoReply": true, "instagramMessaging": false }));
    assert_eq!(plan["usage"]["messagesReceived"], 0);
    let catalogue = world.get(&Default::default(), "/api/plans").await.body;
    let ids: Vec<_> = catalogue["items"].as_array().unwrap().iter().map(|plan| plan["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["starter", "pro", "team", "enterprise"]);
    assert_eq!(world.get(&ada, "/api/usage").await.body["items"], json!([]));
}
