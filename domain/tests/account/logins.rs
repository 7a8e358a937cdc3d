//! A login at Meta, step by step: what state and handle are good for, and what a choice of accounts leads to.

use crate::bench::Bench;
use crate::people::{Person, arrive, candidate, discover, ready, save, sign_in, start};
use domain::audit::{self, Actor};
use domain::clock::{MINUTE, SECOND};
use domain::connect::{self, Binding, Candidate, Content, FlowError, Handle, SaveError, StateError};
use domain::connections::{self, LoginRoute, Platform, open_token};
use domain::plans::PlanRefusal;
use domain::{organizations, plans, sessions};
use entities::connect_flow;
use meta::Asks;
use sea_orm::EntityTrait as _;
use secrecy::ExposeSecret as _;

fn invalid<T>(result: Result<T, FlowError>) -> bool {
    matches!(result, Err(FlowError::State(StateError::Invalid)))
}

#[tokio::test]
async fn a_state_serves_once_and_only_whom_it_was_made_for() {
    let bench = Bench::new().await;
    let (person, other) = (Person::of(&bench, "pro").await, Person::of(&bench, "pro").await);
    let binding = person.binding();
    let state = start(&bench, &binding, Platform::Facebook).await.unwrap().state;
    assert!(state.len() < 200 && !state.contains(&person.user.simple().to_string()));

    let later_session = Binding { session: sign_in(&bench, person.user).await, ..binding.clone() };
    let other_browser = Binding { browser: Some("another".to_owned()), ..binding.clone() };
    let no_browser = Binding { browser: None, ..binding.clone() };
    for (who, wrong) in [
        ("another person", other.binding()),
        ("a later session", later_session),
        ("another browser", other_browser),
        ("no browser", no_browser.clone()),
    ] {
        assert!(invalid(arrive(&bench, &wrong, Platform::Facebook, &state).await), "{who}");
    }
    assert!(invalid(arrive(&bench, &binding, Platform::Instagram, &state).await), "the other provider");
    assert!(invalid(arrive(&bench, &binding, Platform::Facebook, "").await));
    // None of these has used it up.
    let flow = arrive(&bench, &binding, Platform::Facebook, &state).await.unwrap();
    assert_eq!(flow.stage, "started");
    assert!(invalid(arrive(&bench, &binding, Platform::Facebook, &state).await), "twice");

    // Without https a browser may keep no cookie; a wrong one is refused all the same.
    let state = start(&bench, &binding, Platform::Facebook).await.unwrap().state;
    let plain = Binding { browser_needed: false, ..no_browser };
    let wrong = Binding { browser: Some("another".to_owned()), ..plain.clone() };
    assert!(invalid(arrive(&bench, &wrong, Platform::Facebook, &state).await));
    arrive(&bench, &plain, Platform::Facebook, &state).await.unwrap();
}

#[tokio::test]
async fn ten_minutes_are_the_end_of_state_and_handle() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "pro").await;
    let binding = person.binding();
    let (in_time, late) = (
        start(&bench, &binding, Platform::Facebook).await.unwrap(),
        start(&bench, &binding, Platform::Facebook).await.unwrap(),
    );
    bench.clock.advance(10 * MINUTE - 1);
    let flow = arrive(&bench, &binding, Platform::Facebook, &in_time.state).await.unwrap();
    bench.clock.advance(1);
    let expired = arrive(&bench, &binding, Platform::Facebook, &late.state).await;
    assert!(matches!(expired, Err(FlowError::State(StateError::Expired))));

    let handle = Handle::random().unwrap();
    discover(&bench, &flow, &handle, vec![candidate("1")]).await;
    let find = async || connect::find_by_handle(bench.ctx.db.read(), &bench.ctx, &binding, &handle).await.unwrap();
    bench.clock.advance(10 * MINUTE - 1);
    assert!(find().await.is_some());
    bench.clock.advance(1);
    assert!(find().await.is_none());
    assert!(matches!(save(&bench, &person, &flow, &["1"]).await, Err(SaveError::HandleInvalid)));
    let tx = bench.ctx.db.begin().await.unwrap();
    assert!(connect::expire(&tx, &bench.ctx, flow.id).await.unwrap());
    tx.commit().await.unwrap();
    let row = connect_flow::Entity::find_by_id(flow.id).one(bench.ctx.db.read()).await.unwrap().unwrap();
    assert_eq!(row.sealed, None, "what was sealed is gone");
}

