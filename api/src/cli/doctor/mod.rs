//! Looks at everything a working service needs (settings, database, bell, clock, Meta's app, accounts) and changes nothing but
//! one row that is there for it. Every check runs even if others fail, so that one call tells all that is to be done.

mod addresses;
mod app;
mod bell;
mod clock;
mod connections;
mod database;
mod graph;
mod report;
mod subscriptions;

use super::output;
use crate::settings::problem::Problems;
use crate::settings::{Need, Settings};
use clap::Args;
use meta::{Login, MetaClient, Timeouts};
use report::{Finding, Report};
use std::time::Duration;

/// For one check that goes over the network.
const WITHIN: Duration = Duration::from_secs(10);

/// What `--help` teaches.
pub const HELP: &str = "\
Each line is `ok`, `warning` or `problem`, the name of what was checked, and a sentence that names
the cure. It exits 0 when there is no problem, else 1; warnings do not count. Run it with the
settings of the service, before the first start, after each change at Meta, and when in doubt: it
sends nothing, makes no file and no table, and needs no running service. What Meta lets nobody ask
(the redirect URIs that are registered, the app of Instagram Login) it tells you how to look up.

With --json it prints one object: {ok, problems, warnings, checks: [{name, status, message,
count?, connections?}]}. A name may come more than once; of connections at most ten are named.

It never prints a secret or a token.";

#[derive(Debug, Args)]
pub struct Doctor {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub async fn run(self) -> anyhow::Result<()> {
        let (settings, problems) = Settings::examine(Need::Service);
        let report = examine(&settings, &problems).await;
        output::say(self.json, &report.text(), &report.value())?;
        match report.problems() {
            0 => Ok(()),
            1 => anyhow::bail!("one check found a problem"),
            n => anyhow::bail!("{n} checks found a problem"),
        }
    }
}

async fn examine(settings: &Settings, problems: &Problems) -> Report {
    let mut report = Report::default();
    report.add(of_settings(problems));
    report.add(addresses::check(settings, problems));
    let timeouts = Timeouts { connect: WITHIN / 2, total: WITHIN };
    let client = MetaClient::new(meta::Settings { timeouts, ..settings.meta.clone() });
    let (client, unasked) = match client {
        Ok(client) => (Some(client), Vec::new()),
        Err(error) => (None, vec![Finding::problem("meta", format!("Meta is not asked anything: {error}"))]),
    };
    let client = client.as_ref();
    let (stored, bell, graph, app) = tokio::join!(
        stored(settings, client),
        bell::check(settings),
        async { if let Some(client) = client { graph::check(settings, client).await } else { unasked } },
        async { if let Some(client) = client { app::check(settings, problems, client).await } else { Vec::new() } },
    );
    let (database, connections) = stored;
    for findings in [database, bell, graph, app, connections] {
        report.add(findings);
    }
    report
}

/// What is in the database, and the accounts that are found there.
async fn stored(settings: &Settings, client: Option<&MetaClient>) -> (Vec<Finding>, Vec<Finding>) {
    let db = match database::open(settings).await {
        Ok(db) => db,
        Err(finding) => return (vec![finding], Vec::new()),
    };
    let found = tokio::join!(database::check(settings, &db), connections::check(settings, client, &db));
    // Where a statement hangs, its check has said so, and the process ends in a moment.
    let _closed_or_hanging = tokio::time::timeout(Duration::from_secs(1), db.close()).await;
    found
}

fn of_settings(problems: &Problems) -> Vec<Finding> {
    if problems.is_empty() {
        return vec![Finding::ok("settings", "every setting can be used")];
    }
    problems.iter().map(|(name, what)| Finding::problem("settings", format!("{name} {what}"))).collect()
}

/// A login product of which at least one half is set. Without, there is nothing to ask of its hosts.
fn is_wanted(settings: &Settings, login: Login) -> bool {
    let meta = &settings.meta;
    match login {
        Login::Facebook => meta.meta_app_id.is_some() || meta.meta_app_secret.is_some(),
        Login::Instagram => meta.instagram_app_id.is_some() || meta.instagram_app_secret.is_some(),
    }
}

/// A check that goes over the network, or a finding that it took too long.
async fn within<T>(name: &'static str, check: impl Future<Output = T>, late: impl FnOnce(Finding) -> T) -> T {
    let told = || Finding::problem(name, format!("there was no answer within {} s", WITHIN.as_secs()));
    tokio::time::timeout(WITHIN, check).await.unwrap_or_else(|_late| late(told()))
}
