//! The plan catalogue, an organization's own plan, and what it used.

use super::Tag;
use crate::app::App;
use crate::auth::Session;
use crate::problem::{Code, Problem};
use domain::clock::{DAY, month};
use domain::plans::{self, Entitled};
use domain::usage::{self, Counters};
use entities::plan;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct PlanRoutes;

/// What a plan includes.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Features {
    /// Instagram accounts can be connected.
    instagram: bool,
    /// Messages can be answered automatically.
    auto_reply: bool,
    /// Sending by hand, templates, scheduled messages and leads on Instagram.
    instagram_messaging: bool,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Plan {
    id: String,
    name: String,
    /// Connected accounts in total; null is no limit.
    accounts_allowed: Option<i32>,
    features: Features,
    /// US cents a month, where published.
    price_cents: Option<i32>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct PlanList {
    items: Vec<Plan>,
    next_cursor: Option<String>,
}

/// Counters of a month.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Usage {
    /// `2026-11`, in UTC.
    month: String,
    messages_received: i64,
    messages_sent: i64,
    auto_replies: i64,
    /// Leads made.
    leads: i64,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct UsageList {
    items: Vec<Usage>,
    next_cursor: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct OwnPlan {
    /// The plan's id.
    plan: String,
    name: String,
    /// `active` or `inactive`.
    subscription: String,
    features: Features,
    accounts_used: u64,
    /// Null is no limit.
    accounts_allowed: Option<i32>,
    usage: Usage,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Organization")]
impl PlanRoutes {
    /// The plan catalogue, smallest first.
    #[oai(path = "/plans", method = "get", operation_id = "listPlans")]
    async fn catalogue(&self, app: Data<&Arc<App>>) -> Result<Json<PlanList>, Problem> {
        let items = plans::catalogue(app.ctx.db.read()).await?.into_iter().map(shown).collect();
        Ok(Json(PlanList { items, next_cursor: None }))
    }

    /// The organization's own plan and what is left of it.
    #[oai(path = "/plan", method = "get", operation_id = "getPlan")]
    async fn own(&self, app: Data<&Arc<App>>, session: Session) -> Result<Json<OwnPlan>, Problem> {
        let (db, organization) = (app.ctx.db.read(), session.organization);
        let entitled = Entitled::load(db, organization).await?.ok_or(Problem::new(Code::NotFound))?;
        let this_month = month(app.ctx.now());
        let counters = usage::month(db, organization, &this_month).await?;
        let plan = shown(entitled.plan);
        Ok(Json(OwnPlan {
            plan: plan.id,
            name: plan.name,
            subscription: entitled.organization.subscription,
            features: plan.features,
            accounts_used: plans::accounts_used(db, organization).await?,
            accounts_allowed: plan.accounts_allowed,
            usage: counted(this_month, &counters),
        }))
    }

    /// What was used in each of the last twelve months, newest first.
    #[oai(path = "/usage", method = "get", operation_id = "listUsage")]
    async fn usage(&self, app: Data<&Arc<App>>, session: Session) -> Result<Json<UsageList>, Problem> {
        let since = month(app.ctx.now() - 365 * DAY);
        let months = usage::months(app.ctx.db.read(), session.organization, &since).await?;
        let items = months.into_iter().map(|(month, counters)| counted(month, &counters)).collect();
        Ok(Json(UsageList { items, next_cursor: None }))
    }
}

fn shown(plan: plan::Model) -> Plan {
    let features = Features {
        instagram: plan.instagram,
        auto_reply: plan.auto_reply,
        instagram_messaging: plan.instagram_messaging,
    };
    let (accounts_allowed, price_cents) = (plan.accounts_limit, plan.price_cents);
    Plan { id: plan.id, name: plan.name, accounts_allowed, features, price_cents }
}

fn counted(month: String, counters: &Counters) -> Usage {
    let count = |metric: &str| counters.get(metric).copied().unwrap_or(0);
    Usage {
        month,
        messages_received: count("messages_received"),
        messages_sent: count("messages_sent"),
        auto_replies: count("auto_replies"),
        leads: count("leads"),
    }
}
