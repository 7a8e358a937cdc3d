//! What a plan allows, read from the catalogue in the database, and the refusals that follow from it.
//! A refusal names the smallest plan that would allow what was asked, so that a shop owner knows what to do.

use crate::id::OrganizationId;
use entities::{organization, plan, plan_slot};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

/// An organization with its plan: what every rule about money looks at.
#[derive(Clone, Debug)]
pub struct Entitled {
    /// Who pays.
    pub organization: organization::Model,
    /// For what.
    pub plan: plan::Model,
}

/// Why a plan does not allow something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefusal {
    /// The subscription is not paid.
    #[error("The subscription is not active.")]
    SubscriptionInactive,
    /// Another plan is needed.
    #[error("{} plan required: the {current} plan does not include {what}.", needed.as_deref().unwrap_or("Another"))]
    PlanRequired {
        /// The present plan's name.
        current: String,
        /// What was asked for.
        what: &'static str,
        /// The smallest plan that allows it.
        needed: Option<String>,
    },
    /// The plan lacks a feature.
    #[error("{} plan required: the {current} plan does not include {what}.", needed.as_deref().unwrap_or("Another"))]
    FeatureRequired {
        /// The present plan's name.
        current: String,
        /// What was asked for.
        what: &'static str,
        /// The smallest plan that has it.
        needed: Option<String>,
    },
    /// Every place is taken.
    #[error("The {current} plan allows {allowed} connected account(s) and all are in use.{}", upgrade(needed.as_deref()))]
    PlanLimit {
        /// The present plan's name.
        current: String,
        /// How many it allows.
        allowed: i32,
        /// The smallest plan that allows more.
        needed: Option<String>,
    },
}

/// What the feature is for.
const MESSAGING: &str = "writing by hand, templates, scheduled messages and leads on Instagram";

fn upgrade(needed: Option<&str>) -> String {
    needed.map(|plan| format!(" The {plan} plan allows more.")).unwrap_or_default()
}

impl Entitled {
    /// Reads an organization and its plan.
    pub async fn load(db: &impl ConnectionTrait, id: OrganizationId) -> Result<Option<Self>, DbErr> {
        let found = organization::Entity::find_by_id(id.0).one(db).await?;
        let Some(organization) = found else { return Ok(None) };
        let plan = plan::Entity::find_by_id(organization.plan_id.clone()).one(db).await?;
        Ok(plan.map(|plan| Self { organization, plan }))
    }

    /// Refuses when nothing is paid.
    pub fn require_active(&self) -> Result<(), PlanRefusal> {
        if self.organization.subscription == "active" { Ok(()) } else { Err(PlanRefusal::SubscriptionInactive) }
    }

    /// Refuses what people do by hand on Instagram when the plan lacks it; Facebook needs no feature for it.
    pub async fn require_messaging(
        &self,
        db: &impl ConnectionTrait,
        platform: &str,
    ) -> Result<Result<(), PlanRefusal>, DbErr> {
        if platform != "instagram" || self.plan.instagram_messaging {
            return Ok(Ok(()));
        }
        let needed = smallest(db, |plan| plan.instagram_messaging).await?;
        Ok(Err(PlanRefusal::FeatureRequired { current: self.plan.name.clone(), what: MESSAGING, needed }))
    }
}

/// The catalogue, smallest plan first.
pub async fn catalogue(db: &impl ConnectionTrait) -> Result<Vec<plan::Model>, DbErr> {
    plan::Entity::find().order_by_asc(plan::Column::Rank).all(db).await
}

/// One plan by its id.
pub async fn find(db: &impl ConnectionTrait, id: &str) -> Result<Option<plan::Model>, DbErr> {
    plan::Entity::find_by_id(id.to_owned()).one(db).await
}

/// The name of the smallest plan that passes `allows`.
pub async fn smallest(
    db: &impl ConnectionTrait,
    allows: impl Fn(&plan::Model) -> bool,
) -> Result<Option<String>, DbErr> {
    Ok(catalogue(db).await?.into_iter().find(|plan| allows(plan)).map(|plan| plan.name))
}

/// How many places an organization's connections take.
pub async fn accounts_used(db: &impl ConnectionTrait, id: OrganizationId) -> Result<u64, DbErr> {
    plan_slot::Entity::find().filter(plan_slot::Column::OrganizationId.eq(id.0)).count(db).await
}
