//! Changes an organization's plan and subscription.

use super::organization_id;
use crate::cli::output;
use clap::{Args, ValueEnum};
use domain::audit::Actor;
use domain::{Context, OrganizationId, organizations};
use entities::organization::Model;
use serde_json::json;

#[derive(Debug, Args)]
pub struct SetPlan {
    /// Its id (org_…).
    #[arg(long, value_parser = organization_id)]
    organization: OrganizationId,
    /// starter, pro, team or enterprise.
    #[arg(long)]
    plan: String,
}

#[derive(Debug, Args)]
pub struct SetSubscription {
    /// Its id (org_…).
    #[arg(long, value_parser = organization_id)]
    organization: OrganizationId,
    /// What it is from now on.
    #[arg(long, value_enum)]
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Status {
    Active,
    Inactive,
}

impl SetPlan {
    pub async fn run(self, ctx: &Context, json: bool) -> anyhow::Result<()> {
        let tx = ctx.db.begin().await?;
        let changed = organizations::set_plan(&tx, ctx, Actor::CommandLine, self.organization, &self.plan).await?;
        tx.commit().await?;
        say(json, &changed)
    }
}

impl SetSubscription {
    pub async fn run(self, ctx: &Context, json: bool) -> anyhow::Result<()> {
        let tx = ctx.db.begin().await?;
        let active = self.status == Status::Active;
        let changed = organizations::set_subscription(&tx, ctx, Actor::CommandLine, self.organization, active).await?;
        tx.commit().await?;
        say(json, &changed)
    }
}

fn say(json: bool, row: &Model) -> anyhow::Result<()> {
    let id = OrganizationId(row.id);
    let sentence = format!("{} ({id}) has the plan {}, subscription {}.", row.name, row.plan_id, row.subscription);
    let shown = json!({
        "id": id.to_string(), "name": row.name, "plan": row.plan_id, "subscription": row.subscription,
    });
    Ok(output::say(json, &sentence, &json!({ "organization": shown }))?)
}
