//! Where the browser ends up, character by character, and what a state is good for.

use super::Logins;
use crate::world::{Answer, Caller, Like};
use domain::clock::MINUTE;
use meta::Login;
use serde_json::json;

fn assert_safe(landed: &Answer) {
    assert_eq!(landed.status, 303, "{landed:?}");
    assert_eq!(landed.header("referrer-policy"), "no-referrer");
    assert_eq!(landed.header("cache-control"), "no-store");
    assert_eq!(landed.text, "");
}

/// The handle, if the whole address is what the contract says.
fn success(landed: &Answer, prefix: &str, accounts: usize) -> String {
    assert_safe(landed);
    let location = landed.header("location");
    let handle = location.split("_token=").nth(1).unwrap_or_else(|| panic!("{location}")).split('&').next().unwrap();
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    assert!(handle.len() == 43 && handle.chars().all(letter), "{handle}");
    let expected =
        format!("/dashboard/integrations?{prefix}_success=true&{prefix}_token={handle}&{prefix}_accounts={accounts}");
    assert_eq!(location, expected);
    handle.to_owned()
}

fn failure(landed: &Answer, prefix: &str, code: &str) {
    assert_safe(landed);
    assert_eq!(landed.header("location"), format!("/dashboard/integrations?{prefix}_error={code}"));
}

#[tokio::test]
async fn success_is_the_contracts_address_and_nothing_of_the_query() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    for _ in 0..3 {
        logins.page().await;
    }
    let started = logins.start(&mut ada, "instagram").await;
    assert_eq!(started.body["scopes"], json!(["instagram_business_basic", "instagram_business_manage_messages"]));
    let redirect = logins.consent(&started, json!({})).await;
    assert!(redirect.ends_with("#_"), "{redirect}");
    let landed = logins.follow(&ada, &format!("{}&ig_error=x&next=//evil.test", redirect.trim_end_matches("#_"))).await;
    success(&landed, "ig", 1);

    let started = logins.start(&mut ada, "facebook").await;
    assert_eq!(started.body["scopes"].as_array().unwrap().len(), 5);
    let redirect = logins.consent(&started, json!({})).await;
    assert!(redirect.ends_with("#_=_"), "{redirect}");
    success(&logins.follow(&ada, &redirect).await, "fb", 3);
    logins.stop().await;
}

#[tokio::test]
async fn instagram_through_facebook_login_comes_back_to_its_own_callback() {
    let logins = Logins::by(Login::Facebook).await;
    let mut ada = logins.owner.clone();
    for n in ["a", "b"] {
        let account = json!({ "platform": "instagram", "login": "facebook", "username": n, "subscribed": false });
        logins.control("/sandbox/accounts", account).await;
    }
    logins.page().await;
    let started = logins.start(&mut ada, "instagram").await;
    assert!(started.body["authUrl"].as_str().unwrap().contains("/facebook-web/v25.0/dialog/oauth?"));
    let redirect = logins.consent(&started, json!({})).await;
    assert!(redirect.starts_with("http://shop.test/api/meta/instagram/callback?code="), "{redirect}");
    // The Page without an Instagram account is none of the choices.
    success(&logins.follow(&ada, &redirect).await, "ig", 2);
    logins.stop().await;
}

