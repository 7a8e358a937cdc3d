//! Tokens that stay alive: refreshed in time and once, whatever happens meanwhile, and owners told once when only they can help.

use super::Logins;
use crate::world::Like;
use domain::clock::{DAY, HOUR, MINUTE};
use domain::connections::open_token;
use domain::id::IdKind;
use entities::connection;
use futures::future::join_all;
use jobs::jobs::token_refresh;
use jobs::{Ledger, Workers};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) async fn row(logins: &Logins, shown: &Value) -> connection::Model {
    let id = IdKind::Connection.parse(shown["id"].as_str().unwrap()).unwrap();
    connection::Entity::find_by_id(id).one(logins.world.ctx.db.read()).await.unwrap().unwrap()
}

/// Some Instagram accounts, connected.
pub(super) async fn connected(logins: &Logins, count: usize) -> Vec<Value> {
    let mut made = Vec::new();
    for _ in 0..count {
        let account = logins.instagram().await;
        made.push(logins.connect(&mut logins.owner.clone(), "instagram", &[&account]).await.remove(0));
    }
    logins.until_idle().await;
    made
}

/// Signing in again: sessions do not last as long as these tests.
pub(super) async fn sign_in(logins: &Logins) -> crate::world::Caller {
    let body = json!({ "email": "ada@shop.test", "password": "correct horse" });
    logins.world.send(&crate::world::Caller::default(), "POST", "/api/auth/login", body).await.caller()
}

/// Waits for what fell due at this moment: what recurs, and what that enqueued.
pub(super) async fn settle(logins: &Logins) {
    logins
        .until("what recurs", || async {
            let now = logins.world.ctx.now();
            let schedules = entities::schedule::Entity::find().all(logins.world.ctx.db.read()).await.unwrap();
            let late = schedules.iter().any(|one| now >= one.last_due_at + one.every_ms);
            if late { Err("a schedule is due".to_owned()) } else { Ok(()) }
        })
        .await;
    logins.until_idle().await;
}

pub(super) async fn pass_days(logins: &Logins, days: i64) {
    for _ in 0..days {
        logins.advance(DAY).await;
        settle(logins).await;
    }
}

/// Waits until so many calls are held at Meta.
pub(super) async fn held(logins: &Logins, count: u64) {
    logins
        .until("the held refreshes", || async {
            let held = logins.says("/sandbox/counters").await["held"].clone();
            if held == count { Ok(()) } else { Err(held.to_string()) }
        })
        .await;
}

fn enterprise() -> Like {
    Like { signup_plan: Some("enterprise"), ..Like::default() }
}

#[tokio::test]
async fn ninety_days_pass_and_every_token_lives() {
    let logins = Logins::like(enterprise()).await;
    let made = connected(&logins, 4).await;
    let pages = [logins.page().await];
    logins.connect(&mut logins.owner.clone(), "facebook", &[&pages[0]]).await;
    for day in 1..=90 {
        pass_days(&logins, 1).await;
        let refreshes = logins.counted("refreshes").await;
        // Sixty days less a little, seven ahead: due on the 53rd day and not before, and again after as long.
        let expected = if day < 53 { 0 } else { 4 };
        assert_eq!(refreshes, expected, "day {day}");
        assert_eq!(logins.counted("refreshesRefused").await, 0, "day {day}: none early");
    }
    for shown in &made {
        let row = row(&logins, shown).await;
        assert_eq!((row.status.as_str(), row.token_version), ("active", 2));
        let token = open_token(&logins.world.ctx, &row).unwrap();
        let tokens = logins.says(&format!("/sandbox/tokens?accountId={}", row.external_id)).await;
        let ours = tokens["items"].as_array().unwrap().iter().find(|one| one["token"] == token.expose_secret());
        assert_eq!(ours.unwrap()["valid"], true, "{tokens}");
    }
    logins.stop().await;
}

#[tokio::test]
async fn many_processes_make_one_call_for_each_account() {
    let logins = Logins::like(enterprise()).await;
    let made = connected(&logins, 6).await;
    let others: Vec<Workers> = (0..7)
        .map(|_| Workers::start(&Ledger::new(logins.world.ctx.clone(), logins.world.ledger.settings().clone())))
        .collect();
    pass_days(&logins, 52).await;
    logins.fault("refresh_hold", Some(6)).await;
    logins.advance(DAY).await;
    held(&logins, 6).await;
    // While all are at Meta, each process wants them again.
    let again = (0..8).flat_map(|_| &made).map(|shown| async {
        let row = row(&logins, shown).await;
        let mut tx = logins.world.ctx.db.begin().await.unwrap();
        let job = token_refresh::job(row.id, row.organization_id);
        let enqueued = logins.world.ledger.enqueue(&mut tx, vec![job]).await.unwrap().len();
        tx.commit().await.unwrap();
        enqueued
    });
    assert_eq!(join_all(again).await, [0; 48], "each is under way");
    logins.control("/sandbox/release", json!({})).await;
    settle(&logins).await;
    pass_days(&logins, 1).await;
    let counters = logins.says("/sandbox/counters?detail=true").await;
    for shown in &made {
        let id = shown["externalId"].as_str().unwrap();
        assert_eq!(counters["refreshesByAccount"][id], 1, "{counters}");
    }
    for workers in others {
        workers.stop(Duration::from_secs(5)).await;
    }
    logins.stop().await;
}

