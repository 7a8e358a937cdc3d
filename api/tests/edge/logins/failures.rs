//! Logins that do not come to an end: what the page is told, and that a code is never tried a second time.

use super::Logins;
use crate::world::{Caller, Like};
use domain::clock::{MINUTE, SECOND};
use serde_json::{Value, json};

/// The code a login ends with.
async fn ends_with(logins: &Logins, caller: &mut Caller, platform: &str, with: Value) -> String {
    let started = logins.start(caller, platform).await;
    let redirect = logins.consent(&started, with).await;
    let landed = logins.follow(caller, &redirect).await;
    let location = landed.header("location");
    location.split("_error=").nth(1).unwrap_or_else(|| panic!("{location}")).to_owned()
}

#[tokio::test]
async fn a_login_that_reaches_nothing_says_so() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    let personal = json!({ "platform": "instagram", "login": "instagram", "accountType": "PERSONAL" });
    let personal = logins.control("/sandbox/accounts", personal).await;
    let with = json!({ "accountId": personal["id"] });
    assert_eq!(ends_with(&logins, &mut ada, "instagram", with).await, "no_accounts");
    assert_eq!(ends_with(&logins, &mut ada, "facebook", json!({})).await, "no_accounts");
    let page = logins.page().await;
    assert_eq!(ends_with(&logins, &mut ada, "facebook", json!({ "accounts": [] })).await, "no_accounts");
    let with = json!({ "scopes": ["pages_show_list", "pages_messaging"] });
    assert_eq!(ends_with(&logins, &mut ada, "facebook", with).await, "missing_permissions");
    // What only helps may be declined.
    let with = json!({ "scopes": ["pages_show_list", "pages_messaging", "pages_manage_metadata"] });
    let handle = logins.login(&mut ada, "facebook", with).await;
    let made = logins.choose(&ada, &handle, "facebook", &[&page]).await;
    let scopes = made.body["connections"][0]["scopes"].to_string();
    assert!(scopes.contains("pages_messaging") && !scopes.contains("business_management"), "{made:?}");

    let account = logins.instagram().await;
    let with = json!({ "accountId": account, "scopes": ["instagram_business_basic"] });
    assert_eq!(ends_with(&logins, &mut ada, "instagram", with).await, "missing_permissions");
    let trail = logins.world.get(&ada, "/api/audit").await.body;
    let detail = trail["items"][0]["details"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("instagram_business_manage_messages"), "{detail}");
    logins.stop().await;
}

#[tokio::test]
async fn a_code_is_exchanged_once_whatever_comes_of_it() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    logins.page().await;
    let mut exchanges = 0;
    for (fault, code) in [
        ("code_exchange_used", "code_invalid"),
        ("code_exchange_transient", "meta_unavailable"),
        ("code_exchange_html_502", "meta_unavailable"),
        ("code_exchange_lost", "meta_unavailable"),
        ("code_exchange_timeout", "meta_unavailable"),
    ] {
        for platform in ["instagram", "facebook"] {
            logins.fault(fault, Some(1)).await;
            assert_eq!(ends_with(&logins, &mut ada, platform, json!({})).await, code, "{fault} {platform}");
            logins.advance(MINUTE).await;
            logins.until_idle().await;
            exchanges += 1;
            assert_eq!(logins.counted("codeExchanges").await, exchanges, "{fault} {platform}: never a second time");
        }
    }
    // Ours stands out: it is an on-call engineer's business.
    let settings = logins.says("/sandbox/settings").await;
    logins.control("/sandbox/settings", json!({ "metaAppSecret": "another", "instagramAppSecret": "another" })).await;
    for platform in ["instagram", "facebook"] {
        assert_eq!(ends_with(&logins, &mut ada, platform, json!({})).await, "app_misconfigured", "{platform}");
    }
    let kept =
        json!({ "metaAppSecret": settings["metaAppSecret"], "instagramAppSecret": settings["instagramAppSecret"] });
    logins.control("/sandbox/settings", kept).await;
    let failed = logins.jobs("oauth.exchange_code").await;
    assert!(failed.iter().all(|job| job.state == "discarded" && job.attempt == 1), "{failed:?}");
    logins.stop().await;
}

