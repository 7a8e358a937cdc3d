//! What a shop works with: who wrote a message and in how many parts, templates, scheduled messages, leads, what is known of
//! contacts and attachments, and the keys that make a repeated request one.

use crate::{drop_tables, references};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in new_columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        manager
            .create_index(
                Index::create()
                    .name("messages_parts")
                    .table("messages")
                    .col("group_id")
                    .col("part")
                    .cond_where(Expr::col("group_id").is_not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("contacts_organization").table("contacts").col("organization_id").to_owned(),
            )
            .await?;
        templates(manager).await?;
        scheduled(manager).await?;
        leads(manager).await?;
        attachments(manager).await?;
        idempotency(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["idempotency_keys", "attachments", "leads", "scheduled_messages", "templates"]).await?;
        for (name, table) in [("contacts_organization", "contacts"), ("messages_parts", "messages")] {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        for (table, column) in new_columns() {
            let name = column.get_column_name().to_owned();
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}

fn new_columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("contacts", text_null("picture_url").to_owned()),
        // `known` or `refused`; nothing where Meta has not been asked.
        ("contacts", string_null("profile_state").to_owned()),
        ("contacts", big_integer_null("profile_at").to_owned()),
        // The person of the shop who wrote it.
        ("messages", uuid_null("author_id").to_owned()),
        // Typed by a person and sent at once: what Meta's Human Agent tag is for.
        ("messages", boolean("by_hand").default(false).to_owned()),
        // The first part of a text that was sent in several.
        ("messages", uuid_null("group_id").to_owned()),
        ("messages", integer("part").default(0).to_owned()),
        ("messages", uuid_null("template_id").to_owned()),
        // Read back from Meta after an outage; no webhook told of it.
        ("messages", boolean("reconciled").default(false).to_owned()),
        // How long a person's answer silences the automatic reply; nothing: an hour.
        ("connections", integer_null("auto_reply_pause").to_owned()),
        // Until when its conversations were read back from Meta.
        ("connections", big_integer_null("reconciled_at").to_owned()),
    ]
}

async fn templates(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("templates")
                .col(pk_uuid("id"))
                .col(uuid("organization_id"))
                .col(string("name"))
                .col(text("text"))
                // JSON array: words of a customer that this template answers.
                .col(text("keywords"))
                .col(big_integer("created_at"))
                .col(big_integer("updated_at"))
                .foreign_key(&mut references("templates", "organization_id", "organizations"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("templates_one_per_name")
                .table("templates")
                .col("organization_id")
                .col("name")
                .unique()
                .to_owned(),
        )
        .await
}

async fn scheduled(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("scheduled_messages")
                .col(pk_uuid("id"))
                .col(uuid("organization_id"))
                .col(uuid("connection_id"))
                .col(uuid("conversation_id"))
                // One of the two.
                .col(text_null("text"))
                .col(uuid_null("template_id"))
                .col(big_integer("due_at"))
                // `scheduled`, `released`, `failed` or `cancelled`.
                .col(string("status"))
                // Goes up with each change, so that a job of an earlier version does nothing.
                .col(integer("version").default(0))
                // The first message it became.
                .col(uuid_null("message_id"))
                .col(uuid_null("author_id"))
                .col(string_null("error_class"))
                .col(text_null("error_message"))
                .col(big_integer("created_at"))
                .col(big_integer("updated_at"))
                .foreign_key(&mut references("scheduled_messages", "organization_id", "organizations"))
                .foreign_key(&mut references("scheduled_messages", "conversation_id", "conversations"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("scheduled_messages_of_organization")
                .table("scheduled_messages")
                .col("organization_id")
                .col("due_at")
                .col("id")
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("scheduled_messages_waiting")
                .table("scheduled_messages")
                .col("organization_id")
                .cond_where(Expr::col("status").eq("scheduled"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("scheduled_messages_of_conversation")
                .table("scheduled_messages")
                .col("conversation_id")
                .to_owned(),
        )
        .await
}

async fn leads(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("leads")
                .col(pk_uuid("id"))
                .col(uuid("organization_id"))
                .col(uuid("connection_id"))
                // One lead a conversation; where it came from is the conversation's.
                .col(uuid_uniq("conversation_id"))
                .col(string("name"))
                .col(string_null("email"))
                .col(string_null("phone"))
                .col(text_null("note"))
                // `new`, `contacted`, `won` or `lost`.
                .col(string("stage"))
                .col(uuid_null("author_id"))
                .col(big_integer("created_at"))
                .col(big_integer("updated_at"))
                .foreign_key(&mut references("leads", "organization_id", "organizations"))
                .foreign_key(&mut references("leads", "conversation_id", "conversations"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("leads_of_organization")
                .table("leads")
                .col("organization_id")
                .col("created_at")
                .col("id")
                .to_owned(),
        )
        .await
}

async fn attachments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("attachments")
                .col(uuid("message_id"))
                // Its place among the message's attachments.
                .col(integer("position"))
                .col(uuid_uniq("id"))
                .col(uuid("organization_id"))
                .col(uuid("conversation_id"))
                // `available`, `expired`, `refused` or `failed`.
                .col(string("status"))
                // A sentence, where there is something to know.
                .col(text_null("note"))
                .col(big_integer_null("expires_at"))
                .col(string_null("content_type"))
                .col(big_integer_null("bytes"))
                // A small JPEG.
                .col(ColumnDef::new("preview").binary().null().to_owned())
                .col(big_integer("fetched_at"))
                .primary_key(Index::create().col("message_id").col("position"))
                .foreign_key(&mut references("attachments", "message_id", "messages"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create().name("attachments_of_conversation").table("attachments").col("conversation_id").to_owned(),
        )
        .await
}

async fn idempotency(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("idempotency_keys")
                .col(uuid("organization_id"))
                // SHA-256 of the key: it may be of any length.
                .col(binary_len("key_hash", 32))
                // SHA-256 of what was asked for with it.
                .col(binary_len("request_hash", 32))
                // What it led to.
                .col(uuid("subject_id"))
                .col(big_integer("created_at"))
                .primary_key(Index::create().col("organization_id").col("key_hash"))
                .foreign_key(&mut references("idempotency_keys", "organization_id", "organizations"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create().name("idempotency_keys_age").table("idempotency_keys").col("created_at").to_owned(),
        )
        .await
}
