//! Plans, organizations (the unit that pays), their users, sign-in sessions and failed sign-ins.
//! The plan catalogue is data: changing a plan is an `UPDATE`, not a release.

use crate::{drop_tables, references};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `(id, name, rank, accounts in total, Instagram, automatic reply, Instagram messaging, US cents a month)`
type PlanRow = (&'static str, &'static str, i32, Option<i32>, bool, bool, bool, Option<i32>);

const PLANS: [PlanRow; 4] = [
    ("starter", "Starter", 1, Some(1), false, true, false, None),
    ("pro", "Pro", 2, Some(3), true, true, false, None),
    ("team", "Team", 3, Some(10), true, true, true, Some(5_000)),
    ("enterprise", "Enterprise", 4, None, true, true, true, None),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("plans")
                    .col(string("id").primary_key())
                    .col(string("name"))
                    .col(integer("rank"))
                    .col(integer_null("accounts_limit"))
                    .col(boolean("instagram"))
                    .col(boolean("auto_reply"))
                    .col(boolean("instagram_messaging"))
                    .col(integer_null("price_cents"))
                    .to_owned(),
            )
            .await?;
        let mut plans = Query::insert();
        plans.into_table("plans").columns([
            "id",
            "name",
            "rank",
            "accounts_limit",
            "instagram",
            "auto_reply",
            "instagram_messaging",
            "price_cents",
        ]);
        for (id, name, rank, limit, instagram, auto_reply, messaging, price) in PLANS {
            plans.values_panic([
                id.into(),
                name.into(),
                rank.into(),
                limit.into(),
                instagram.into(),
                auto_reply.into(),
                messaging.into(),
                price.into(),
            ]);
        }
        manager.execute(plans).await?;

        manager
            .create_table(
                Table::create()
                    .table("organizations")
                    .col(pk_uuid("id"))
                    .col(string("name"))
                    .col(string("plan_id"))
                    .col(string("subscription"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut references("organizations", "plan_id", "plans"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("users")
                    .col(pk_uuid("id"))
                    .col(uuid("organization_id"))
                    // Lower-cased; sign-in is by e-mail address.
                    .col(string_uniq("email"))
                    .col(string("password_hash"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut references("users", "organization_id", "organizations"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sessions")
                    .col(pk_uuid("id"))
                    // SHA-256 of the cookie's value: a copy of the database signs nobody in.
                    .col(binary_len("token_hash", 32).unique_key())
                    .col(uuid("user_id"))
                    .col(big_integer("created_at"))
                    .col(big_integer("last_seen_at"))
                    .col(big_integer("expires_at"))
                    .foreign_key(&mut references("sessions", "user_id", "users"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("sessions_expiry").table("sessions").col("expires_at").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sign_in_failures")
                    // `account:<sha-256 of the address>` or `address:<ip>`.
                    .col(string("subject").primary_key())
                    .col(integer("failures"))
                    .col(big_integer("window_started_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["sign_in_failures", "sessions", "users", "organizations", "plans"]).await
    }
}
