//! The audit trail, API keys, and the row that readiness writes to prove that the database takes writes.

use crate::drop_tables;
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("audit")
                    .col(pk_uuid("id"))
                    .col(big_integer("at"))
                    .col(uuid_null("organization_id"))
                    // `usr_…`, `key_…`, `command line` or `job_…`
                    .col(string("actor"))
                    .col(string("action"))
                    .col(string_null("target"))
                    .col(text_null("reason"))
                    .col(text_null("details"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("audit_by_organization")
                    .table("audit")
                    .col("organization_id")
                    .col("at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("api_keys")
                    .col(pk_uuid("id"))
                    // Null for operator keys.
                    .col(uuid_null("organization_id"))
                    .col(binary_len("key_hash", 32).unique_key())
                    // The first characters, for people to tell keys apart.
                    .col(string("hint"))
                    .col(text("scopes"))
                    .col(big_integer("created_at"))
                    .col(big_integer("expires_at"))
                    .col(big_integer_null("revoked_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create().table("write_probe").col(integer("id").primary_key()).col(big_integer("at")).to_owned(),
            )
            .await?;
        let probe = Query::insert()
            .into_table("write_probe")
            .columns(["id", "at"])
            .values_panic([1.into(), 0_i64.into()])
            .to_owned();
        manager.execute(probe).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["write_probe", "api_keys", "audit"]).await
    }
}
