//! Webhooks that stay on, and accounts whose permission went with them: found out by looking, repaired where we can, told where
//! only the owner can.

use super::Logins;
use super::keeping::{connected, held, pass_days, row, settle, sign_in};
use domain::clock::{HOUR, MINUTE};
use meta::Login;
use serde_json::json;

#[tokio::test]
async fn webhooks_that_meta_dropped_are_switched_on_again() {
    let logins = Logins::by(Login::Instagram).await;
    let made = connected(&logins, 1).await;
    let account = made[0]["externalId"].as_str().unwrap();
    logins.until_subscribed(account, true).await;
    logins.control("/sandbox/unsubscribe", json!({ "accountId": account })).await;
    logins.until_subscribed(account, false).await;
    // A look at every account, spread over the six hours after it is due.
    pass_days(&logins, 1).await;
    logins.advance(6 * HOUR).await;
    logins.until_subscribed(account, true).await;
    // Meta says yes and does nothing: it is not believed.
    logins.control("/sandbox/unsubscribe", json!({ "accountId": account })).await;
    logins.fault("subscribe_dropped", Some(1)).await;
    // The next look is due at some time of the next hours, and the one after it no later than six hours on.
    let mut retried = false;
    for _ in 0..4 {
        logins.advance(6 * HOUR).await;
        settle(&logins).await;
        retried |= logins.jobs("accounts.check").await.iter().any(|job| job.state == "retryable");
        if retried {
            break;
        }
    }
    assert!(retried, "{:?}", logins.jobs("accounts.check").await);
    logins.no_faults().await;
    logins.advance(MINUTE).await;
    logins.until_subscribed(account, true).await;
    let shown = sign_in(&logins).await;
    let shown = logins.world.get(&shown, "/api/meta/connections").await.body;
    assert!(shown["items"][0]["subscriptionCheckedAt"].is_string());
    logins.stop().await;
}

#[tokio::test]
async fn a_reply_that_waits_for_its_account_leaves_when_it_is_back() {
    let logins = Logins::new().await;
    let made = connected(&logins, 1).await;
    let account = made[0]["externalId"].as_str().unwrap();
    let mut ada = logins.owner.clone();
    let path = format!("/api/meta/connections/{}/auto-reply", made[0]["id"].as_str().unwrap());
    logins.world.send(&ada, "PUT", &path, json!({ "mode": "template", "text": "Thanks!" })).await;
    logins.control("/sandbox/password-change", json!({ "accountId": account })).await;
    let dm = json!({ "accountId": account, "customerId": "900000000000009", "text": "Hello" });
    logins.control("/sandbox/messages", dm).await;
    logins
        .until("the waiting reply", || async {
            let jobs = logins.jobs("message.send").await;
            if jobs.first().is_some_and(|job| job.state == "snoozed") { Ok(()) } else { Err(format!("{jobs:?}")) }
        })
        .await;
    assert_eq!(logins.connection(made[0]["id"].as_str().unwrap()).await["status"], "needs_reconnect");
    logins.connect(&mut ada, "instagram", &[account]).await;
    // Without waiting for the hour after which it would look by itself.
    logins
        .until("the reply", || async {
            let sent = logins.says("/sandbox/sent").await;
            if sent["total"] == 1 { Ok(()) } else { Err(sent.to_string()) }
        })
        .await;
    logins.stop().await;
}

#[tokio::test]
async fn a_person_who_consents_to_fewer_pages_loses_the_others() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let (kept, left) = (logins.page().await, logins.page().await);
    let person = json!({ "name": "Bea", "pages": [{ "id": kept }, { "id": left }] });
    let person = logins.control("/sandbox/people", person).await;
    let with = json!({ "personId": person["id"] });
    let handle = logins.login(&mut ada, "facebook", with).await;
    assert_eq!(logins.choose(&ada, &handle, "facebook", &[&kept, &left]).await.status, 200);
    logins.until_idle().await;
    // Meta takes the Page's token with the consent, and tells nobody; the next look finds out.
    let fewer = json!({ "id": person["id"], "pages": [{ "id": kept }] });
    logins.control("/sandbox/people", fewer).await;
    pass_days(&logins, 1).await;
    logins.advance(6 * HOUR).await;
    logins.until_idle().await;
    let ada = sign_in(&logins).await;
    let shown = logins.world.get(&ada, "/api/meta/connections").await.body;
    let status = |id: &str| {
        let all = shown["items"].as_array().unwrap();
        all.iter().find(|one| one["externalId"] == id).unwrap()["status"].clone()
    };
    assert_eq!((status(&kept), status(&left)), (json!("active"), json!("needs_reconnect")));
    logins.stop().await;
}

