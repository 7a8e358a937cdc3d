//! Accounts that go: disconnected by their owner, unusable by Meta's word, removed or deleted by the person at Meta.

use crate::bench::Bench;
use crate::people::{Person, candidate, ready, save};
use domain::audit::Actor;
use domain::clock::{DAY, MINUTE, SECOND};
use domain::connections::{
    self, Disconnected, LoginRoute, NotNow, StoreError, disconnect, may_refresh, needs_reconnect, open_token,
    restricted, store,
};
use domain::notifications::{self, Told};
use domain::removal::{self, Request, Taken};
use domain::{OrganizationId, organizations, plans};
use entities::connection::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

const INSTAGRAM: LoginRoute = LoginRoute::InstagramLogin;
const PAGE: LoginRoute = LoginRoute::FacebookPage;

async fn row(bench: &Bench, id: Uuid) -> Model {
    Entity::find_by_id(id).one(bench.ctx.db.read()).await.unwrap().unwrap()
}

async fn let_go(bench: &Bench, organization: OrganizationId, id: Uuid) -> Disconnected {
    let tx = bench.ctx.db.begin().await.unwrap();
    let done = disconnect(&tx, &bench.ctx, Actor::CommandLine, organization, id).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn mark(bench: &Bench, connection: &Model) -> Option<Told> {
    let tx = bench.ctx.db.begin().await.unwrap();
    let told = needs_reconnect(&tx, &bench.ctx, connection, "The password was changed.").await.unwrap();
    tx.commit().await.unwrap();
    told
}

async fn refresh(bench: &Bench, connection: &Model, token: &str) -> Result<bool, StoreError> {
    let tx = bench.ctx.db.begin().await.unwrap();
    let now = bench.ctx.now();
    let stored = store(&tx, &bench.ctx, connection, &token.to_owned().into(), now, now + 60 * DAY).await?;
    tx.commit().await.unwrap();
    Ok(stored)
}

async fn take(bench: &Bench, request: Request, user: &str, issued_at: i64) -> Taken {
    let tx = bench.ctx.db.begin().await.unwrap();
    let taken = removal::take(&tx, &bench.ctx, request, user, Some(issued_at)).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

/// An Instagram connection of a person, with a token that ends.
async fn ending_in(bench: &Bench, organization: OrganizationId, id: &str, life: i64) -> Model {
    let made = bench.connect(organization, INSTAGRAM, id).await.unwrap();
    Entity::update_many()
        .col_expr(Column::TokenExpiresAt, Expr::value(Some(bench.ctx.now() + life)))
        .col_expr(Column::AppScopedId, Expr::value(Some(format!("scoped {id}"))))
        .filter(Column::Id.eq(made.id))
        .exec(bench.ctx.db.write())
        .await
        .unwrap();
    row(bench, made.id).await
}

#[tokio::test]
async fn a_place_that_is_freed_goes_to_the_oldest_over_plan() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let mut made = Vec::new();
    for id in ["1", "2", "3"] {
        made.push(bench.connect(shop, PAGE, id).await.unwrap().id);
        bench.clock.advance(SECOND);
    }
    let tx = bench.ctx.db.begin().await.unwrap();
    organizations::set_plan(&tx, &bench.ctx, Actor::CommandLine, shop, "starter").await.unwrap();
    tx.commit().await.unwrap();
    let told = notifications::of_organization(bench.ctx.db.read(), shop, None, 10).await.unwrap();
    assert_eq!(told.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["over_plan", "over_plan"]);

    assert!(matches!(let_go(&bench, shop, made[0]).await, Disconnected::Now(row) if row.status == "disconnected"));
    assert_eq!(row(&bench, made[1]).await.status, "active");
    assert_eq!(row(&bench, made[2]).await.status, "over_plan");
    assert!(matches!(let_go(&bench, shop, made[0]).await, Disconnected::Before));
    let other = bench.organization("pro").await;
    assert!(matches!(let_go(&bench, other, made[1]).await, Disconnected::Unknown));
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), shop).await.unwrap(), 1);
}

