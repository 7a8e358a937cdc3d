//! What Meta delivered, byte for byte, and what became of each event in it.
//! The body goes when every event is final; the hash and the outcomes stay for a week.

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
                    .table("deliveries")
                    .col(pk_uuid("id"))
                    // The path it came by: instagram or facebook.
                    .col(string("endpoint"))
                    .col(string_null("object"))
                    .col(blob_null("body"))
                    .col(binary_len("body_sha256", 32))
                    .col(integer("size"))
                    .col(string("state"))
                    .col(text_null("reason"))
                    .col(integer("events_total").default(0))
                    .col(integer("events_unrouted").default(0))
                    .col(big_integer("received_at"))
                    .col(big_integer_null("processed_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("deliveries_by_time").table("deliveries").col("received_at").to_owned())
            .await?;
        // Few rows: bodies go when their events are final.
        manager
            .create_index(
                Index::create()
                    .name("deliveries_with_body")
                    .table("deliveries")
                    .col("received_at")
                    .cond_where(Expr::col("body").is_not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("delivery_events")
                    .col(uuid("delivery_id"))
                    .col(integer("idx"))
                    .col(string("kind"))
                    .col(string("outcome"))
                    .col(text_null("reason"))
                    .col(string_null("account_external_id"))
                    .col(uuid_null("organization_id"))
                    .col(uuid_null("connection_id"))
                    .col(uuid_null("message_id"))
                    .primary_key(Index::create().col("delivery_id").col("idx"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("delivery_events", "delivery_id")
                            .to("deliveries", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("delivery_events_unrouted")
                    .table("delivery_events")
                    .col("account_external_id")
                    .cond_where(Expr::col("outcome").eq("unrouted"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["delivery_events", "deliveries"]).await
    }
}
