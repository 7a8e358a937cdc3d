//! The choice of accounts over HTTP: what is shown, what is taken, and what a handle is good for.

use super::{Logins, handle as handle_of};
use crate::world::{Answer, Caller, Like};
use domain::clock::MINUTE;
use meta::Login;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn found(logins: &Logins, caller: &Caller, handle: &str) -> Answer {
    let request = logins.world.request(caller, "GET", "/api/meta/pages").header("X-Connect-Token", handle);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn two_of_three_pages_are_chosen_and_connected() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let pages = [logins.page().await, logins.page().await, logins.page().await];
    let handle = logins.login(&mut ada, "facebook", json!({})).await;
    let shown = found(&logins, &ada, &handle).await;
    assert_eq!(shown.body["platform"], "facebook");
    let accounts = shown.body["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 3);
    assert!(accounts.iter().all(|account| account["connected"] == false && account["name"].is_string()));
    // Looking does not use it up, and the parameter does for the header.
    let by_parameter = logins.world.get(&ada, &format!("/api/meta/pages?token={handle}")).await;
    assert_eq!(by_parameter.body["accounts"], shown.body["accounts"]);

    let chosen = logins.choose(&ada, &handle, "facebook", &[&pages[0], &pages[2]]).await;
    assert_eq!(chosen.status, 200, "{chosen:?}");
    let made = chosen.body["connections"].as_array().unwrap();
    let ids: BTreeSet<&str> = made.iter().map(|one| one["externalId"].as_str().unwrap()).collect();
    assert_eq!(ids, BTreeSet::from([pages[0].as_str(), pages[2].as_str()]));
    assert!(made.iter().all(|one| one["status"] == "active" && one["tokenExpiresAt"].is_null()));
    assert!(made[0]["scopes"].as_array().unwrap().contains(&json!("pages_messaging")));
    for page in [&pages[0], &pages[2]] {
        logins.until_subscribed(page, true).await;
    }
    assert_eq!(logins.counted("subscribes").await, 2);
    let again = logins.choose(&ada, &handle, "facebook", &[&pages[2], &pages[0], &pages[0]]).await;
    assert_eq!(again.status, 200);
    let same =
        again.body["connections"].as_array().unwrap().iter().all(|one| made.iter().any(|m| m["id"] == one["id"]));
    assert!(same && again.body["connections"].as_array().unwrap().len() == 2);
    let other = logins.choose(&ada, &handle, "facebook", &[&pages[1]]).await;
    assert_eq!((other.status, other.code()), (410, "connect_token_invalid"));
    assert_eq!(found(&logins, &ada, &handle).await.code(), "connect_token_invalid");

    // In the next login two are shown as connected.
    let handle = logins.login(&mut ada, "facebook", json!({})).await;
    let shown = found(&logins, &ada, &handle).await;
    let connected = shown.body["accounts"].as_array().unwrap().iter().filter(|one| one["connected"] == true).count();
    assert_eq!(connected, 2);
    logins.stop().await;
}

#[tokio::test]
async fn instagram_is_connected_by_both_routes_with_the_id_that_webhooks_carry() {
    for (route, login) in [(Login::Instagram, "instagram"), (Login::Facebook, "facebook")] {
        let logins = Logins::by(route).await;
        let mut ada = logins.owner.clone();
        let account = json!({ "platform": "instagram", "login": login, "username": "blueshop", "subscribed": false });
        let made = logins.control("/sandbox/accounts", account).await;
        let id = made["id"].as_str().unwrap();
        let connection = logins.connect(&mut ada, "instagram", &[id]).await.remove(0);
        assert_eq!((&connection["externalId"], &connection["username"]), (&json!(id), &json!("blueshop")));
        assert_eq!(connection["tokenExpiresAt"].is_string(), route == Login::Instagram);
        logins.until_subscribed(id, true).await;
        // A message reaches the inbox: the id is the right one of the three.
        let dm = json!({ "accountId": id, "customerId": "900000000000009", "text": "Hello" });
        logins.control("/sandbox/messages", dm).await;
        logins
            .until("the message", || async {
                let inbox = logins.world.get(&ada, "/api/conversations").await;
                if inbox.body["items"].as_array().is_some_and(|all| all.len() == 1) { Ok(()) } else { Err(inbox.text) }
            })
            .await;
        logins.stop().await;
    }
}

#[tokio::test]
async fn every_shape_of_metas_answers_leads_to_the_same_connection() {
    let logins = Logins::like(Like { signup_plan: Some("enterprise"), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    for shape in [
        json!({ "instagramDataEnvelope": true }),
        json!({ "instagramDataEnvelope": false, "instagramIdsAsNumbers": true, "permissionsAsArray": false }),
        json!({ "instagramIdsAsNumbers": false, "permissionsAsArray": true, "accountTypeCasing": "title" }),
        json!({ "identityWithoutName": true, "successAsString": true, "expiresInDriftSeconds": 0 }),
    ] {
        logins.control("/sandbox/settings", shape.clone()).await;
        let id = logins.instagram().await;
        let connection = logins.connect(&mut ada, "instagram", &[&id]).await.remove(0);
        assert_eq!(connection["externalId"], json!(id), "{shape}");
        assert_eq!(connection["scopes"].as_array().unwrap().len(), 2, "{shape}");
        logins.until_subscribed(&id, true).await;
    }
    logins.stop().await;
}

#[tokio::test]
async fn long_lists_empty_pages_and_portfolios_are_read_to_their_end() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let mut pages = Vec::new();
    for _ in 0..7 {
        pages.push(logins.page().await);
    }
    logins.control("/sandbox/settings", json!({ "accountsPerPage": 2, "emptyAccountPages": 3 })).await;
    let handle = logins.login(&mut ada, "facebook", json!({})).await;
    let shown = found(&logins, &ada, &handle).await;
    assert_eq!(shown.body["accounts"].as_array().unwrap().len(), 7, "{shown:?}");

    // Reached through a portfolio only, one of them as a client's; one without a token, one without the right to messages.
    let person = json!({ "name": "Bea", "pages": [
        { "id": pages[0], "portfolioOnly": true },
        { "id": pages[1], "portfolioOnly": true, "clientPage": true },
        { "id": pages[2], "portfolioOnly": true, "withoutToken": true },
        { "id": pages[3], "portfolioOnly": true, "tasks": ["ANALYZE"] },
    ] });
    let person = logins.control("/sandbox/people", person).await;
    logins
        .control("/sandbox/settings", json!({ "accountsNeedBusinessManagement": true, "emptyAccountPages": 0 }))
        .await;
    let started = logins.start(&mut ada, "facebook").await;
    let redirect = logins.consent(&started, json!({ "personId": person["id"] })).await;
    let landed = logins.follow(&ada, &redirect).await;
    let handle = handle_of(&landed, "facebook");
    let shown = found(&logins, &ada, &handle).await;
    let accounts = shown.body["accounts"].as_array().unwrap();
    assert!(landed.header("location").ends_with(&format!("fb_accounts={}", accounts.len())));
    let ids: BTreeSet<&str> = accounts.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!(ids.contains(pages[0].as_str()) && ids.contains(pages[1].as_str()), "{shown:?}");
    let why = |id: &str| {
        let all = shown.body["unavailable"].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).map(|one| one["reason"].as_str().unwrap().to_owned())
    };
    assert!(why(&pages[3]).unwrap().contains("messages"), "{shown:?}");
    let refused = logins.choose(&ada, &handle, "facebook", &[&pages[0], &pages[3]]).await;
    assert_eq!((refused.status, refused.code()), (422, "unknown_account"));
    let none: Value = logins.world.get(&ada, "/api/meta/connections").await.body;
    assert_eq!(none["items"], json!([]), "a choice is all or nothing");
    logins.stop().await;
}

#[tokio::test]
async fn a_page_without_a_token_is_never_connected_with_the_persons() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let (with, without) = (logins.page().await, logins.page().await);
    let person = json!({ "name": "Bea", "pages": [{ "id": with }, { "id": without, "withoutToken": true }] });
    let person = logins.control("/sandbox/people", person).await;
    let handle = logins.login(&mut ada, "facebook", json!({ "personId": person["id"] })).await;
    let shown = found(&logins, &ada, &handle).await;
    assert_eq!(shown.body["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(shown.body["unavailable"][0]["id"], json!(without));
    let refused = logins.choose(&ada, &handle, "facebook", &[&without]).await;
    assert_eq!((refused.status, refused.code()), (422, "unknown_account"));
    assert_eq!(logins.choose(&ada, &handle, "facebook", &[&with]).await.status, 200);
    logins.stop().await;
}

#[tokio::test]
async fn a_handle_is_for_one_session_one_platform_and_ten_minutes() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let page = logins.page().await;
    let handle = logins.login(&mut ada, "facebook", json!({})).await;
    let stranger = logins.world.register("eve@shop.test").await;
    let again = json!({ "email": "ada@shop.test", "password": "correct horse" });
    let later = logins.world.send(&Caller::default(), "POST", "/api/auth/login", again).await.caller();
    let mut answers = vec![
        logins.choose(&stranger, &handle, "facebook", &[&page]).await,
        logins.choose(&later, &handle, "facebook", &[&page]).await,
        logins.choose(&ada, &handle, "instagram", &[&page]).await,
        logins.choose(&ada, &"A".repeat(43), "facebook", &[&page]).await,
        logins.choose(&ada, "", "facebook", &[&page]).await,
        found(&logins, &stranger, &handle).await,
        found(&logins, &later, &handle).await,
        found(&logins, &ada, "x").await,
    ];
    logins.advance(10 * MINUTE).await;
    answers.push(logins.choose(&ada, &handle, "facebook", &[&page]).await);
    answers.push(found(&logins, &ada, &handle).await);
    for answer in &answers {
        assert_eq!((answer.status, answer.code()), (410, "connect_token_invalid"));
        assert_eq!(answer.text, answers[0].text, "nothing tells one reason from another");
    }
    assert_eq!(logins.world.get(&ada, "/api/meta/connections").await.body["items"], json!([]));
    assert_eq!(logins.world.get(&Caller::default(), "/api/meta/pages").await.code(), "unauthenticated");
    let no_csrf = Caller { csrf: None, ..ada.clone() };
    assert_eq!(logins.choose(&no_csrf, &handle, "facebook", &[&page]).await.code(), "csrf_required");
    assert_eq!(logins.choose(&ada, &handle, "facebook", &[]).await.code(), "invalid_request");
    logins.stop().await;
}

#[tokio::test]
async fn a_refusal_by_plan_leaves_the_handle_good() {
    let logins = Logins::like(Like { signup_plan: Some("starter"), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    let (one, two) = (logins.page().await, logins.page().await);
    let refused = logins.start(&mut ada, "instagram").await;
    assert_eq!((refused.status, refused.code()), (403, "plan_required"));
    assert!(refused.body["detail"].as_str().unwrap().starts_with("Pro plan required"), "{refused:?}");
    assert_eq!(refused.body["requiredPlan"], "Pro");

    let handle = logins.login(&mut ada, "facebook", json!({})).await;
    let both = logins.choose(&ada, &handle, "facebook", &[&one, &two]).await;
    assert_eq!((both.status, both.code(), &both.body["requiredPlan"]), (403, "plan_limit", &json!("Pro")));
    let unknown = logins.choose(&ada, &handle, "facebook", &["123"]).await;
    assert_eq!((unknown.status, unknown.code()), (422, "unknown_account"));
    assert_eq!(logins.choose(&ada, &handle, "facebook", &[&two]).await.status, 200);
    let full = logins.start(&mut ada, "facebook").await;
    assert_eq!((full.status, full.code()), (403, "plan_limit"));

    let mut eve = logins.world.register("eve@shop.test").await;
    let handle = logins.login(&mut eve, "facebook", json!({})).await;
    let elsewhere = logins.choose(&eve, &handle, "facebook", &[&two]).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (409, "account_connected_elsewhere"));
    assert_eq!(logins.choose(&eve, &handle, "facebook", &[&one]).await.status, 200, "the handle is still good");
    let trail = logins.world.get(&ada, "/api/audit").await.body;
    let codes = |action: &str| {
        let all = trail["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == action);
        all.map(|entry| entry["details"]["code"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("connection.refused"), ["plan_limit", "unknown_account", "plan_limit", "plan_required"]);
    assert_eq!(codes("connection.created"), ["-"]);
    logins.stop().await;
}

/// Rounds of the race: `RACE_ROUNDS=100` is the full number.
fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_choices_at_once_one_takes_effect() {
    let logins = Logins::like(Like { signup_plan: Some("enterprise"), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    let mut pages = Vec::new();
    for _ in 0..10 {
        pages.push(logins.page().await);
    }
    for round in 0..rounds() {
        let handle = logins.login(&mut ada, "facebook", json!({})).await;
        // Ten different choices, five of each.
        let tries = (0..50).map(|n| {
            let (logins, ada, handle, page) = (&logins, &ada, &handle, &pages[n % 10]);
            async move { (n % 10, logins.choose(ada, handle, "facebook", &[page]).await) }
        });
        let answers = futures::future::join_all(tries).await;
        let taken: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 200).collect();
        let winners: BTreeSet<usize> = taken.iter().map(|(choice, _)| *choice).collect();
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        assert_eq!(taken.len(), 5, "round {round}: every one of the same choice gets the same answer");
        assert!(taken.iter().all(|(_, answer)| answer.body == taken[0].1.body));
        for (_, answer) in answers.iter().filter(|(_, answer)| answer.status != 200) {
            assert_eq!((answer.status, answer.code()), (410, "connect_token_invalid"), "round {round}");
        }
        let made = logins.world.get(&ada, "/api/meta/connections").await.body;
        let active: Vec<&Value> =
            made["items"].as_array().unwrap().iter().filter(|c| c["status"] == "active").collect();
        assert_eq!(active.len(), 1, "round {round}");
        let path = format!("/api/meta/connections/{}", active[0]["id"].as_str().unwrap());
        assert_eq!(logins.world.send(&ada, "DELETE", &path, Value::Null).await.status, 204);
    }
    logins.stop().await;
}