#[tokio::test]
async fn an_account_that_returns_is_the_one_it_was() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "pro").await;
    let made = bench.connect(person.organization, PAGE, "1").await.unwrap();
    bench.clock.advance(SECOND);
    let Disconnected::Now(gone) = let_go(&bench, person.organization, made.id).await else { panic!() };
    let tx = bench.ctx.db.begin().await.unwrap();
    assert!(connections::wipe_token(&tx, &gone).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(row(&bench, made.id).await.token_sealed, None);

    let (flow, _) = ready(&bench, &person, vec![candidate("1")]).await;
    let back = save(&bench, &person, &flow, &["1"]).await.unwrap().connections.remove(0);
    assert_eq!((back.id, back.status.as_str(), back.disconnected_at), (made.id, "active", None));
    assert_eq!(open_token(&bench.ctx, &back).unwrap().expose_secret(), "token of 1");
    // The job that took leave of it comes late.
    let tx = bench.ctx.db.begin().await.unwrap();
    assert!(!connections::wipe_token(&tx, &gone).await.unwrap());
    tx.commit().await.unwrap();
    assert!(row(&bench, made.id).await.token_sealed.is_some());
}

#[tokio::test]
async fn an_owner_is_told_once_for_each_token() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let old = bench.connect(shop, PAGE, "1").await.unwrap();
    assert!(mark(&bench, &old).await.is_some());
    assert!(mark(&bench, &old).await.is_none(), "known");
    let told = notifications::of_organization(bench.ctx.db.read(), shop, None, 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].text, "Account must be connected again: The password was changed.");

    // A late word about the token of before says nothing of the one that replaced it.
    Entity::update_many()
        .col_expr(Column::TokenVersion, Expr::value(2))
        .col_expr(Column::Status, Expr::value("active"))
        .filter(Column::Id.eq(old.id))
        .exec(bench.ctx.db.write())
        .await
        .unwrap();
    assert!(mark(&bench, &old).await.is_none());
    assert_eq!(row(&bench, old.id).await.status, "active");
    assert!(mark(&bench, &row(&bench, old.id).await).await.is_some());
    let tx = bench.ctx.db.begin().await.unwrap();
    let current = Entity::find_by_id(old.id).one(tx.conn()).await.unwrap().unwrap();
    assert!(
        restricted(&tx, &bench.ctx, &current, "For breaking its rules.").await.unwrap().is_none(),
        "a login is needed first"
    );
    tx.commit().await.unwrap();
    assert_eq!(row(&bench, old.id).await.status, "needs_reconnect");

    let other = bench.connect(shop, PAGE, "2").await.unwrap();
    let tx = bench.ctx.db.begin().await.unwrap();
    assert!(restricted(&tx, &bench.ctx, &other, "For breaking its rules.").await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(row(&bench, other.id).await.status, "restricted");
    assert!(mark(&bench, &other).await.is_some(), "its token may die meanwhile");
    assert_eq!(row(&bench, other.id).await.status, "needs_reconnect");
}

#[tokio::test]
async fn what_happens_to_an_account_over_plan_is_seen_when_it_is_back() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let plan = async |plan: &str| {
        let tx = bench.ctx.db.begin().await.unwrap();
        organizations::set_plan(&tx, &bench.ctx, Actor::CommandLine, shop, plan).await.unwrap();
        tx.commit().await.unwrap();
    };
    let first = bench.connect(shop, PAGE, "1").await.unwrap();
    bench.clock.advance(SECOND);
    let second = bench.connect(shop, PAGE, "2").await.unwrap();
    plan("starter").await;
    let over = row(&bench, second.id).await;
    assert_eq!((over.status.as_str(), over.status_before.as_deref()), ("over_plan", Some("active")));
    assert!(mark(&bench, &over).await.is_some());
    assert!(mark(&bench, &over).await.is_none());
    assert_eq!(row(&bench, second.id).await.status, "over_plan");
    plan("pro").await;
    assert_eq!(row(&bench, second.id).await.status, "needs_reconnect");
    assert_eq!(row(&bench, first.id).await.status, "active");
}

