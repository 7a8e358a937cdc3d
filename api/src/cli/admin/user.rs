//! Adds a user. A password nobody chose is made here and shown once.

use super::{existing, secret_from_stdin};
use crate::cli::output;
use anyhow::bail;
use clap::Args;
use domain::audit::{self, Actor, Entry};
use domain::db::Tx;
use domain::id::IdKind;
use domain::password::{self, Passwords};
use domain::{Context, OrganizationId, organizations, users};
use entities::organization;
use secrecy::ExposeSecret as _;
use serde_json::json;

#[derive(Debug, Args)]
pub struct CreateUser {
    /// They sign in with it.
    #[arg(long)]
    email: String,
    /// Id (org_…) or name; a name not yet known makes a new organization.
    #[arg(long)]
    organization: String,
    /// Plan of a new organization [default: starter].
    #[arg(long)]
    plan: Option<String>,
    /// Read the password from standard input instead of making one.
    #[arg(long)]
    password_stdin: bool,
}

impl CreateUser {
    pub async fn run(self, ctx: &Context, json: bool) -> anyhow::Result<()> {
        let password = if self.password_stdin { secret_from_stdin()? } else { password::generate()? };
        let hash = Passwords::new(1)?.hash(&password).await?;
        let tx = ctx.db.begin().await?;
        let organization = self.organization(ctx, &tx).await?;
        let id = OrganizationId(organization.id);
        let user = users::create(&tx, ctx, id, &self.email, hash).await?;
        let entry = Entry::new(Actor::CommandLine, "user.created", Some(id)).target(IdKind::User.show(user.id));
        audit::record(tx.conn(), ctx.now(), entry).await?;
        tx.commit().await?;

        let shown = (!self.password_stdin).then(|| password.expose_secret().to_owned());
        let mut sentence =
            format!("{} signs in for {} ({id}), plan {}.", user.email, organization.name, organization.plan_id);
        if let Some(password) = &shown {
            sentence.push_str(&format!("\nPassword (shown once): {password}"));
        }
        let value = json!({
            "user": { "id": IdKind::User.show(user.id), "email": user.email },
            "organization": {
                "id": id.to_string(), "name": organization.name,
                "plan": organization.plan_id, "subscription": organization.subscription,
            },
            "password": shown,
        });
        Ok(output::say(json, &sentence, &value)?)
    }

    async fn organization(&self, ctx: &Context, tx: &Tx) -> anyhow::Result<organization::Model> {
        let known = match IdKind::Organization.parse(&self.organization) {
            Some(id) => Some(existing(ctx, OrganizationId(id)).await?),
            None => self.of_that_name(tx).await?,
        };
        match (known, &self.plan) {
            (Some(known), Some(plan)) if known.plan_id != *plan => {
                bail!("{} exists and has the plan {}; change it with admin set-plan", known.name, known.plan_id)
            }
            (Some(known), _) => Ok(known),
            (None, plan) => {
                let plan = plan.as_deref().unwrap_or("starter");
                Ok(organizations::create(tx, ctx, &self.organization, plan).await?)
            }
        }
    }

    async fn of_that_name(&self, tx: &Tx) -> anyhow::Result<Option<organization::Model>> {
        let mut known = organizations::by_name(tx.conn(), self.organization.trim()).await?;
        if known.len() > 1 {
            bail!("there are several organizations of that name; give the id (org_…) instead");
        }
        Ok(known.pop())
    }
}
