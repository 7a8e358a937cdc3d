//! Connected accounts with their sealed tokens, and the plan slots they take.
//! Two keys hold the rules that must never break: one active owner per external account, and one connection per slot.

use crate::{drop_tables, references};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("connections")
                    .col(pk_uuid("id"))
                    .col(uuid("organization_id"))
                    .col(string("platform"))
                    // Which API speaks for it: instagram, facebook, or instagram through its page.
                    .col(string("login_route"))
                    // The id webhooks carry as `entry.id`.
                    .col(string("external_id"))
                    // The id deauthorize and data-deletion callbacks carry.
                    .col(string_null("app_scoped_id"))
                    .col(string_null("page_id"))
                    .col(string("name"))
                    .col(string_null("username"))
                    .col(string("status"))
                    .col(text_null("status_reason"))
                    .col(text_null("token_sealed"))
                    .col(big_integer("token_version").default(0))
                    .col(big_integer_null("token_issued_at"))
                    .col(big_integer_null("token_expires_at"))
                    .col(text("scopes"))
                    .col(string("auto_reply_mode"))
                    .col(text_null("auto_reply_text"))
                    .col(uuid_null("auto_reply_template_id"))
                    .col(text_null("auto_reply_instructions"))
                    .col(big_integer_null("last_webhook_at"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(big_integer_null("disconnected_at"))
                    .foreign_key(&mut references("connections", "organization_id", "organizations"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("connections_one_active_owner")
                    .table("connections")
                    .col("platform")
                    .col("external_id")
                    .unique()
                    .cond_where(Expr::col("status").ne("disconnected"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("connections_by_organization")
                    .table("connections")
                    .col("organization_id")
                    .col("created_at")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("plan_slots")
                    .col(uuid("organization_id"))
                    .col(integer("slot"))
                    .col(uuid_uniq("connection_id"))
                    .primary_key(Index::create().col("organization_id").col("slot"))
                    .foreign_key(&mut references("plan_slots", "organization_id", "organizations"))
                    .foreign_key(&mut references("plan_slots", "connection_id", "connections"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["plan_slots", "connections"]).await
    }
}
