//! Plans, places, owners, tokens and the automatic reply.

use crate::bench::Bench;
use domain::audit::{self, Actor};
use domain::clock::SECOND;
use domain::connections::{
    self, AutoReply, AutoReplyError, ConnectError, LoginRoute, TokenError, open_token, set_auto_reply,
};
use domain::plans::{self, PlanRefusal};
use domain::{OrganizationId, organizations};
use secrecy::ExposeSecret as _;
use std::sync::Arc;

const INSTAGRAM: LoginRoute = LoginRoute::InstagramLogin;
const PAGE: LoginRoute = LoginRoute::FacebookPage;

async fn statuses(bench: &Bench, organization: OrganizationId) -> Vec<String> {
    let rows = connections::list(bench.ctx.db.read(), organization).await.unwrap();
    rows.into_iter().map(|row| row.status).collect()
}

async fn set_plan(bench: &Bench, organization: OrganizationId, plan: &str) {
    let tx = bench.ctx.db.begin().await.unwrap();
    organizations::set_plan(&tx, &bench.ctx, Actor::CommandLine, organization, plan).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_connection_is_sealed_listed_and_written_down() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let made = bench.connect(shop, INSTAGRAM, "17841").await.unwrap();
    let listed = connections::list(bench.ctx.db.read(), shop).await.unwrap();
    assert_eq!(listed, vec![made.clone()]);
    assert!(!made.token_sealed.as_deref().unwrap().contains("secret"));
    assert_eq!(open_token(&bench.ctx, &made).unwrap().expose_secret(), "IGAA-secret");
    let older = entities::connection::Model { token_version: 2, ..made.clone() };
    assert!(matches!(open_token(&bench.ctx, &older), Err(TokenError::Vault(_))));
    let trail = audit::of_organization(bench.ctx.db.read(), shop, None, 10).await.unwrap();
    assert_eq!(trail[0].action, "connection.created");
    assert!(!trail[0].details.as_deref().unwrap_or_default().contains("secret"));
    let other = bench.organization("pro").await;
    assert_eq!(connections::find(bench.ctx.db.read(), other, made.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_refusal_names_the_plan_that_would_allow_it() {
    let bench = Bench::new().await;
    let shop = bench.organization("starter").await;
    let refused = bench.connect(shop, INSTAGRAM, "1").await.unwrap_err();
    assert!(refused.to_string().starts_with("Pro plan required"), "{refused}");
    bench.connect(shop, PAGE, "2").await.unwrap();
    let refused = bench.connect(shop, PAGE, "3").await.unwrap_err();
    let limit = PlanRefusal::PlanLimit { current: "Starter".into(), allowed: 1, needed: Some("Pro".into()) };
    assert!(matches!(refused, ConnectError::Plan(refusal) if refusal == limit));

    let tx = bench.ctx.db.begin().await.unwrap();
    organizations::set_subscription(&tx, &bench.ctx, Actor::CommandLine, shop, false).await.unwrap();
    tx.commit().await.unwrap();
    let refused = bench.connect(shop, PAGE, "4").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Plan(PlanRefusal::SubscriptionInactive)));
}

#[tokio::test]
async fn an_account_has_one_owner() {
    let bench = Bench::new().await;
    let (one, two) = (bench.organization("pro").await, bench.organization("pro").await);
    bench.connect(one, INSTAGRAM, "1").await.unwrap();
    assert!(matches!(bench.connect(one, INSTAGRAM, "1").await, Err(ConnectError::AlreadyConnected)));
    assert!(matches!(bench.connect(two, INSTAGRAM, "1").await, Err(ConnectError::AccountConnectedElsewhere)));
    assert!(bench.connect(two, PAGE, "1").await.is_ok(), "the same number on the other platform is another account");
}

#[tokio::test]
async fn races_never_pass_the_limit_and_never_waste_a_place() {
    let bench = Arc::new(Bench::new().await);
    let shop = bench.organization("pro").await;
    let tries = (0..16).map(|n| {
        let bench = bench.clone();
        tokio::spawn(async move { bench.connect(shop, PAGE, &n.to_string()).await.is_ok() })
    });
    let mut connected = 0;
    for done in tries.collect::<Vec<_>>() {
        connected += usize::from(done.await.unwrap());
    }
    assert_eq!(connected, 3);
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), shop).await.unwrap(), 3);
}

#[tokio::test]
async fn a_downgrade_puts_the_newest_over_plan_and_an_upgrade_brings_them_back() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    for (route, id) in [(INSTAGRAM, "1"), (PAGE, "2"), (PAGE, "3")] {
        bench.connect(shop, route, id).await.unwrap();
        bench.clock.advance(SECOND);
    }
    set_plan(&bench, shop, "starter").await;
    assert_eq!(statuses(&bench, shop).await, ["over_plan", "active", "over_plan"]);
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), shop).await.unwrap(), 1);
    set_plan(&bench, shop, "pro").await;
    assert_eq!(statuses(&bench, shop).await, ["active", "active", "active"]);
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), shop).await.unwrap(), 3);
}

#[tokio::test]
async fn what_meta_would_not_send_is_refused_as_an_automatic_reply() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let (instagram, page) =
        (bench.connect(shop, INSTAGRAM, "1").await.unwrap(), bench.connect(shop, PAGE, "2").await.unwrap());
    let set = async |owner, id, text: &str| {
        let tx = bench.ctx.db.begin().await.unwrap();
        let wanted = AutoReply::text(text);
        let set = set_auto_reply(&tx, &bench.ctx, Actor::CommandLine, owner, id, wanted).await;
        tx.commit().await.unwrap();
        set
    };
    let saved = set(shop, instagram.id, "Hello!").await.unwrap();
    assert_eq!((saved.auto_reply_mode.as_str(), saved.auto_reply_text.as_deref()), ("template", Some("Hello!")));
    assert!(set(shop, instagram.id, &"é".repeat(500)).await.is_ok());
    assert!(matches!(set(shop, instagram.id, &"é".repeat(501)).await, Err(AutoReplyError::TooLong(_))));
    assert!(set(shop, page.id, &"é".repeat(2_000)).await.is_ok());
    assert!(matches!(set(shop, page.id, &"e".repeat(2_001)).await, Err(AutoReplyError::TooLong(_))));
    assert!(matches!(set(shop, page.id, "a\0b").await, Err(AutoReplyError::Characters)));
    for empty in ["", "  "] {
        assert!(matches!(set(shop, page.id, empty).await, Err(AutoReplyError::NoText)), "{empty:?}");
    }
    let other = bench.organization("pro").await;
    assert!(matches!(set(other, page.id, "x").await, Err(AutoReplyError::Unknown)));
}
