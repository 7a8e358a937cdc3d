//! Accounts that leave: by their owner's wish, by the person's at Meta, or with all their data.

use super::Logins;
use crate::world::{Caller, Like};
use meta::Login;
use sea_orm::{ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

async fn delete(logins: &Logins, caller: &Caller, connection: &Value) -> u16 {
    let path = format!("/api/meta/connections/{}", connection["id"].as_str().unwrap());
    logins.world.send(caller, "DELETE", &path, Value::Null).await.status
}

#[tokio::test]
async fn a_disconnected_account_is_switched_off_at_meta_and_its_token_goes() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let account = logins.instagram().await;
    let made = logins.connect(&mut ada, "instagram", &[&account]).await.remove(0);
    logins.until_subscribed(&account, true).await;
    let eve = logins.world.register("eve@shop.test").await;
    assert_eq!(delete(&logins, &eve, &made).await, 404);
    let key = logins.world.key(ada.organization, &[domain::api_keys::Scope::ConnectionsRead]).await;
    assert_eq!(delete(&logins, &key, &made).await, 401, "a key disconnects nothing");
    assert_eq!(delete(&logins, &ada, &made).await, 204);
    assert_eq!(delete(&logins, &ada, &made).await, 204, "again");
    logins.until_subscribed(&account, false).await;
    logins.until_idle().await;
    assert_eq!(logins.counted("unsubscribes").await, 1);
    let row = entities::connection::Entity::find().one(logins.world.ctx.db.read()).await.unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.token_sealed), ("disconnected", None));
    assert_eq!(logins.world.get(&ada, "/api/plan").await.body["accountsUsed"], 0);
    // It comes back as the one it was.
    let back = logins.connect(&mut ada, "instagram", &[&account]).await.remove(0);
    assert_eq!((&back["id"], &back["status"]), (&made["id"], &json!("active")));
    logins.until_subscribed(&account, true).await;
    logins.stop().await;
}

#[tokio::test]
async fn a_page_stays_switched_on_until_its_last_owner_leaves() {
    let logins = Logins::by(Login::Facebook).await;
    let mut ada = logins.owner.clone();
    let mut eve = logins.world.register("eve@shop.test").await;
    let linked = json!({ "platform": "instagram", "login": "facebook", "subscribed": false });
    let linked = logins.control("/sandbox/accounts", linked).await;
    let (instagram, page) = (linked["id"].as_str().unwrap(), linked["pageId"].as_str().unwrap());
    let by_page = logins.connect(&mut ada, "instagram", &[instagram]).await.remove(0);
    let of_page = logins.connect(&mut eve, "facebook", &[page]).await.remove(0);
    logins.until_idle().await;
    assert_eq!(delete(&logins, &ada, &by_page).await, 204);
    logins.until_idle().await;
    assert_eq!(logins.counted("unsubscribes").await, 0, "the Page's own connection needs it");
    assert_eq!(delete(&logins, &eve, &of_page).await, 204);
    logins.until_idle().await;
    assert_eq!(logins.counted("unsubscribes").await, 1);
    logins.stop().await;
}

#[tokio::test]
async fn leaving_while_meta_is_away_is_done_when_it_is_back() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let account = logins.instagram().await;
    let made = logins.connect(&mut ada, "instagram", &[&account]).await.remove(0);
    logins.until_subscribed(&account, true).await;
    logins.fault("unsubscribe_transient", Some(2)).await;
    assert_eq!(delete(&logins, &ada, &made).await, 204);
    for _ in 0..2 {
        logins.until_idle().await;
        logins.advance(60_000).await;
    }
    logins.until_subscribed(&account, false).await;
    // Somebody comes back while the leave is still being taken.
    let again = logins.connect(&mut ada, "instagram", &[&account]).await.remove(0);
    logins.until_subscribed(&account, true).await;
    logins.fault("unsubscribe_transient", Some(1)).await;
    assert_eq!(delete(&logins, &ada, &again).await, 204);
    logins.until_idle().await;
    logins.connect(&mut ada, "instagram", &[&account]).await;
    logins.advance(60_000).await;
    logins.until_idle().await;
    logins.until_subscribed(&account, true).await;
    assert_eq!(logins.connection(made["id"].as_str().unwrap()).await["status"], "active");
    logins.stop().await;
}

