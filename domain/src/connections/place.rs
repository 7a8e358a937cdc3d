//! The places a plan has: which one is free, and whether there is one at all. Accounts that need reconnection keep theirs.

use super::Platform;
use super::create::ConnectError;
use crate::id::OrganizationId;
use crate::plans::{self, Entitled, PlanRefusal};
use entities::connection::{Column, Entity};
use entities::{plan, plan_slot};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

/// Whether a login may begin: the plan has the platform, and a free place or an account that only a new login mends. It
/// is asked without a lock; the save asks again with one.
pub async fn room_for(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    platform: Platform,
) -> Result<(), ConnectError> {
    let entitled = Entitled::load(db, organization).await?.ok_or(ConnectError::UnknownOrganization)?;
    match free_place(db, &entitled, platform).await {
        Ok(_) => Ok(()),
        Err(ConnectError::Plan(full @ PlanRefusal::PlanLimit { .. })) => {
            let waiting = Entity::find()
                .filter(Column::OrganizationId.eq(organization.0))
                .filter(Column::Platform.eq(platform.as_str()))
                .filter(Column::Status.is_in(["needs_reconnect", "restricted"]))
                .count(db)
                .await?;
            if waiting > 0 { Ok(()) } else { Err(full.into()) }
        }
        Err(error) => Err(error),
    }
}

/// Refuses when nothing is paid, or the plan lacks the platform.
pub(super) async fn allowed(
    db: &impl ConnectionTrait,
    entitled: &Entitled,
    platform: Platform,
) -> Result<(), ConnectError> {
    entitled.require_active()?;
    let plan = &entitled.plan;
    if platform == Platform::Instagram && !plan.instagram {
        let needed = plans::smallest(db, |other| other.instagram).await?;
        let what = "Instagram accounts";
        return Err(PlanRefusal::PlanRequired { current: plan.name.clone(), what, needed }.into());
    }
    Ok(())
}

/// The lowest free place, if the plan has the platform and one is free.
pub(super) async fn free_place(
    db: &impl ConnectionTrait,
    entitled: &Entitled,
    platform: Platform,
) -> Result<i32, ConnectError> {
    allowed(db, entitled, platform).await?;
    let taken: Vec<i32> = plan_slot::Entity::find()
        .select_only()
        .column(plan_slot::Column::Slot)
        .filter(plan_slot::Column::OrganizationId.eq(entitled.organization.id))
        .order_by_asc(plan_slot::Column::Slot)
        .into_tuple()
        .all(db)
        .await?;
    let slot = lowest_free(taken);
    let plan = &entitled.plan;
    match plan.accounts_limit {
        Some(limit) if slot > limit => {
            let more = |other: &plan::Model| other.accounts_limit.is_none_or(|other| other > limit);
            let needed = plans::smallest(db, more).await?;
            Err(PlanRefusal::PlanLimit { current: plan.name.clone(), allowed: limit, needed }.into())
        }
        _ => Ok(slot),
    }
}

/// The lowest number from 1 that is not in the ascending list.
fn lowest_free(taken: impl IntoIterator<Item = i32>) -> i32 {
    taken.into_iter().fold(1, |free, slot| if slot == free { free + 1 } else { free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_gap_is_taken() {
        for (taken, free) in [(vec![], 1), (vec![1, 2], 3), (vec![2, 3], 1), (vec![1, 3], 2)] {
            assert_eq!(lowest_free(taken.clone()), free, "{taken:?}");
        }
    }
}
