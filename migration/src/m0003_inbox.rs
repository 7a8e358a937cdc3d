//! Contacts, conversations, messages, marks for messages not yet seen, and usage by month.
//! The unique keys are what makes a redelivered webhook harmless.

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
                    .table("contacts")
                    .col(pk_uuid("id"))
                    .col(uuid("organization_id"))
                    .col(uuid("connection_id"))
                    .col(string("external_id"))
                    .col(string_null("name"))
                    .col(string_null("username"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut references("contacts", "connection_id", "connections"))
                    .to_owned(),
            )
            .await?;
        unique(manager, "contacts_one_per_person", "contacts", &["connection_id", "external_id"]).await?;

        manager
            .create_table(
                Table::create()
                    .table("conversations")
                    .col(pk_uuid("id"))
                    .col(uuid("organization_id"))
                    .col(uuid("connection_id"))
                    .col(uuid("contact_id"))
                    .col(uuid_null("last_message_id"))
                    // Also the sort key of the inbox; a conversation without a message sorts by its creation.
                    .col(big_integer("last_activity_at"))
                    // Opens Meta's 24-hour window.
                    .col(big_integer_null("last_inbound_at"))
                    // What the contact has received and read, as Meta last said.
                    .col(big_integer_null("contact_delivered_at"))
                    .col(big_integer_null("contact_read_at"))
                    .col(integer("unread_count").default(0))
                    .col(text_null("lead_source_first"))
                    .col(big_integer_null("lead_source_first_at"))
                    .col(text_null("lead_source_last"))
                    .col(big_integer_null("lead_source_last_at"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut references("conversations", "connection_id", "connections"))
                    .foreign_key(&mut references("conversations", "contact_id", "contacts"))
                    .to_owned(),
            )
            .await?;
        unique(manager, "conversations_one_per_contact", "conversations", &["contact_id"]).await?;
        index(manager, "conversations_inbox", "conversations", &["organization_id", "last_activity_at", "id"]).await?;

        manager
            .create_table(
                Table::create()
                    .table("messages")
                    .col(pk_uuid("id"))
                    .col(uuid("organization_id"))
                    .col(uuid("connection_id"))
                    .col(uuid("conversation_id"))
                    // Meta's mid; unknown for an outbound message until Meta has answered or echoed.
                    .col(string_null("external_id"))
                    .col(string("direction"))
                    .col(string("origin"))
                    .col(string("kind"))
                    .col(text_null("text"))
                    .col(text("attachments"))
                    .col(string_null("status"))
                    // The message this automatic reply answers.
                    .col(uuid_null("answers_id"))
                    .col(string_null("reply_to_external_id"))
                    .col(text("reactions"))
                    .col(text_null("extra"))
                    .col(boolean("standby").default(false))
                    .col(string_null("error_class"))
                    .col(string_null("error_code"))
                    .col(text_null("error_message"))
                    .col(big_integer("sent_at"))
                    .col(big_integer_null("sending_at"))
                    .col(big_integer_null("edited_at"))
                    .col(integer("edits").default(0))
                    .col(big_integer_null("deleted_at"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut references("messages", "conversation_id", "conversations"))
                    .to_owned(),
            )
            .await?;
        unique(manager, "messages_one_per_mid", "messages", &["conversation_id", "external_id"]).await?;
        index(manager, "messages_thread", "messages", &["conversation_id", "sent_at", "external_id", "id"]).await?;
        manager
            .create_index(
                Index::create()
                    .name("messages_one_automatic_reply")
                    .table("messages")
                    .col("answers_id")
                    .unique()
                    .cond_where(Expr::col("origin").eq("auto"))
                    .to_owned(),
            )
            .await?;
        // Few rows at a time: what an echo may settle, and what the metrics count.
        manager
            .create_index(
                Index::create()
                    .name("messages_unsettled")
                    .table("messages")
                    .col("conversation_id")
                    .col("status")
                    .cond_where(Expr::col("status").is_in(["queued", "sending", "unknown"]))
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table("message_marks")
                    .col(uuid("conversation_id"))
                    .col(string("external_id"))
                    // deleted, edit, or reaction:<person>
                    .col(string("mark"))
                    .col(text_null("value"))
                    // Which of two marks stands: the event's time, for an edit its number.
                    .col(big_integer("rank"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("conversation_id").col("external_id").col("mark"))
                    .foreign_key(&mut references("message_marks", "conversation_id", "conversations"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("usage_counters")
                    .col(uuid("organization_id"))
                    // `2026-11`, in UTC
                    .col(string("month"))
                    .col(string("metric"))
                    .col(big_integer("count"))
                    .primary_key(Index::create().col("organization_id").col("month").col("metric"))
                    .foreign_key(&mut references("usage_counters", "organization_id", "organizations"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["usage_counters", "message_marks", "messages", "conversations", "contacts"]).await
    }
}

async fn unique(m: &SchemaManager<'_>, name: &str, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(name).table(table).unique().to_owned();
    for column in columns {
        index.col(*column);
    }
    m.create_index(index).await
}

async fn index(m: &SchemaManager<'_>, name: &str, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    m.create_index(index).await
}