#[tokio::test]
async fn a_state_that_is_not_good_costs_no_exchange() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    logins.page().await;
    let login_again = json!({ "email": "ada@shop.test", "password": "correct horse" });

    let started = logins.start(&mut ada, "instagram").await;
    let redirect = logins.consent(&started, json!({})).await;
    let mut stranger = logins.world.register("eve@shop.test").await;
    logins.start(&mut stranger, "instagram").await;
    let later = logins.world.send(&Caller::default(), "POST", "/api/auth/login", login_again).await.caller();
    for (who, caller) in [("a stranger", &stranger), ("a later session", &later), ("nobody", &Caller::default())] {
        failure(&logins.follow(caller, &redirect).await, "ig", "state_invalid");
        assert_eq!(logins.counted("codeExchanges").await, 0, "{who}");
    }
    let elsewhere = redirect.replace("/instagram/callback", "/callback");
    failure(&logins.follow(&ada, &elsewhere).await, "fb", "state_invalid");
    for changed in [redirect.replace("state=", "state=A"), redirect.split("&state").next().unwrap().to_owned()] {
        failure(&logins.follow(&ada, &changed).await, "ig", "state_invalid");
    }
    assert_eq!(logins.counted("codeExchanges").await, 0);

    // None of it has used the state up; its owner uses it once.
    success(&logins.follow(&ada, &redirect).await, "ig", 1);
    failure(&logins.follow(&ada, &redirect).await, "ig", "state_invalid");
    assert_eq!(logins.counted("codeExchanges").await, 1);

    let started = logins.start(&mut ada, "facebook").await;
    let redirect = logins.consent(&started, json!({})).await;
    logins.advance(10 * MINUTE).await;
    failure(&logins.follow(&ada, &redirect).await, "fb", "state_expired");
    assert_eq!(logins.counted("codeExchanges").await, 1);

    let started = logins.start(&mut ada, "facebook").await;
    let redirect = logins.consent(&started, json!({})).await;
    logins.advance(10 * MINUTE - 1).await;
    success(&logins.follow(&ada, &redirect).await, "fb", 1);
    let trail = logins.world.get(&ada, "/api/audit").await.body;
    let refused = trail["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "connection.refused");
    let codes: Vec<_> = refused.map(|entry| entry["details"]["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"state_invalid") && codes.contains(&"state_expired"), "{codes:?}");
    logins.stop().await;
}

#[tokio::test]
async fn what_meta_says_instead_of_a_code_is_a_code_of_ours() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    logins.page().await;
    for (platform, prefix) in [("instagram", "ig"), ("facebook", "fb")] {
        let started = logins.start(&mut ada, platform).await;
        let redirect = logins.consent(&started, json!({ "decision": "deny" })).await;
        failure(&logins.follow(&ada, &redirect).await, prefix, "access_denied");
        // The state went with it.
        failure(&logins.follow(&ada, &redirect).await, prefix, "state_invalid");

        logins.fault("callback_without_code", Some(1)).await;
        let started = logins.start(&mut ada, platform).await;
        let redirect = logins.consent(&started, json!({})).await;
        failure(&logins.follow(&ada, &redirect).await, prefix, "code_invalid");
        for (error, code) in [
            ("server_error", "meta_unavailable"),
            ("temporarily_unavailable", "meta_unavailable"),
            ("invalid_scope", "app_misconfigured"),
            ("<script>alert(1)</script>", "app_misconfigured"),
        ] {
            let fault = json!({ "name": "dialog_error", "count": 1, "params": { "error": error } });
            logins.control("/sandbox/faults", fault).await;
            let started = logins.start(&mut ada, platform).await;
            let redirect = logins.consent(&started, json!({})).await;
            failure(&logins.follow(&ada, &redirect).await, prefix, code);
        }
    }
    assert_eq!(logins.counted("codeExchanges").await, 0);
    logins.stop().await;
}

#[tokio::test]
async fn a_slow_meta_leaves_a_handle_to_ask_with() {
    let logins = Logins::like(Like { instagram_login: Login::Instagram, ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    let account = logins.instagram().await;
    // Each try hangs until our client gives up after two seconds; the third tells.
    logins.fault("identity_transient", Some(2)).await;
    let started = logins.start(&mut ada, "instagram").await;
    let redirect = logins.consent(&started, json!({})).await;
    let landed = logins.follow(&ada, &redirect).await;
    assert_safe(&landed);
    let pending = landed.header("location").strip_prefix("/dashboard/integrations?ig_pending=").unwrap().to_owned();
    let ask = async || {
        let request = logins.world.request(&ada, "GET", "/api/meta/pages").header("X-Connect-Token", &pending);
        Answer::of(request.send().await.unwrap()).await
    };
    let waiting = ask().await;
    assert_eq!((waiting.status, &waiting.body["stage"]), (202, &json!("fetching")), "{waiting:?}");
    let early = logins.choose(&ada, &pending, "instagram", &[&account]).await;
    assert_eq!((early.status, early.code()), (409, "login_pending"));
    logins.advance(MINUTE).await;
    logins
        .until("accounts", || async {
            logins.world.clock.advance(1_000);
            let answer = ask().await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text) }
        })
        .await;
    assert_eq!(logins.choose(&ada, &pending, "instagram", &[&account]).await.status, 200);
    logins.stop().await;
}
