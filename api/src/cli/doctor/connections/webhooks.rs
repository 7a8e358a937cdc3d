//! Asks Meta of each account whether its messages are delivered to us, a few at a time and not for ever: what could not be
//! asked in time is said, and is first in turn at the next call.

use super::Opened;
use crate::cli::doctor::report::{Finding, Status};
use futures::StreamExt as _;
use futures::stream;
use jobs::jobs::accounts_subscribe::place_of;
use meta::{Asset, ErrorClass, MetaClient, Operation, classify};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

const NAME: &str = "connection-webhooks";
/// Calls at once: Meta counts them, and so does whoever waits.
const AT_ONCE: usize = 16;

/// What became of one question.
enum Seen {
    On,
    Off,
    /// Meta offers no such look.
    NotTold,
    /// With what Meta's error means.
    Failed(Status, &'static str),
    /// The app of its login is not set.
    NoApp,
}

/// Whether Meta is asked: an account that waits for its owner is known not to work.
fn is_asked(account: &Opened) -> bool {
    account.token.is_some() && matches!(account.row.status.as_str(), "active" | "over_plan" | "restricted")
}

pub async fn check(client: &MetaClient, accounts: &[Opened], limit: Duration) -> Vec<Finding> {
    let asked: Vec<_> = accounts.iter().filter(|account| is_asked(account)).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let seen: Vec<(Uuid, Seen)> = stream::iter(&asked)
        .map(|account| async { (account.row.id, ask(client, account).await) })
        .buffer_unordered(AT_ONCE)
        .take_until(tokio::time::sleep(limit))
        .collect()
        .await;
    let late = asked.iter().map(|account| account.row.id).filter(|id| !seen.iter().any(|(other, _)| other == id));
    told(&seen, late.collect())
}

async fn ask(client: &MetaClient, account: &Opened) -> Seen {
    let (asset, login) = place_of(&account.row);
    let (Some(_), Some(token)) = (client.app(login), &account.token) else { return Seen::NoApp };
    match client.is_subscribed(asset, token, Asset::ESSENTIAL).await {
        Ok(Some(true)) => Seen::On,
        Ok(Some(false)) => Seen::Off,
        Ok(None) => Seen::NotTold,
        Err(error) => {
            let classified = classify(Operation::ReadSubscription, &error);
            // What passes by itself is no fault of this set-up.
            let passing = matches!(classified.class, ErrorClass::Transient | ErrorClass::RateLimited);
            Seen::Failed(if passing { Status::Warning } else { Status::Problem }, classified.hint)
        }
    }
}

fn told(seen: &[(Uuid, Seen)], late: Vec<Uuid>) -> Vec<Finding> {
    let (mut on, mut off, mut untold, mut without) = (0, Vec::new(), Vec::new(), Vec::new());
    let mut failed: BTreeMap<&str, (Status, Vec<Uuid>)> = BTreeMap::new();
    for (id, seen) in seen {
        match seen {
            Seen::On => on += 1,
            Seen::Off => off.push(*id),
            Seen::NotTold => untold.push(*id),
            Seen::NoApp => without.push(*id),
            Seen::Failed(status, hint) => failed.entry(hint).or_insert((*status, Vec::new())).1.push(*id),
        }
    }
    let mut found = Vec::new();
    let mut add = |status, ids: Vec<Uuid>, what: &str| {
        if !ids.is_empty() {
            found.push(Finding::new(status, NAME, format!("{} accounts: {what}", ids.len())).about(ids));
        }
    };
    add(
        Status::Problem,
        off,
        "their webhooks are off at Meta, and no message arrives: a running worker switches them on within six hours, and \
         connecting the account again does so at once; if they go off again, Meta could not deliver",
    );
    for (hint, (status, ids)) in failed {
        add(status, ids, &format!("Meta does not tell whether their webhooks are on: {hint}"));
    }
    let word = "Meta does not list their webhooks; its word that they were switched on is all there is, so see that messages arrive";
    add(Status::Warning, untold, word);
    let unset = "they cannot be asked about, for id or secret of their login's app are not set";
    add(Status::Warning, without, unset);
    add(Status::Warning, late, "there was no time to ask for them; they are first in turn at the next call");
    if found.is_empty() {
        found.push(Finding::ok(NAME, format!("Meta delivers the messages of all {on} accounts that were asked for")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::report::Report;
    use super::*;

    #[test]
    fn each_kind_of_trouble_is_a_line_with_its_accounts() {
        let id = Uuid::from_u128;
        let whole = told(&[(id(1), Seen::On), (id(2), Seen::On)], Vec::new());
        let mut report = Report::default();
        report.add(whole);
        assert!(report.problems() == 0 && report.text().contains("all 2 accounts"), "{}", report.text());
        let seen = [
            (id(1), Seen::On),
            (id(2), Seen::Off),
            (id(3), Seen::Failed(Status::Problem, "connect again")),
            (id(4), Seen::Failed(Status::Warning, "passing")),
            (id(5), Seen::Failed(Status::Problem, "connect again")),
            (id(6), Seen::NoApp),
            (id(8), Seen::NotTold),
        ];
        let mut report = Report::default();
        report.add(told(&seen, vec![id(7)]));
        let value = report.value();
        let counts: Vec<_> = value["checks"].as_array().unwrap().iter().map(|check| check["count"].as_u64()).collect();
        assert_eq!(counts, [Some(1), Some(2), Some(1), Some(1), Some(1), Some(1)], "{value}");
        assert_eq!(value["problems"], 2);
    }
}
