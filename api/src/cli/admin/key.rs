//! Makes keys: for operators, or for programs of one organization.

use super::{existing, organization_id};
use crate::cli::output;
use clap::Args;
use domain::api_keys::{self, Scope};
use domain::clock::{DAY, rfc3339};
use domain::id::IdKind;
use domain::{Context, OrganizationId};
use secrecy::ExposeSecret as _;
use serde_json::json;

#[derive(Debug, Args)]
pub struct CreateKey {
    /// What it may do, separated by commas.
    #[arg(long, value_delimiter = ',', required = true, value_parser = scope)]
    scopes: Vec<Scope>,
    /// The organization's id (org_…); without it the key is an operator's.
    #[arg(long, value_parser = organization_id)]
    organization: Option<OrganizationId>,
    /// How long it is valid: 1 to 90.
    #[arg(long, default_value_t = 90)]
    days: i64,
}

fn scope(name: &str) -> Result<Scope, String> {
    let names: Vec<_> = Scope::ALL.iter().map(|(_, name, _)| *name).collect();
    Scope::parse(name).ok_or_else(|| format!("the scopes are {}", names.join(", ")))
}

impl CreateKey {
    pub async fn run(self, ctx: &Context, json: bool) -> anyhow::Result<()> {
        if let Some(id) = self.organization {
            existing(ctx, id).await?;
        }
        let tx = ctx.db.begin().await?;
        let lifetime = self.days.saturating_mul(DAY);
        let (row, secret) = api_keys::create(&tx, ctx, self.organization, &self.scopes, lifetime).await?;
        tx.commit().await?;
        let (id, key, until) = (IdKind::ApiKey.show(row.id), secret.expose_secret(), rfc3339(row.expires_at));
        let names: Vec<_> = self.scopes.iter().map(|scope| scope.name()).collect();
        let sentence = format!("Key {id}, valid until {until}, for {}.\nIt is shown once: {key}", names.join(", "));
        let value = json!({
            "id": id, "key": key, "scopes": names, "expiresAt": until,
            "organizationId": self.organization.map(|id| id.to_string()),
        });
        Ok(output::say(json, &sentence, &value)?)
    }
}