#[tokio::test]
async fn a_refreshed_token_never_wins_over_what_happened_meanwhile() {
    let bench = Bench::new().await;
    let person = Person::of(&bench, "team").await;
    let shop = person.organization;
    let read = bench.connect(shop, PAGE, "1").await.unwrap();
    assert!(refresh(&bench, &read, "fresh").await.unwrap());
    let after = row(&bench, read.id).await;
    assert_eq!((after.token_version, open_token(&bench.ctx, &after).unwrap().expose_secret()), (2, "fresh"));
    assert!(!refresh(&bench, &read, "late").await.unwrap(), "two refreshers: the second finds another version");
    assert!(matches!(refresh(&bench, &after, "").await, Err(StoreError::Empty)));
    assert!(matches!(refresh(&bench, &after, "  ").await, Err(StoreError::Empty)));

    let (flow, _) = ready(&bench, &person, vec![candidate("1")]).await;
    save(&bench, &person, &flow, &["1"]).await.unwrap();
    assert!(!refresh(&bench, &after, "late").await.unwrap(), "reconnected");
    let current = row(&bench, read.id).await;
    assert_eq!(open_token(&bench.ctx, &current).unwrap().expose_secret(), "token of 1");

    mark(&bench, &current).await.unwrap();
    assert!(!refresh(&bench, &current, "late").await.unwrap(), "a refresh connects nothing that is not connected");
    assert_eq!(row(&bench, read.id).await.status, "needs_reconnect");

    let other = bench.connect(shop, PAGE, "2").await.unwrap();
    let_go(&bench, shop, other.id).await;
    assert!(!refresh(&bench, &other, "late").await.unwrap(), "disconnected");
    let gone = row(&bench, other.id).await;
    assert_eq!((gone.status.as_str(), gone.token_version), ("disconnected", 1));
}

#[tokio::test]
async fn a_token_is_refreshed_from_its_second_day_to_its_last() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let made = ending_in(&bench, shop, "1", 60 * DAY).await;
    let issued = made.token_issued_at.unwrap();
    for (at, expected) in
        [(DAY - 1, Err(NotNow::TooYoung)), (DAY, Ok(())), (60 * DAY - 1, Ok(())), (60 * DAY, Err(NotNow::Expired))]
    {
        assert_eq!(may_refresh(&made, issued + at), expected, "after {at} ms");
    }
    let page = bench.connect(shop, PAGE, "2").await.unwrap();
    assert_eq!(may_refresh(&page, issued + 30 * DAY), Err(NotNow::NotKept), "a Page's token does not end");
    let waiting = Model { status: "needs_reconnect".to_owned(), ..made };
    assert_eq!(may_refresh(&waiting, issued + 30 * DAY), Err(NotNow::NotKept));
}

#[tokio::test]
async fn the_earliest_end_comes_first_page_by_page() {
    let bench = Bench::new().await;
    let shop = bench.organization("enterprise").await;
    for (id, days) in [("1", 9), ("2", 3), ("3", 5), ("4", 3), ("5", 1)] {
        ending_in(&bench, shop, id, days * DAY).await;
    }
    let young = bench.ctx.now();
    let db = bench.ctx.db.read();
    assert!(connections::ending(db, young + DAY - 1, young + 8 * DAY, None, 10).await.unwrap().is_empty());
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = connections::ending(db, young + DAY, young + 8 * DAY, after, 2).await.unwrap();
        let Some((id, _, end)) = page.last() else { break };
        after = Some((*end, *id));
        seen.extend(page.iter().map(|(_, _, end)| (end - young) / DAY));
    }
    assert_eq!(seen, [1, 3, 3, 5]);
}

#[tokio::test]
async fn who_removes_the_app_is_known_by_the_app_scoped_id() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let made = ending_in(&bench, shop, "1", 60 * DAY).await;
    let now = bench.ctx.now() / SECOND;
    for stranger in ["1", "0", "scoped", ""] {
        let taken = take(&bench, Request::Deauthorize, stranger, now).await;
        assert!(taken.connections.is_empty(), "{stranger}");
    }
    let taken = take(&bench, Request::Deauthorize, "scoped 1", now).await;
    assert_eq!((taken.fresh, taken.connections.len(), taken.told.len()), (true, 1, 1));
    let after = row(&bench, made.id).await;
    assert_eq!((after.status.as_str(), &after.token_sealed), ("needs_reconnect", &None));
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), shop).await.unwrap(), 1, "it keeps its place");
    assert!(!refresh(&bench, &made, "late").await.unwrap());
    let again = take(&bench, Request::Deauthorize, "scoped 1", now).await;
    assert_eq!((again.fresh, again.callback.id), (false, taken.callback.id));
}