#[tokio::test]
async fn a_person_who_removes_the_app_is_found_by_the_app_scoped_id() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let (account, page) = (logins.instagram().await, logins.page().await);
    let one = logins.connect(&mut ada, "instagram", &[&account]).await.remove(0);
    let two = logins.connect(&mut ada, "facebook", &[&page]).await.remove(0);
    let status =
        async |connection: &Value| logins.connection(connection["id"].as_str().unwrap()).await["status"].clone();
    // Wrong signature, the dashboard's test, an id that webhooks carry: nothing happens.
    let bad = json!({ "accountId": account, "signWith": "wrong" });
    assert_eq!(logins.control("/sandbox/deauthorize", bad).await["results"][0]["status"], 400);
    for stranger in ["0", account.as_str()] {
        let said = json!({ "userId": stranger });
        assert_eq!(logins.control("/sandbox/deauthorize", said).await["results"][0]["status"], 200);
    }
    for payload in [json!("not json"), json!({}), json!({ "user_id": 5, "algorithm": "none" })] {
        let said = json!({ "payload": payload });
        assert_eq!(logins.control("/sandbox/deauthorize", said).await["results"][0]["status"], 400);
    }
    assert_eq!((status(&one).await, status(&two).await), (json!("active"), json!("active")));

    let answer = logins.control("/sandbox/deauthorize", json!({ "accountId": account, "times": 3 })).await;
    assert!(answer["results"].as_array().unwrap().iter().all(|one| one["status"] == 200));
    assert_eq!((status(&one).await, status(&two).await), (json!("needs_reconnect"), json!("active")));
    logins.control("/sandbox/deauthorize", json!({ "accountId": page })).await;
    assert_eq!(status(&two).await, "needs_reconnect");
    let told = logins.world.get(&ada, "/api/notifications").await.body;
    assert_eq!(told["items"].as_array().unwrap().len(), 2, "once each: {told}");
    logins.stop().await;
}

