//! What is sealed opens in its own place only, and is sealed again with a new key while the service runs.

use crate::bench::Bench;
use crate::people::{Person, candidate, ready, save};
use domain::Context;
use domain::clock::DAY;
use domain::connect::{self, Content};
use domain::connections::{self, LoginRoute, open_token, store};
use domain::rotation::{InUse, Rotated, keys_in_use, rotate};
use domain::vault::{Vault, VaultKey};
use entities::{connect_flow, connection};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use uuid::Uuid;

fn key(id: &str, byte: u8) -> VaultKey {
    VaultKey::new(id, [byte; 32]).unwrap()
}

/// Every sealed value: table, row, text.
async fn sealed(ctx: &Context) -> Vec<(&'static str, Uuid, String)> {
    let tokens = connection::Entity::find().all(ctx.db.read()).await.unwrap();
    let logins = connect_flow::Entity::find().all(ctx.db.read()).await.unwrap();
    let tokens = tokens.into_iter().filter_map(|row| Some(("connections", row.id, row.token_sealed?)));
    let logins = logins.into_iter().filter_map(|row| Some(("connect_flows", row.id, row.sealed?)));
    tokens.chain(logins).collect()
}

async fn put(ctx: &Context, table: &str, id: Uuid, text: &str) {
    let db = ctx.db.write();
    if table == "connections" {
        let update = connection::Entity::update_many().filter(connection::Column::Id.eq(id));
        update.col_expr(connection::Column::TokenSealed, Expr::value(Some(text))).exec(db).await.unwrap();
    } else {
        let update = connect_flow::Entity::update_many().filter(connect_flow::Column::Id.eq(id));
        update.col_expr(connect_flow::Column::Sealed, Expr::value(Some(text))).exec(db).await.unwrap();
    }
}

async fn opens(ctx: &Context, table: &str, id: Uuid) -> bool {
    if table == "connections" {
        let row = connection::Entity::find_by_id(id).one(ctx.db.read()).await.unwrap().unwrap();
        open_token(ctx, &row).is_ok()
    } else {
        let row = connect::load(ctx.db.read(), id).await.unwrap().unwrap();
        Content::open(ctx, &row).is_ok()
    }
}

#[tokio::test]
async fn no_two_sealed_values_can_be_swapped() {
    let bench = Bench::new().await;
    let (one, two) = (Person::of(&bench, "pro").await, Person::of(&bench, "pro").await);
    for (person, ids) in [(&one, ["1", "2"]), (&two, ["3", "4"])] {
        for id in ids {
            bench.connect(person.organization, LoginRoute::FacebookPage, id).await.unwrap();
        }
        ready(&bench, person, vec![candidate("9")]).await;
    }
    let all = sealed(&bench.ctx).await;
    assert_eq!(all.len(), 6);
    for (at, (table, id, own)) in all.iter().enumerate() {
        assert!(opens(&bench.ctx, table, *id).await);
        for (_, _, other) in all.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, row)| row) {
            put(&bench.ctx, table, *id, other).await;
            assert!(!opens(&bench.ctx, table, *id).await, "a value of another place opened in {table} {id}");
        }
        put(&bench.ctx, table, *id, own).await;
    }
}

#[tokio::test]
async fn a_rotation_under_load_loses_nothing_and_leaves_no_old_key() {
    let mut bench = Bench::sealed_by(vec![key("old", 1)]).await;
    let person = Person::of(&bench, "enterprise").await;
    let mut made = Vec::new();
    for n in 0..180 {
        let id = n.to_string();
        made.push(bench.connect(person.organization, LoginRoute::FacebookPage, &id).await.unwrap().id);
    }
    let mut flows = Vec::new();
    for n in 200..210 {
        flows.push((n.to_string(), ready(&bench, &person, vec![candidate(&n.to_string())]).await.0));
    }
    let used = keys_in_use(bench.ctx.db.read()).await.unwrap();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(Some("old".to_owned()), InUse { tokens: 180, logins: 10 })]);
    bench.ctx.vault = Arc::new(Vault::new(vec![key("new", 2), key("old", 1)]).unwrap());
    let bench = Arc::new(bench);

    // Refreshes and saves go on beside the rotation, from several sides.
    let refreshing = {
        let (bench, made) = (bench.clone(), made.clone());
        tokio::spawn(async move {
            // From the other end than the rotation, so that they meet with the rotation's page already read.
            for id in made.iter().rev() {
                let row = connection::Entity::find_by_id(*id).one(bench.ctx.db.read()).await.unwrap().unwrap();
                let tx = bench.ctx.db.begin().await.unwrap();
                let now = bench.ctx.now();
                assert!(store(&tx, &bench.ctx, &row, &"refreshed".into(), now, now + DAY).await.unwrap());
                tx.commit().await.unwrap();
            }
        })
    };
    let choosing = {
        let (bench, person) = (bench.clone(), person.clone());
        tokio::spawn(async move {
            for (id, flow) in &flows {
                save(&bench, &person, flow, &[id]).await.unwrap();
            }
        })
    };
    let mut total = Rotated::default();
    loop {
        let done = rotate(&bench.ctx, |_| {}).await.unwrap();
        total.tokens += done.tokens;
        total.unreadable += done.unreadable;
        if done.overtaken == 0 && refreshing.is_finished() && choosing.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    refreshing.await.unwrap();
    choosing.await.unwrap();
    assert_eq!(total.unreadable, 0);
    for (table, id, text) in sealed(&bench.ctx).await {
        assert_eq!(Vault::key_of(&text), Some("new"), "{table} {id}");
    }
    let used = keys_in_use(bench.ctx.db.read()).await.unwrap();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(Some("new".to_owned()), InUse { tokens: 190, logins: 0 })]);
    // Only the new key is left, and everything opens.
    let alone = Context { vault: Arc::new(Vault::new(vec![key("new", 2)]).unwrap()), ..bench.ctx.clone() };
    let rows = connections::list(alone.db.read(), person.organization).await.unwrap();
    assert_eq!(rows.len(), 190);
    for row in rows {
        let token = open_token(&alone, &row).unwrap();
        let expected =
            if made.contains(&row.id) { "refreshed".to_owned() } else { format!("token of {}", row.external_id) };
        assert_eq!(token.expose_secret(), expected);
    }
    assert_eq!(rotate(&alone, |_| {}).await.unwrap(), Rotated::default());
}

#[tokio::test]
async fn what_no_key_opens_is_counted_and_left_alone() {
    let mut bench = Bench::sealed_by(vec![key("lost", 1)]).await;
    let shop = bench.organization("pro").await;
    let made = bench.connect(shop, LoginRoute::FacebookPage, "1").await.unwrap();
    bench.ctx.vault = Arc::new(Vault::new(vec![key("new", 2)]).unwrap());
    let done = rotate(&bench.ctx, |_| {}).await.unwrap();
    assert_eq!(done, Rotated { unreadable: 1, ..Rotated::default() });
    let row = connections::find(bench.ctx.db.read(), shop, made.id).await.unwrap().unwrap();
    assert_eq!(row.token_sealed, made.token_sealed);
    put(&bench.ctx, "connections", made.id, "no envelope").await;
    bench.connect(shop, LoginRoute::FacebookPage, "2").await.unwrap();
    let used = keys_in_use(bench.ctx.db.read()).await.unwrap();
    let one = InUse { tokens: 1, logins: 0 };
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(None, one), (Some("new".to_owned()), one)]);
}