#[tokio::test]
async fn a_handle_opens_for_nobody_else() {
    let bench = Bench::new().await;
    let (person, other) = (Person::of(&bench, "pro").await, Person::of(&bench, "pro").await);
    let (flow, handle) = ready(&bench, &person, vec![candidate("1")]).await;
    let find = async |binding: &Binding, handle: &Handle| {
        connect::find_by_handle(bench.ctx.db.read(), &bench.ctx, binding, handle).await.unwrap().map(|flow| flow.id)
    };
    let binding = person.binding();
    assert_eq!(find(&binding, &handle).await, Some(flow.id));
    assert_eq!(find(&other.binding(), &handle).await, None);
    let later = Binding { session: sign_in(&bench, person.user).await, ..binding.clone() };
    assert_eq!(find(&later, &handle).await, None);
    assert_eq!(find(&Binding { browser: None, ..binding.clone() }, &handle).await, None);
    assert_eq!(find(&binding, &Handle::random().unwrap()).await, None);

    // Signing out ends it, even for a job that is on its way.
    sessions::end(&bench.ctx, person.session).await.unwrap();
    assert!(matches!(save(&bench, &person, &flow, &["1"]).await, Err(SaveError::HandleInvalid)));
    assert!(connections::list(bench.ctx.db.read(), person.organization).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_choice_connects_all_or_nothing_and_is_answered_the_same_again() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "pro").await;
    let found = ["1", "2", "3", "4"].map(candidate).to_vec();
    let (flow, _) = ready(&bench, &person, found).await;
    let refused = save(&bench, &person, &flow, &["1", "2", "3", "4"]).await;
    let Err(SaveError::Plan(PlanRefusal::PlanLimit { allowed: 3, .. })) = refused else { panic!("{refused:?}") };
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), person.organization).await.unwrap(), 0);
    assert!(matches!(save(&bench, &person, &flow, &["1", "9"]).await, Err(SaveError::UnknownAccount(id)) if id == "9"));

    let saved = save(&bench, &person, &flow, &["2", "1", "2"]).await.unwrap();
    assert!(saved.fresh);
    let ids: Vec<_> = saved.connections.iter().map(|row| row.id).collect();
    let again = save(&bench, &person, &flow, &["1", "2"]).await.unwrap();
    assert!(!again.fresh);
    assert_eq!(again.connections.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    assert!(matches!(save(&bench, &person, &flow, &["1"]).await, Err(SaveError::HandleInvalid)));

    let row = &saved.connections[0];
    assert_eq!((row.external_id.as_str(), row.status.as_str(), row.token_version), ("1", "active", 1));
    assert_eq!(open_token(&bench.ctx, row).unwrap().expose_secret(), "token of 1");
    assert!(row.scopes.contains("pages_messaging"));
    let trail = audit::of_organization(bench.ctx.db.read(), person.organization, None, 10).await.unwrap();
    assert_eq!(trail.iter().filter(|entry| entry.action == "connection.created").count(), 2);
    let row = connect_flow::Entity::find_by_id(flow.id).one(bench.ctx.db.read()).await.unwrap().unwrap();
    assert_eq!((row.stage.as_str(), row.sealed), ("saved", None));
}

#[tokio::test]
async fn what_has_no_token_of_its_own_is_refused_with_the_reason() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "pro").await;
    let reason = "Meta gave no access to this Page.";
    let without = Candidate { token: None, unusable: Some(reason.to_owned()), ..candidate("2") };
    let (flow, _) = ready(&bench, &person, vec![candidate("1"), without]).await;
    let refused = save(&bench, &person, &flow, &["1", "2"]).await.unwrap_err();
    assert!(matches!(&refused, SaveError::Unusable { why, .. } if why == reason), "{refused}");
    assert!(connections::list(bench.ctx.db.read(), person.organization).await.unwrap().is_empty());
    assert_eq!(flow.accounts, 1, "it does not count as one that can be chosen");
}

#[tokio::test]
async fn the_plan_is_asked_at_the_start_at_the_callback_and_at_the_save() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "starter").await;
    let binding = person.binding();
    let refused = start(&bench, &binding, Platform::Instagram).await.unwrap_err();
    assert!(refused.to_string().starts_with("Pro plan required"), "{refused}");

    let plan = async |plan: &str| {
        let tx = bench.ctx.db.begin().await.unwrap();
        organizations::set_plan(&tx, &bench.ctx, Actor::CommandLine, person.organization, plan).await.unwrap();
        tx.commit().await.unwrap();
    };
    plan("pro").await;
    let state = start(&bench, &binding, Platform::Instagram).await.unwrap().state;
    plan("starter").await;
    let flow = arrive(&bench, &binding, Platform::Instagram, &state).await.unwrap();
    let tx = bench.ctx.db.begin().await.unwrap();
    let code = "the code".to_owned().into();
    let refused = connect::accept(&tx, &bench.ctx, &flow, code, &Handle::random().unwrap()).await;
    assert!(matches!(refused, Err(FlowError::Plan(PlanRefusal::PlanRequired { .. }))));
    tx.rollback().await.unwrap();

    // Facebook, with one place: the plan shrinks between the login and the choice.
    plan("pro").await;
    let (flow, _) = ready(&bench, &person, ["1", "2"].map(candidate).to_vec()).await;
    plan("starter").await;
    assert!(matches!(save(&bench, &person, &flow, &["1", "2"]).await, Err(SaveError::Plan(_))));
    save(&bench, &person, &flow, &["1"]).await.unwrap();
    let refused = start(&bench, &binding, Platform::Facebook).await;
    assert!(matches!(refused, Err(FlowError::Plan(PlanRefusal::PlanLimit { .. }))));
    // A full plan keeps nobody from mending what it has.
    let row = connections::list(bench.ctx.db.read(), person.organization).await.unwrap().remove(0);
    let tx = bench.ctx.db.begin().await.unwrap();
    connections::needs_reconnect(&tx, &bench.ctx, &row, "The password was changed.").await.unwrap().unwrap();
    tx.commit().await.unwrap();
    start(&bench, &binding, Platform::Facebook).await.unwrap();
}

