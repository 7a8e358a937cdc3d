//! The connected accounts: what is stored of them, and whether Meta still delivers their messages. Those that were looked at
//! longest ago come first, so that what only the doctor finds is found.

mod webhooks;

use super::report::{Finding, Status};
use super::{WITHIN, within};
use crate::settings::Settings;
use domain::clock::{Clock as _, DAY, Millis, SystemClock};
use domain::connect::route_of;
use domain::connections::token_place;
use domain::db::Db;
use domain::vault::{Vault, VaultError};
use entities::connection::{Column, Entity, Model};
use meta::{Asks, MetaClient};
use sea_orm::sea_query::NullOrdering;
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, Order, PaginatorTrait as _, QueryFilter as _};
use sea_orm::{QueryOrder as _, QuerySelect as _};
use secrecy::SecretString;
use std::collections::BTreeSet;
use uuid::Uuid;

const NAME: &str = "connections";
/// Accounts that are looked at in one go.
const AT_MOST: u64 = 200;

/// An account with its token, if that opens.
struct Opened {
    row: Model,
    token: Option<SecretString>,
}

pub async fn check(settings: &Settings, client: Option<&MetaClient>, db: &Db) -> Vec<Finding> {
    let (rows, all) = match within(NAME, rows(db), |late| Err(vec![late])).await {
        Ok(found) => found,
        Err(findings) => return findings,
    };
    let mut found = vec![of_status(&rows, all)];
    if rows.is_empty() {
        return found;
    }
    let Some(vault) = &settings.vault else {
        found.push(Finding::problem(
            "connection-tokens",
            "no token can be opened, for TOKEN_ENCRYPTION_KEYS cannot be used; set it as every process of the service has it",
        ));
        return found;
    };
    found.extend(of_scopes(&rows));
    found.push(of_ends(&rows, settings.domain.refresh_ahead, SystemClock.now()));
    let (opened, tokens) = open(vault, rows);
    found.extend(tokens);
    if let Some(client) = client {
        found.extend(webhooks::check(client, &opened, WITHIN).await);
    }
    found
}

/// The rows, and how many there are in all.
async fn rows(db: &Db) -> Result<(Vec<Model>, u64), Vec<Finding>> {
    let connected = || Entity::find().filter(Column::Status.ne("disconnected"));
    let asked = async {
        let all = connected().count(db.read()).await?;
        let oldest = connected().order_by_with_nulls(Column::SubscriptionCheckedAt, Order::Asc, NullOrdering::First);
        let rows = oldest.order_by_asc(Column::Id).limit(AT_MOST).all(db.read()).await?;
        Ok::<_, DbErr>((rows, all))
    };
    asked.await.map_err(|error| vec![Finding::problem(NAME, format!("they cannot be read: {error}"))])
}

fn ids<'a>(rows: impl IntoIterator<Item = &'a Model>) -> Vec<Uuid> {
    rows.into_iter().map(|row| row.id).collect()
}

fn of_status(rows: &[Model], all: u64) -> Finding {
    let looked = rows.len();
    let waiting = ids(rows.iter().filter(|row| matches!(row.status.as_str(), "needs_reconnect" | "restricted")));
    let counted = if all > looked as u64 {
        format!("{all} accounts are connected, of which {looked} were looked at")
    } else {
        format!("{looked} accounts are connected")
    };
    if waiting.is_empty() {
        return Finding::ok(NAME, counted);
    }
    let many = waiting.len();
    Finding::warning(NAME, format!("{counted}; {many} wait for their owners, who were told to connect again"))
        .about(waiting)
}