#[tokio::test]
async fn a_deletion_removes_the_persons_data_and_nobody_elses() {
    let logins = Logins::like(Like { signup_plan: Some("team"), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    let mut eve = logins.world.register("eve@shop.test").await;
    let (doomed, other) = (logins.instagram().await, logins.instagram().await);
    logins.connect(&mut ada, "instagram", &[&doomed]).await;
    logins.connect(&mut eve, "instagram", &[&other]).await;
    logins.until_subscribed(&doomed, true).await;
    logins.until_subscribed(&other, true).await;
    let write = async |account: &str, customer: &str| {
        let dm = json!({ "accountId": account, "customerId": customer, "text": "a secret wish" });
        logins.control("/sandbox/messages", dm).await;
    };
    for customer in ["900000000000001", "900000000000002"] {
        write(&doomed, customer).await;
        write(&other, customer).await;
    }
    let inbox = async |caller: &Caller| {
        logins.world.get(caller, "/api/conversations").await.body["items"].as_array().unwrap().len()
    };
    logins
        .until("the messages", || async {
            let (ours, theirs) = (inbox(&ada).await, inbox(&eve).await);
            if (ours, theirs) == (2, 2) { Ok(()) } else { Err(format!("{ours} {theirs}")) }
        })
        .await;
    let answer = logins.control("/sandbox/data-deletion", json!({ "accountId": doomed, "times": 2 })).await;
    let results = answer["results"].as_array().unwrap();
    let (first, second) = (&results[0]["body"], &results[1]["body"]);
    assert_eq!((&results[0]["status"], first), (&json!(200), second), "the same request is the same answer");
    let code = first["confirmation_code"].as_str().unwrap();
    assert_eq!(first["url"], json!(format!("http://shop.test/api/meta/data-deletion/{code}")));
    logins.until_idle().await;
    assert_eq!((inbox(&ada).await, inbox(&eve).await), (0, 2));
    let early = logins.world.get(&Caller::default(), &format!("/api/meta/data-deletion/{code}")).await;
    assert!(early.text.contains("is being carried out"), "{}", early.text);
    // What was being read in that moment is gone after the second pass.
    logins.advance(5 * 60_000).await;
    logins.until_idle().await;
    let page = logins.world.get(&Caller::default(), &format!("/api/meta/data-deletion/{code}")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("your data has been deleted"), "{}", page.text);
    let nowhere = logins.world.get(&Caller::default(), "/api/meta/data-deletion/AAAA").await;
    assert_eq!(nowhere.status, 404);
    assert_eq!((inbox(&ada).await, inbox(&eve).await), (0, 2));

    // What still comes is not kept.
    write(&doomed, "900000000000003").await;
    logins
        .until("the late delivery", || async {
            let events = entities::delivery_event::Entity::find().all(logins.world.ctx.db.read()).await.unwrap();
            let late = events.iter().any(|event| event.reason.as_deref() == Some("data_deleted"));
            if late { Ok(()) } else { Err(format!("{events:?}")) }
        })
        .await;
    logins.until_idle().await;
    let kept = entities::delivery::Entity::find().all(logins.world.ctx.db.read()).await.unwrap();
    assert!(kept.iter().all(|delivery| delivery.body.is_none()), "no body stays");
    assert_eq!(entities::message::Entity::find().count(logins.world.ctx.db.read()).await.unwrap(), 2);

    // The person returns, and messages come again.
    logins.advance(2_000).await;
    logins.connect(&mut ada, "instagram", &[&doomed]).await;
    logins.until_subscribed(&doomed, true).await;
    write(&doomed, "900000000000004").await;
    logins
        .until("a new message", || async {
            let ours = inbox(&ada).await;
            if ours == 1 { Ok(()) } else { Err(ours.to_string()) }
        })
        .await;
    logins.stop().await;
}

#[tokio::test]
async fn a_deletion_that_keeps_failing_is_tried_again_the_next_day() {
    let logins = Logins::new().await;
    let page = logins.page().await;
    logins.connect(&mut logins.owner.clone(), "facebook", &[&page]).await;
    logins.until_subscribed(&page, true).await;
    logins
        .control("/sandbox/messages", json!({ "accountId": page, "customerId": "900000000000001", "text": "a wish" }))
        .await;
    let stored = async || entities::message::Entity::find().count(logins.world.ctx.db.read()).await.unwrap();
    logins
        .until("the message", || async {
            let count = stored().await;
            if count == 1 { Ok(()) } else { Err(count.to_string()) }
        })
        .await;
    logins.until_idle().await;
    let rename = async |from: &str, to: &str| {
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        logins.world.ctx.db.write().execute_unprepared(&statement).await.unwrap();
    };
    rename("message_marks", "hidden").await;
    let answer = logins.control("/sandbox/data-deletion", json!({ "accountId": page })).await;
    assert_eq!(answer["results"][0]["status"], 200, "{answer}");
    let code = answer["results"][0]["body"]["confirmation_code"].as_str().unwrap().to_owned();
    let said = async || logins.world.get(&Caller::default(), &format!("/api/meta/data-deletion/{code}")).await.text;
    for _ in 0..8 {
        logins.until_idle().await;
        logins.advance(15 * 3_600_000).await;
    }
    logins.until_idle().await;
    let jobs = logins.jobs("data.delete").await;
    assert_eq!(jobs.iter().map(|job| job.state.as_str()).collect::<Vec<_>>(), ["scheduled", "discarded"], "{jobs:?}");
    assert!(said().await.contains("is being carried out"));
    rename("hidden", "message_marks").await;
    logins.advance(24 * 3_600_000).await;
    logins.until_idle().await;
    logins.advance(5 * 60_000).await;
    logins.until_idle().await;
    assert!(said().await.contains("your data has been deleted"));
    assert_eq!(stored().await, 0);
    logins.stop().await;
}
