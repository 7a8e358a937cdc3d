//! The shops of a run, made with the operator's own commands: each with an Instagram account and a Page that answer, and an
//! Instagram account that does not.

use crate::fleet::Fleet;
use crate::world::{Account, Platform, REPLY};
use anyhow::Context as _;
use serde_json::{Value, json};

/// How many.
const SHOPS: usize = 3;
/// Their accounts, and whether they answer; three is what the plan allows.
const ACCOUNTS: [(Platform, bool); 3] =
    [(Platform::Instagram, true), (Platform::Facebook, true), (Platform::Instagram, false)];

/// Makes them all.
pub async fn open(fleet: &Fleet) -> anyhow::Result<Vec<Account>> {
    // Thousands of calls in a minute are not what an account's budget is for, but here they are wanted. Echoes come in batches,
    // as they do when there are many.
    let settings = json!({ "usageHeadersAfter": u32::MAX, "batch": { "maxEvents": 20, "maxMs": 200 } });
    fleet.sandbox.post("settings", settings).await?;
    let mut accounts = Vec::with_capacity(SHOPS * ACCOUNTS.len());
    for number in 1..=SHOPS {
        let email = format!("owner@shop-{number}.test");
        let name = format!("Shop {number}");
        let made =
            fleet.admin(&["create-user", "--email", &email, "--organization", &name, "--plan", "pro"], "").await?;
        let organization = text(&made["organization"], "id")?;
        for (platform, answers) in ACCOUNTS {
            accounts.push(connect(fleet, &organization, platform, answers).await?);
        }
    }
    Ok(accounts)
}

async fn connect(fleet: &Fleet, organization: &str, platform: Platform, answers: bool) -> anyhow::Result<Account> {
    let name = platform.name();
    let made = fleet.sandbox.post("accounts", json!({ "platform": name, "login": name })).await?;
    let (id, token) = (text(&made, "id")?, text(&made, "accessToken")?);
    let options = ["--organization", organization, "--platform", name, "--external-id", &id, "--name", "Shop"];
    let arguments: Vec<_> = ["create-connection", "--token-stdin"].into_iter().chain(options).collect();
    let connection = text(&fleet.admin(&arguments, &token).await?, "id")?;
    let mode = if answers { "template" } else { "off" };
    let mut arguments = vec!["set-auto-reply", "--connection", &connection, "--mode", mode];
    if answers {
        arguments.extend(["--text", REPLY]);
    }
    fleet.admin(&arguments, "").await?;
    let organization = organization.trim_start_matches("org_").to_owned();
    Ok(Account { id, platform, organization, answers })
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("there is no {name} in {value}"))?.to_owned())
}