#[tokio::test]
async fn a_failure_of_metas_keeps_the_account_connected_and_its_token() {
    for fault in [
        "refresh_transient",
        "refresh_html_502",
        "refresh_timeout",
        "refresh_lost",
        "refresh_rate_limit",
        "refresh_empty_token",
    ] {
        let logins = Logins::new().await;
        let made = connected(&logins, 1).await;
        logins.fault(fault, Some(1)).await;
        // Up to the day before, at which nothing is due.
        pass_days(&logins, 52).await;
        let before = row(&logins, &made[0]).await;
        pass_days(&logins, 1).await;
        let after = row(&logins, &made[0]).await;
        assert_eq!((after.status.as_str(), &after.token_sealed), ("active", &before.token_sealed), "{fault}");
        assert_eq!(after.token_version, 1);
        let job = logins.jobs("token.refresh").await.remove(0);
        let expected = if fault == "refresh_rate_limit" { "snoozed" } else { "retryable" };
        assert_eq!(job.state, expected, "{fault}: {job:?}");
        logins.advance(5 * MINUTE).await;
        logins.until_idle().await;
        let after = row(&logins, &made[0]).await;
        assert_eq!((after.status.as_str(), after.token_version), ("active", 2), "{fault}");
        let ada = sign_in(&logins).await;
        assert_eq!(logins.world.get(&ada, "/api/notifications").await.body["items"], json!([]), "{fault}");
        logins.stop().await;
    }
}

#[tokio::test]
async fn what_only_the_owner_can_mend_is_told_once() {
    for how in ["revoke", "password-change", "permissions", "checkpoint"] {
        let logins = Logins::new().await;
        let made = connected(&logins, 1).await;
        let account = made[0]["externalId"].clone();
        let mut body = json!({ "accountId": account });
        if how == "permissions" {
            body["remove"] = json!(["instagram_business_basic"]);
        }
        pass_days(&logins, 52).await;
        match how {
            "checkpoint" => logins.fault("refresh_checkpoint", Some(1)).await,
            _ => drop(logins.control(&format!("/sandbox/{how}"), body).await),
        }
        pass_days(&logins, 4).await;
        let after = row(&logins, &made[0]).await;
        assert_eq!(after.status, "needs_reconnect", "{how}");
        assert!(after.token_sealed.is_some(), "the old token is kept");
        let mut ada = sign_in(&logins).await;
        let told = logins.world.get(&ada, "/api/notifications").await.body;
        assert_eq!(told["items"].as_array().unwrap().len(), 1, "{how}: {told}");
        assert_eq!(
            (&told["items"][0]["kind"], &told["items"][0]["connectionId"]),
            (&json!("needs_reconnect"), &made[0]["id"])
        );
        assert!(logins.counted("refreshes").await <= 1, "{how}: it is not tried day by day");

        // The owner connects again, in the same place.
        let again = logins.connect(&mut ada, "instagram", &[account.as_str().unwrap()]).await.remove(0);
        assert_eq!((&again["id"], &again["status"]), (&made[0]["id"], &json!("active")));
        logins.stop().await;
    }
}

#[tokio::test]
async fn an_incident_of_metas_marks_nobody() {
    let logins = Logins::like(enterprise()).await;
    let made = connected(&logins, 6).await;
    pass_days(&logins, 52).await;
    logins.fault("refresh_unsupported", None).await;
    pass_days(&logins, 1).await;
    let jobs = logins.jobs("token.refresh").await;
    assert_eq!(jobs.len(), 6);
    let group = &jobs[0].error_fingerprint;
    assert!(group.is_some() && jobs.iter().all(|job| job.state == "retryable" && job.error_fingerprint == *group));
    for shown in &made {
        assert_eq!(row(&logins, shown).await.status, "active");
    }
    let ada = sign_in(&logins).await;
    assert_eq!(logins.world.get(&ada, "/api/notifications").await.body["items"], json!([]));
    // One of them really is of no use any more: that one is found among them.
    logins.control("/sandbox/revoke", json!({ "accountId": made[0]["externalId"] })).await;
    logins.advance(HOUR).await;
    logins.until_idle().await;
    assert_eq!(row(&logins, &made[0]).await.status, "needs_reconnect");
    logins.no_faults().await;
    pass_days(&logins, 1).await;
    for shown in &made[1..] {
        assert_eq!(row(&logins, shown).await.token_version, 2);
    }
    logins.stop().await;
}