#[tokio::test]
async fn a_code_that_lay_too_long_is_not_tried() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    let started = logins.start(&mut ada, "instagram").await;
    let redirect = logins.consent(&started, json!({})).await;
    // Meta's side: a code is good for an hour, and is used within ten minutes of ours.
    logins.control("/sandbox/clock", json!({ "advanceSeconds": 3_700 })).await;
    let landed = logins.follow(&ada, &redirect).await;
    assert_eq!(landed.header("location"), "/dashboard/integrations?ig_error=code_expired");
    logins.stop().await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again_within_the_ten_minutes() {
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.page().await;
    for fault in ["long_lived_transient", "permissions_transient", "accounts_transient", "accounts_rate_limit"] {
        logins.fault(fault, Some(1)).await;
        let started = logins.start(&mut ada, "facebook").await;
        let redirect = logins.consent(&started, json!({})).await;
        let landing = logins.follow(&ada, &redirect);
        let turning = async {
            logins
                .until("the retry", || async {
                    let jobs = logins.jobs("oauth.fetch_accounts").await;
                    let waits = jobs.first().is_some_and(|job| job.state == "retryable");
                    if waits { Ok(()) } else { Err(format!("{jobs:?}")) }
                })
                .await;
            // A throttled list names a minute.
            logins.advance(90 * SECOND).await;
        };
        let (landed, ()) = tokio::join!(landing, turning);
        assert!(landed.header("location").contains("fb_success=true"), "{fault}: {landed:?}");
    }
    logins.stop().await;
}

#[tokio::test]
async fn a_meta_that_stays_away_ends_the_attempt_and_keeps_nothing() {
    use entities::connect_flow::Entity;
    use sea_orm::EntityTrait as _;
    let logins = Logins::new().await;
    let mut ada = logins.owner.clone();
    logins.page().await;
    logins.fault("accounts_transient", None).await;
    let started = logins.start(&mut ada, "facebook").await;
    let redirect = logins.consent(&started, json!({})).await;
    let turning = async {
        logins
            .until("the first look", || async {
                let jobs = logins.jobs("oauth.fetch_accounts").await;
                if jobs.first().is_some_and(|job| job.state == "retryable") { Ok(()) } else { Err(format!("{jobs:?}")) }
            })
            .await;
        for _ in 0..13 {
            logins.advance(MINUTE).await;
            logins.until_idle().await;
        }
    };
    let (landed, ()) = tokio::join!(logins.follow(&ada, &redirect), turning);
    let location = landed.header("location");
    assert!(location.ends_with("fb_error=meta_unavailable") || location.contains("fb_pending="), "{location}");
    let flow = Entity::find().one(logins.world.ctx.db.read()).await.unwrap().unwrap();
    assert_eq!((flow.stage.as_str(), flow.error_code.as_deref()), ("failed", Some("meta_unavailable")));
    assert_eq!(flow.sealed, None);
    logins.stop().await;
}

#[tokio::test]
async fn the_plan_is_asked_again_at_the_callback() {
    let logins = Logins::like(Like { signup_plan: Some("pro"), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    logins.instagram().await;
    let set = async |plan: &str, active: bool| {
        let (tx, id) = (logins.world.ctx.db.begin().await.unwrap(), ada.organization.unwrap());
        let actor = domain::audit::Actor::CommandLine;
        domain::organizations::set_plan(&tx, &logins.world.ctx, actor, id, plan).await.unwrap();
        domain::organizations::set_subscription(&tx, &logins.world.ctx, actor, id, active).await.unwrap();
        tx.commit().await.unwrap();
    };
    let mut browser = logins.owner.clone();
    for (plan, active, code) in [("starter", true, "plan_required"), ("pro", false, "subscription_inactive")] {
        set("pro", true).await;
        let started = logins.start(&mut browser, "instagram").await;
        let redirect = logins.consent(&started, json!({})).await;
        set(plan, active).await;
        let landed = logins.follow(&browser, &redirect).await;
        assert_eq!(landed.header("location"), format!("/dashboard/integrations?ig_error={code}"));
        let refused = logins.start(&mut ada.clone(), "instagram").await;
        assert_eq!((refused.status, refused.code()), (403, code));
    }
    assert_eq!(logins.counted("codeExchanges").await, 0);
    set("pro", true).await;
    ada = browser;
    let connection = logins.instagram().await;
    logins.connect(&mut ada, "instagram", &[&connection]).await;
    logins.stop().await;
}