#[tokio::test]
async fn an_instagram_account_that_moved_to_another_page_is_found_there() {
    let logins = Logins::by(Login::Facebook).await;
    let mut ada = logins.owner.clone();
    let account = json!({ "platform": "instagram", "login": "facebook", "subscribed": false });
    let account = logins.control("/sandbox/accounts", account).await;
    let (id, first) = (account["id"].as_str().unwrap(), account["pageId"].as_str().unwrap());
    let one = logins.connect(&mut ada, "instagram", &[id]).await.remove(0);
    logins.until_subscribed(first, true).await;
    assert_eq!(row(&logins, &one).await.page_id.as_deref(), Some(first));

    let second = logins.page().await;
    let moved = json!({ "id": id, "platform": "instagram", "login": "facebook", "pageId": second });
    logins.control("/sandbox/accounts", moved).await;
    let two = logins.connect(&mut ada, "instagram", &[id]).await.remove(0);
    assert_eq!((&two["id"], &two["status"]), (&one["id"], &json!("active")));
    assert_eq!(row(&logins, &two).await.page_id.as_deref(), Some(second.as_str()));
    logins.until_subscribed(&second, true).await;
    logins.stop().await;
}

#[tokio::test]
async fn subscriptions_that_meta_does_not_list_are_taken_at_its_word() {
    let logins = Logins::new().await;
    logins.fault("subscription_list_missing", None).await;
    let page = logins.page().await;
    logins.connect(&mut logins.owner.clone(), "facebook", &[&page]).await;
    logins.until_subscribed(&page, true).await;
    pass_days(&logins, 1).await;
    logins.advance(6 * HOUR).await;
    logins.until_idle().await;
    let looks = logins.jobs("accounts.check").await;
    let results: Vec<_> = looks.iter().filter_map(|job| job.result.as_deref()).collect();
    assert!(results.contains(&r#"{"repaired":false,"subscribed":true}"#), "{looks:?}");
    assert!(looks.iter().all(|job| job.state != "discarded" && job.state != "retryable"), "{looks:?}");
    let ada = sign_in(&logins).await;
    assert_eq!(logins.world.get(&ada, "/api/notifications").await.body["items"], json!([]));
    logins.stop().await;
}

#[tokio::test]
async fn an_owner_is_told_each_time_that_the_webhooks_stay_off() {
    let logins = Logins::new().await;
    let page = logins.page().await;
    logins.connect(&mut logins.owner.clone(), "facebook", &[&page]).await;
    logins.until_subscribed(&page, true).await;
    logins.until_idle().await;
    for times in 1..=2 {
        logins.control("/sandbox/unsubscribe", json!({ "accountId": page })).await;
        logins.fault("subscribe_dropped", None).await;
        // Eight tries, a day apart here, and a day before the first.
        pass_days(&logins, 11).await;
        let ada = sign_in(&logins).await;
        let told = logins.world.get(&ada, "/api/notifications").await.body;
        let kinds: Vec<_> = told["items"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
        assert_eq!(kinds, vec![json!("webhooks_off"); times], "{told}");
        logins.no_faults().await;
        pass_days(&logins, 2).await;
        logins.until_subscribed(&page, true).await;
    }
    logins.stop().await;
}

#[tokio::test]
async fn an_account_that_leaves_while_it_is_switched_on_is_switched_off() {
    let logins = Logins::new().await;
    logins.fault("subscribe_hold", Some(1)).await;
    let page = logins.page().await;
    let made = logins.connect(&mut logins.owner.clone(), "facebook", &[&page]).await.remove(0);
    held(&logins, 1).await;
    let path = format!("/api/meta/connections/{}", made["id"].as_str().unwrap());
    assert_eq!(logins.world.send(&logins.owner, "DELETE", &path, json!(null)).await.status, 204);
    logins
        .until("leave taken", || async {
            let jobs = logins.jobs("accounts.disconnect").await;
            if jobs[0].state == "completed" { Ok(()) } else { Err(format!("{jobs:?}")) }
        })
        .await;
    assert_eq!(row(&logins, &made).await.token_sealed, None);
    // The greeting arrives after the leave.
    logins.control("/sandbox/release", json!({})).await;
    logins.until_idle().await;
    logins.until_subscribed(&page, false).await;
    let job = logins.jobs("accounts.subscribe").await.remove(0);
    assert_eq!(job.result.as_deref(), Some(r#"{"skipped":"disconnected"}"#), "{job:?}");
    logins.stop().await;
}