#[tokio::test]
async fn reconnecting_keeps_the_place_and_never_exceeds_the_plan() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "starter").await;
    let (flow, _) = ready(&bench, &person, vec![candidate("1")]).await;
    let made = save(&bench, &person, &flow, &["1"]).await.unwrap().connections.remove(0);
    let tx = bench.ctx.db.begin().await.unwrap();
    connections::needs_reconnect(&tx, &bench.ctx, &made, "The password was changed.").await.unwrap().unwrap();
    tx.commit().await.unwrap();

    bench.clock.advance(SECOND);
    let renewed = Candidate { token: Some("a newer token".to_owned().into()), ..candidate("1") };
    let (flow, _) = ready(&bench, &person, vec![renewed, candidate("2")]).await;
    let both = save(&bench, &person, &flow, &["1", "2"]).await;
    assert!(matches!(both, Err(SaveError::Plan(PlanRefusal::PlanLimit { allowed: 1, .. }))), "{both:?}");
    let row = save(&bench, &person, &flow, &["1"]).await.unwrap().connections.remove(0);
    assert_eq!((row.id, row.status.as_str(), row.token_version), (made.id, "active", 2));
    assert_eq!(open_token(&bench.ctx, &row).unwrap().expose_secret(), "a newer token");
    assert_eq!(row.status_reason, None);
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), person.organization).await.unwrap(), 1);
}

#[tokio::test]
async fn an_account_of_somebody_else_costs_the_whole_choice() {
    let bench = Bench::new().await;
    let (one, two) = (Person::of(&bench, "pro").await, Person::of(&bench, "pro").await);
    bench.connect(one.organization, LoginRoute::FacebookPage, "1").await.unwrap();
    let (flow, _) = ready(&bench, &two, ["1", "2"].map(candidate).to_vec()).await;
    let refused = save(&bench, &two, &flow, &["2", "1"]).await.unwrap_err();
    assert!(matches!(refused, SaveError::Elsewhere(_)), "{refused}");
    assert!(connections::list(bench.ctx.db.read(), two.organization).await.unwrap().is_empty());
    save(&bench, &two, &flow, &["2"]).await.unwrap();
}

#[tokio::test]
async fn steps_go_forward_only_and_a_failed_attempt_keeps_no_secret() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "pro").await;
    let (flow, _) = ready(&bench, &person, vec![candidate("1")]).await;
    let tx = bench.ctx.db.begin().await.unwrap();
    let content = Content::default();
    assert!(matches!(connect::exchanged(&tx, &bench.ctx, &flow, &content).await, Err(FlowError::Overtaken)));
    assert!(matches!(connect::discover(&tx, &bench.ctx, &flow, &content).await, Err(FlowError::Overtaken)));
    // A late failure does not undo what is ready.
    connect::fail(&tx, &bench.ctx, &flow, Actor::CommandLine, "internal", None).await.unwrap();
    tx.commit().await.unwrap();
    let row = connect::load(bench.ctx.db.read(), flow.id).await.unwrap().unwrap();
    assert_eq!(row.stage, "ready");

    let binding = person.binding();
    let state = start(&bench, &binding, Platform::Facebook).await.unwrap().state;
    let flow = arrive(&bench, &binding, Platform::Facebook, &state).await.unwrap();
    let tx = bench.ctx.db.begin().await.unwrap();
    connect::accept(&tx, &bench.ctx, &flow, "the code".to_owned().into(), &Handle::random().unwrap()).await.unwrap();
    connect::fail(&tx, &bench.ctx, &flow, Actor::CommandLine, "no_accounts", Some("None.")).await.unwrap();
    tx.commit().await.unwrap();
    let row = connect::load(bench.ctx.db.read(), flow.id).await.unwrap().unwrap();
    assert_eq!((row.stage.as_str(), row.error_code.as_deref(), row.sealed), ("failed", Some("no_accounts"), None));
    let trail = audit::of_organization(bench.ctx.db.read(), person.organization, None, 1).await.unwrap();
    assert_eq!(trail[0].action, "connection.refused");
    assert_eq!(connect::asks(Platform::Instagram, meta::Login::Facebook), Asks::InstagramThroughPages);
}
