//! What operators do at the machine itself, straight in the database; each act leaves its line in the audit trail.

mod connection;
mod key;
mod organization;
mod rotate;
mod user;

use super::context::{self, Made};
use crate::settings::{Need, Settings};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::id::IdKind;
use domain::{Context, OrganizationId};
use jobs::Ledger;
use std::io::Read as _;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Admin {
    #[command(subcommand)]
    command: Command,
    /// Answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user to an organization, or make both.
    CreateUser(user::CreateUser),
    /// Move an organization to another plan.
    SetPlan(organization::SetPlan),
    /// Turn an organization's subscription on or off.
    SetSubscription(organization::SetSubscription),
    /// Connect an account whose token you have.
    CreateConnection(connection::CreateConnection),
    /// Turn a connection's automatic reply on or off.
    SetAutoReply(connection::SetAutoReply),
    /// Make a key for a program; it is shown once.
    CreateKey(key::CreateKey),
    /// Seal every token again with the first key of TOKEN_ENCRYPTION_KEYS.
    #[command(after_help = rotate::ORDER)]
    RotateKeys(rotate::RotateKeys),
}

impl Admin {
    pub async fn run(self) -> anyhow::Result<()> {
        let Made { ctx, edge } = context::make(Settings::load(Need::Rules)?).await?;
        // Pages that are open somewhere are told what changes, where there is a way to tell them.
        let ledger = Ledger::new(ctx.clone(), edge.ledger);
        let done = match self.command {
            Command::CreateUser(command) => command.run(&ctx, self.json).await,
            Command::SetPlan(command) => command.run(&ctx, self.json).await,
            Command::SetSubscription(command) => command.run(&ctx, self.json).await,
            Command::CreateConnection(command) => command.run(&ctx, &ledger, self.json).await,
            Command::SetAutoReply(command) => command.run(&ctx, self.json).await,
            Command::CreateKey(command) => command.run(&ctx, self.json).await,
            Command::RotateKeys(command) => command.run(&ctx, self.json).await,
        };
        ctx.db.feed().flushed(Duration::from_secs(1)).await;
        ctx.db.close().await?;
        done
    }
}

fn organization_id(text: &str) -> Result<OrganizationId, String> {
    let id = IdKind::Organization.parse(text).map(OrganizationId);
    id.ok_or_else(|| "an organization's id begins with org_; create-user prints it".to_owned())
}

/// A secret from standard input, without the line's end.
fn secret_from_stdin() -> anyhow::Result<secrecy::SecretString> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(16 * 1024).read_to_string(&mut text);
    read.context("standard input could not be read as text")?;
    let secret = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!secret.is_empty(), "standard input was empty; pipe the secret in");
    Ok(secret.to_owned().into())
}

/// The organization, or a sentence that says how to find its id.
async fn existing(ctx: &Context, id: OrganizationId) -> anyhow::Result<entities::organization::Model> {
    let found = domain::organizations::find(ctx.db.read(), id).await?;
    found.with_context(|| format!("there is no organization {id}; create-user makes one"))
}