#[tokio::test]
async fn an_old_word_does_not_reach_who_has_logged_in_since() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let asked = bench.ctx.now() / SECOND;
    bench.clock.advance(2 * MINUTE);
    let made = ending_in(&bench, shop, "1", 60 * DAY).await;
    for request in [Request::Deauthorize, Request::DataDeletion] {
        assert!(take(&bench, request, "scoped 1", asked).await.connections.is_empty());
    }
    assert_eq!(row(&bench, made.id).await.status, "active");
    // A time that nobody can have meant: the request is believed, not its clock.
    let absurd = asked - 10 * DAY / SECOND;
    assert_eq!(take(&bench, Request::Deauthorize, "scoped 1", absurd).await.connections.len(), 1);
    assert_eq!(row(&bench, made.id).await.status, "needs_reconnect");
}

#[tokio::test]
async fn a_deletion_takes_effect_at_once_and_ends_when_the_account_returns() {
    let bench = Bench::new().await;
    let shop = bench.organization("pro").await;
    let made = ending_in(&bench, shop, "1", 60 * DAY).await;
    let now = bench.ctx.now() / SECOND;
    let taken = take(&bench, Request::DataDeletion, "scoped 1", now).await;
    assert_eq!((taken.callback.status.as_str(), taken.connections.len()), ("received", 1));
    let after = row(&bench, made.id).await;
    assert_eq!((after.status.as_str(), &after.token_sealed), ("disconnected", &None));
    assert_eq!(plans::accounts_used(bench.ctx.db.read(), shop).await.unwrap(), 0);
    let db = bench.ctx.db.read();
    let stones = removal::tombstones(db, &[("instagram", "1"), ("facebook", "1")]).await.unwrap();
    assert_eq!(stones.len(), 1);
    let code = taken.callback.confirmation_code;
    assert!(removal::by_code(db, &code).await.unwrap().is_some());
    assert_eq!(take(&bench, Request::DataDeletion, "scoped 1", now).await.callback.confirmation_code, code);

    let tx = bench.ctx.db.begin().await.unwrap();
    removal::finish(&tx, &bench.ctx, taken.callback.id).await.unwrap();
    tx.commit().await.unwrap();
    let gone = row(&bench, made.id).await;
    assert!(gone.external_id.starts_with("deleted-") && gone.app_scoped_id.is_none(), "{gone:?}");

    bench.clock.advance(SECOND);
    let back = bench.connect(shop, INSTAGRAM, "1").await.unwrap();
    assert_ne!(back.id, made.id);
    assert!(removal::tombstones(db, &[("instagram", "1")]).await.unwrap().is_empty());

    // Of a person that nobody knows there is nothing to delete, and the answer says so.
    let unknown = take(&bench, Request::DataDeletion, "nobody", now).await;
    assert_eq!(unknown.callback.status, "done");
}

#[tokio::test]
async fn a_page_is_shared_by_its_own_connection_and_the_instagram_account_behind_it() {
    let bench = Bench::new().await;
    let (one, two) = (bench.organization("pro").await, bench.organization("pro").await);
    let page = bench.connect(one, PAGE, "500").await.unwrap();
    let instagram = bench.connect(two, LoginRoute::InstagramViaPage, "17841").await.unwrap();
    Entity::update_many()
        .col_expr(Column::PageId, Expr::value(Some("500")))
        .filter(Column::Id.eq(instagram.id))
        .exec(bench.ctx.db.write())
        .await
        .unwrap();
    let sharing = async |id| {
        let of = row(&bench, id).await;
        let rows = connections::sharing(bench.ctx.db.read(), &of).await.unwrap();
        rows.into_iter().filter(|other| other.id != id).map(|other| other.id).collect::<Vec<_>>()
    };
    assert_eq!(sharing(page.id).await, [instagram.id]);
    assert_eq!(sharing(instagram.id).await, [page.id]);
    let_go(&bench, two, instagram.id).await;
    assert!(sharing(page.id).await.is_empty());
    let direct = bench.connect(two, INSTAGRAM, "999").await.unwrap();
    assert!(sharing(direct.id).await.is_empty());
}
