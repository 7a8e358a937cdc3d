//! Connects an account whose token the operator has, and sets its automatic reply.

use super::{organization_id, secret_from_stdin};
use crate::cli::output;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use domain::audit::Actor;
use domain::clock::{DAY, rfc3339};
use domain::connections::{self, AutoReply, LoginRoute, NewConnection, Platform};
use domain::id::IdKind;
use domain::{Context, OrganizationId};
use entities::connection::{Entity, Model};
use jobs::Ledger;
use jobs::jobs::{accounts_subscribe, webhook_process};
use sea_orm::EntityTrait as _;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Args)]
pub struct CreateConnection {
    /// The owner's id (org_…).
    #[arg(long, value_parser = organization_id)]
    organization: OrganizationId,
    /// instagram or facebook.
    #[arg(long)]
    platform: Platform,
    /// Meta's id of the account: the one webhooks carry.
    #[arg(long)]
    external_id: String,
    /// Shown to people.
    #[arg(long)]
    name: String,
    /// Without @.
    #[arg(long)]
    username: Option<String>,
    /// instagram_login, facebook_page or instagram_via_page [default: the platform's usual one].
    #[arg(long)]
    login_route: Option<LoginRoute>,
    /// The id Meta's deauthorize callbacks carry.
    #[arg(long)]
    app_scoped_id: Option<String>,
    /// The Page that speaks for an Instagram account.
    #[arg(long)]
    page_id: Option<String>,
    /// When the token expires; without it, never.
    #[arg(long)]
    expires_in_days: Option<i64>,
    /// How many days ago Meta issued the token [default: today]; it is refreshed only once it is a day old.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..=3_650))]
    issued_days_ago: Option<i64>,
    /// Granted scopes, separated by commas.
    #[arg(long, value_delimiter = ',')]
    scopes: Vec<String>,
    /// Read the token from standard input: arguments can be seen by others.
    #[arg(long, required = true)]
    token_stdin: bool,
}

#[derive(Debug, Args)]
pub struct SetAutoReply {
    /// The connection's id (con_…).
    #[arg(long, value_parser = connection_id)]
    connection: Uuid,
    /// off, or template: a fixed text.
    #[arg(long, value_enum)]
    mode: Mode,
    /// The text, for mode template.
    #[arg(long, required_if_eq("mode", "template"))]
    text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Off,
    Template,
}

fn connection_id(text: &str) -> Result<Uuid, String> {
    IdKind::Connection.parse(text).ok_or_else(|| "a connection's id begins with con_".to_owned())
}

impl CreateConnection {
    pub async fn run(self, ctx: &Context, ledger: &Ledger, json: bool) -> anyhow::Result<()> {
        let login_route = self.login_route.unwrap_or_else(|| LoginRoute::usual(self.platform));
        anyhow::ensure!(
            login_route.platform() == self.platform,
            "the login route {} does not lead to {}",
            login_route.as_str(),
            self.platform.as_str()
        );
        let new = NewConnection {
            organization: self.organization,
            actor: Actor::CommandLine,
            login_route,
            external_id: self.external_id,
            app_scoped_id: self.app_scoped_id,
            page_id: self.page_id,
            name: self.name,
            username: self.username,
            scopes: self.scopes,
            token: secret_from_stdin()?,
            picture_url: None,
            token_issued_at: self.issued_days_ago.map(|days| ctx.now().saturating_sub(days.saturating_mul(DAY))),
            token_expires_at: self.expires_in_days.map(|days| ctx.now().saturating_add(days.saturating_mul(DAY))),
        };
        let mut tx = ctx.db.begin().await?;
        let made = connections::create(&tx, ctx, new).await?;
        // What came before the account had an owner is read again; a running service finds the jobs at its next tick.
        webhook_process::reroute(ledger, &mut tx, &made.platform, &made.external_id).await?;
        ledger.enqueue(&mut tx, vec![accounts_subscribe::job(&made)]).await?;
        tx.commit().await?;
        say(json, &made)
    }
}

impl SetAutoReply {
    pub async fn run(self, ctx: &Context, json: bool) -> anyhow::Result<()> {
        let found = Entity::find_by_id(self.connection).one(ctx.db.read()).await?;
        let owner = OrganizationId(found.context("there is no such connection")?.organization_id);
        let wanted = match self.mode {
            Mode::Off => AutoReply::off(),
            Mode::Template => AutoReply::text(self.text.unwrap_or_default()),
        };
        let tx = ctx.db.begin().await?;
        let changed = connections::set_auto_reply(&tx, ctx, Actor::CommandLine, owner, self.connection, wanted).await?;
        tx.commit().await?;
        say(json, &changed)
    }
}

fn say(json: bool, row: &Model) -> anyhow::Result<()> {
    let id = IdKind::Connection.show(row.id);
    let reply = &row.auto_reply_mode;
    let sentence = format!("{} on {} is {id}, {}, automatic reply {reply}.", row.name, row.platform, row.status);
    let value = json!({
        "id": id,
        "organizationId": OrganizationId(row.organization_id).to_string(),
        "platform": row.platform,
        "externalId": row.external_id,
        "name": row.name,
        "username": row.username,
        "status": row.status,
        "tokenIssuedAt": row.token_issued_at.map(rfc3339),
        "tokenExpiresAt": row.token_expires_at.map(rfc3339),
        "autoReply": { "mode": reply, "text": row.auto_reply_text },
    });
    Ok(output::say(json, &sentence, &value)?)
}
