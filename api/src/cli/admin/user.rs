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
    /// Id (org_…) of the organization they join, or the name of a new one.
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
        let Some(id) = IdKind::Organization.parse(&self.organization) else {
            return self.new_organization(ctx, tx).await;
        };
        let known = existing(ctx, OrganizationId(id)).await?;
        match &self.plan {
            Some(plan) if known.plan_id != *plan => {
                bail!("{} exists and has the plan {}; change it with admin set-plan", known.name, known.plan_id)
            }
            _ => Ok(known),
        }
    }

    /// Names are not owned: a stranger may have registered the very same, and would get a colleague nobody meant them to
    /// have. Only an id says who is meant.
    async fn new_organization(&self, ctx: &Context, tx: &Tx) -> anyhow::Result<organization::Model> {
        let known = organizations::by_name(tx.conn(), self.organization.trim()).await?;
        if let Some(known) = known.first() {
            bail!(
                "there is an organization of that name already, {}; give its id to add a user to it, or another name \
                 to make a new one",
                OrganizationId(known.id)
            );
        }
        let plan = self.plan.as_deref().unwrap_or("starter");
        Ok(organizations::create(tx, ctx, &self.organization, plan).await?)
    }
}
