//! Connecting accounts: one row per attempt, what the owner must be told, what Meta asked to have removed, and what is known
//! of an account's webhooks.

use crate::{drop_tables, references};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// New columns of `connections`, all of them unknown at first.
const OF_CONNECTIONS: [&str; 5] =
    ["subscribed_at", "subscription_checked_at", "status_changed_at", "status_before", "picture_url"];

/// What is looked up by one column.
const INDEXES: [(&str, &str, &str); 4] = [
    ("connections_app_scoped", "connections", "app_scoped_id"),
    ("connections_page", "connections", "page_id"),
    ("conversations_connection", "conversations", "connection_id"),
    ("users_organization", "users", "organization_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        flows(manager).await?;
        notifications(manager).await?;
        callbacks(manager).await?;
        for column in OF_CONNECTIONS {
            let column = if column.ends_with("_at") { big_integer_null(column) } else { text_null(column) };
            manager.alter_table(Table::alter().table("connections").add_column(column).to_owned()).await?;
        }
        // Tokens by the time they end: what the daily look for tokens to refresh reads.
        manager
            .create_index(
                Index::create()
                    .name("connections_token_expiry")
                    .table("connections")
                    .col("token_expires_at")
                    .cond_where(
                        Cond::all()
                            .add(Expr::col("token_expires_at").is_not_null())
                            .add(Expr::col("status").ne("disconnected")),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, table, column) in INDEXES {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        // What is over plan now was active before, as far as anybody knew.
        let before = "UPDATE connections SET status_before = 'active' WHERE status = 'over_plan'";
        manager.get_connection().execute_unprepared(before).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name("connections_token_expiry").table("connections").to_owned()).await?;
        for column in OF_CONNECTIONS {
            manager.alter_table(Table::alter().table("connections").drop_column(column).to_owned()).await?;
        }
        drop_tables(manager, &["tombstones", "meta_callbacks", "notifications", "connect_flows"]).await
    }
}

async fn flows(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("connect_flows")
                .col(pk_uuid("id"))
                .col(uuid("organization_id"))
                .col(uuid("user_id"))
                // The session that started it; when that ends, so does the attempt.
                .col(uuid("session_id"))
                // SHA-256 of the cookie that marks the browser.
                .col(binary_len("browser_hash", 32))
                .col(string("platform"))
                // What was asked for: `instagram_messages`, `page_messages` or `instagram_through_pages`.
                .col(string("asks"))
                // Where Meta sends the browser back to; the exchange repeats it byte for byte.
                .col(text("redirect_uri"))
                // SHA-256 of the state's nonce.
                .col(binary_len("nonce_hash", 32).unique_key())
                .col(string("stage"))
                .col(string_null("error_code"))
                .col(text_null("error_detail"))
                .col(integer("accounts").default(0))
                // SHA-256 of the handle the page got.
                .col(ColumnDef::new("handle_hash").binary_len(32).null().unique_key().to_owned())
                // Code, token, candidates: an envelope of the vault.
                .col(text_null("sealed"))
                .col(big_integer("sealed_version").default(0))
                // What was chosen, when it has taken effect.
                .col(ColumnDef::new("selection_hash").binary_len(32).null().to_owned())
                .col(text_null("result"))
                .col(big_integer("created_at"))
                .col(big_integer_null("state_used_at"))
                .col(big_integer_null("handle_expires_at"))
                .col(big_integer_null("used_at"))
                .foreign_key(&mut references("connect_flows", "organization_id", "organizations"))
                .foreign_key(&mut references("connect_flows", "user_id", "users"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(Index::create().name("connect_flows_age").table("connect_flows").col("created_at").to_owned())
        .await
}

async fn notifications(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("notifications")
                .col(pk_uuid("id"))
                .col(uuid("organization_id"))
                .col(uuid_null("connection_id"))
                // `needs_reconnect`, `restricted`, `over_plan`, `webhooks_off`.
                .col(string("kind"))
                // What was said once is not said again: unique for ever.
                .col(string_uniq("dedupe_key"))
                .col(text("text"))
                .col(big_integer("created_at"))
                .foreign_key(&mut references("notifications", "organization_id", "organizations"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("notifications_of_organization")
                .table("notifications")
                .col("organization_id")
                .col("created_at")
                .to_owned(),
        )
        .await
}

async fn callbacks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("meta_callbacks")
                .col(pk_uuid("id"))
                // `deauthorize` or `data_deletion`.
                .col(string("kind"))
                // SHA-256 of the app-scoped id: enough to know a repetition, too little to know the person.
                .col(binary_len("subject_hash", 32))
                // Unix seconds, as Meta signed it.
                .col(big_integer("issued_at"))
                // What the person is given to ask with.
                .col(string_uniq("confirmation_code"))
                .col(string("status"))
                .col(integer("connections").default(0))
                .col(big_integer("created_at"))
                .col(big_integer_null("finished_at"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("meta_callbacks_once")
                .table("meta_callbacks")
                .col("kind")
                .col("subject_hash")
                .col("issued_at")
                .unique()
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("tombstones")
                // SHA-256 of platform and external id of an account whose data was deleted.
                .col(ColumnDef::new("account_hash").binary_len(32).not_null().primary_key().to_owned())
                .col(big_integer("created_at"))
                .to_owned(),
        )
        .await
}