#[tokio::test]
async fn an_account_that_alone_cannot_be_renewed_is_its_owners_business() {
    let logins = Logins::like(enterprise()).await;
    let made = connected(&logins, 2).await;
    pass_days(&logins, 52).await;
    let one = made[0]["externalId"].clone();
    logins.control("/sandbox/faults", json!({ "name": "refresh_unsupported", "accountId": one })).await;
    pass_days(&logins, 1).await;
    let status = async |shown| row(&logins, shown).await.status;
    assert_eq!((status(&made[0]).await, status(&made[1]).await), ("active".to_owned(), "active".to_owned()));
    assert_eq!(row(&logins, &made[1]).await.token_version, 2);
    // Nobody else is told so by then.
    logins.advance(MINUTE).await;
    logins.until_idle().await;
    assert_eq!((status(&made[0]).await, status(&made[1]).await), ("needs_reconnect".to_owned(), "active".to_owned()));
    logins.stop().await;
}

#[tokio::test]
async fn one_account_in_trouble_does_not_keep_the_others_waiting() {
    use sea_orm::sea_query::Expr;
    let logins = Logins::like(enterprise()).await;
    let made = connected(&logins, 3).await;
    let broken = row(&logins, &made[0]).await;
    connection::Entity::update_many()
        .col_expr(connection::Column::TokenSealed, Expr::value(Some("v1.k1.AAAA.AAAA")))
        .filter(connection::Column::Id.eq(broken.id))
        .exec(logins.world.ctx.db.write())
        .await
        .unwrap();
    pass_days(&logins, 54).await;
    for shown in &made[1..] {
        assert_eq!(row(&logins, shown).await.token_version, 2);
    }
    let after = row(&logins, &made[0]).await;
    assert_eq!((after.status.as_str(), after.token_version), ("active", 1), "a key that is missing is the operator's");
    logins.stop().await;
}

#[tokio::test]
async fn a_token_that_ended_is_told_and_never_refreshed() {
    let logins = Logins::new().await;
    let made = connected(&logins, 1).await;
    logins.fault("refresh_transient", None).await;
    pass_days(&logins, 61).await;
    let after = row(&logins, &made[0]).await;
    assert_eq!(after.status, "needs_reconnect");
    assert!(after.status_reason.unwrap().contains("expired"));
    let tries = logins.counted("refreshes").await;
    pass_days(&logins, 2).await;
    assert_eq!(logins.counted("refreshes").await, tries);
    logins.stop().await;
}

#[tokio::test]
async fn a_refresh_never_wins_over_a_reconnect_or_a_disconnect() {
    for act in ["reconnect", "disconnect"] {
        let logins = Logins::new().await;
        let made = connected(&logins, 1).await;
        let account = made[0]["externalId"].as_str().unwrap();
        pass_days(&logins, 52).await;
        logins.fault("refresh_hold", Some(1)).await;
        logins.advance(DAY).await;
        let mut ada = sign_in(&logins).await;
        held(&logins, 1).await;
        if act == "reconnect" {
            logins.connect(&mut ada, "instagram", &[account]).await;
        } else {
            let path = format!("/api/meta/connections/{}", made[0]["id"].as_str().unwrap());
            assert_eq!(logins.world.send(&ada, "DELETE", &path, Value::Null).await.status, 204);
        }
        logins.control("/sandbox/release", json!({})).await;
        logins.until_idle().await;
        let job = logins.jobs("token.refresh").await.remove(0);
        assert_eq!(job.result.as_deref(), Some(r#"{"skipped":"changed_meanwhile"}"#), "{act}: {job:?}");
        let after = row(&logins, &made[0]).await;
        if act == "reconnect" {
            assert_eq!((after.status.as_str(), after.token_version), ("active", 2));
            let newest = logins.says(&format!("/sandbox/tokens?accountId={account}")).await;
            let token = open_token(&logins.world.ctx, &after).unwrap();
            let ours = newest["items"].as_array().unwrap().iter().find(|one| one["token"] == token.expose_secret());
            assert_eq!(ours.unwrap()["refreshedFrom"], Value::Null, "the login's token, not the refresh's");
        } else {
            assert_eq!((after.status.as_str(), &after.token_sealed), ("disconnected", &None));
        }
        logins.stop().await;
    }
}