/// An account that waits for its owner may have no token, and nothing is wrong with that.
fn open(vault: &Vault, rows: Vec<Model>) -> (Vec<Opened>, Vec<Finding>) {
    const NAME: &str = "connection-tokens";
    let (mut unknown, mut refused, mut without) = (Vec::new(), Vec::new(), Vec::new());
    let mut keys = BTreeSet::new();
    let mut opened = Vec::new();
    for row in rows {
        let token = row.token_sealed.as_deref().map(|sealed| (sealed, vault.open(token_place(&row), sealed)));
        let token = match token {
            Some((_, Ok(token))) => Some(token),
            Some((sealed, Err(VaultError::UnknownKey))) => {
                keys.extend(Vault::key_of(sealed).map(str::to_owned));
                unknown.push(row.id);
                None
            }
            Some((_, Err(_))) => {
                refused.push(row.id);
                None
            }
            None => {
                if row.status != "needs_reconnect" {
                    without.push(row.id);
                }
                None
            }
        };
        opened.push(Opened { row, token });
    }
    let keys = keys.into_iter().collect::<Vec<_>>().join(", ");
    let lost = [
        (
            unknown,
            format!(
                "their tokens need the key {keys}, which TOKEN_ENCRYPTION_KEYS lacks: append it again, or have the owners \
                 connect anew"
            ),
        ),
        (
            refused,
            "their tokens do not open with the key of that id: put the right key into TOKEN_ENCRYPTION_KEYS, or have the \
             owners connect anew"
                .to_owned(),
        ),
        (without, "they have no token: have the owners connect anew".to_owned()),
    ];
    let mut found: Vec<_> = lost
        .into_iter()
        .filter(|(ids, _)| !ids.is_empty())
        .map(|(ids, what)| Finding::problem(NAME, format!("{} accounts: {what}", ids.len())).about(ids))
        .collect();
    if found.is_empty() {
        found.push(Finding::ok(NAME, "every token opens"));
    }
    (opened, found)
}

/// What a route asks for at its login.
fn asks_of(row: &Model) -> Option<Asks> {
    let route = row.login_route.parse().ok()?;
    [Asks::InstagramMessages, Asks::PageMessages, Asks::InstagramThroughPages]
        .into_iter()
        .find(|asks| route_of(*asks) == route)
}

fn of_scopes(rows: &[Model]) -> Vec<Finding> {
    const NAME: &str = "connection-scopes";
    let (mut lacking, mut unknown, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for row in rows {
        let granted: Vec<String> = serde_json::from_str(&row.scopes).unwrap_or_default();
        if granted.is_empty() {
            unknown.push(row.id);
            continue;
        }
        let missing = asks_of(row).map(|asks| asks.missing(&granted)).unwrap_or_default();
        if !missing.is_empty() {
            lacking.push(row.id);
            names.extend(missing);
        }
    }
    let mut found = Vec::new();
    if !lacking.is_empty() {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let what =
            format!("{} accounts lack {names}: have the owners connect again and grant everything", lacking.len());
        found.push(Finding::problem(NAME, what).about(lacking));
    }
    if !unknown.is_empty() {
        let what = format!(
            "of {} accounts it is not known what was granted, as of those connected by command line without --scopes",
            unknown.len()
        );
        found.push(Finding::warning(NAME, what).about(unknown));
    }
    if found.is_empty() {
        found.push(Finding::ok(NAME, "every account has the permissions that are needed"));
    }
    found
}

/// The daily run refreshes a token from `ahead` on, so one that is nearer to its end by two days has been missed by it.
fn of_ends(rows: &[Model], ahead: Millis, now: Millis) -> Finding {
    const NAME: &str = "connection-expiry";
    let near = (ahead - 2 * DAY).max(DAY);
    let kept = || rows.iter().filter(|row| row.status != "needs_reconnect");
    let of = |within: Millis| ids(kept().filter(|row| row.token_expires_at.is_some_and(|end| end <= now + within)));
    let (ended, ending) = (of(0), of(near));
    if !ended.is_empty() {
        let what = format!("the tokens of {} accounts have ended: have the owners connect again", ended.len());
        return Finding::new(Status::Problem, NAME, what).about(ended);
    }
    if !ending.is_empty() {
        let what = format!(
            "the tokens of {} accounts end within {} days and were not refreshed: see that a worker runs, and what its jobs \
             token.refresh say",
            ending.len(),
            near / DAY
        );
        return Finding::warning(NAME, what).about(ending);
    }
    Finding::ok(NAME, "no token ends before it is refreshed")
}

#[cfg(test)]
mod tests;
