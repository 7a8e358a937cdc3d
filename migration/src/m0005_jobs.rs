//! The job ledger: jobs, the attempts that did not simply succeed, queues, schedules, workers and holds.
//! The partial indexes keep every hot statement on the unfinished jobs, so a million finished ones cost nothing.

use crate::drop_tables;
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

const QUEUES: [&str; 4] = ["interactive", "webhooks", "send", "maintenance"];
const WAITING: [&str; 4] = ["scheduled", "available", "retryable", "snoozed"];
const UNFINISHED: [&str; 5] = ["scheduled", "available", "retryable", "snoozed", "running"];
const FINISHED: [&str; 3] = ["completed", "discarded", "cancelled"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("queues")
                    .col(string("name").primary_key())
                    .col(boolean("paused").default(false))
                    .col(big_integer_null("paused_at"))
                    .to_owned(),
            )
            .await?;
        let mut queues = Query::insert();
        queues.into_table("queues").columns(["name"]);
        for name in QUEUES {
            queues.values_panic([name.into()]);
        }
        manager.execute(queues).await?;

        manager
            .create_table(
                Table::create()
                    .table("jobs")
                    .col(pk_uuid("id"))
                    .col(string("queue"))
                    .col(string("kind"))
                    .col(text("payload"))
                    .col(string("state"))
                    // 0 goes first.
                    .col(integer("priority").default(1))
                    .col(string_null("lane"))
                    .col(integer("attempt").default(0))
                    .col(integer("max_attempts"))
                    // Leases that lapsed while nothing else ran in the same worker.
                    .col(integer("lapses").default(0))
                    // The last try lapsed: the next one runs alone.
                    .col(boolean("isolated").default(false))
                    // Of the last claim: nothing else that could be to blame ran in the worker.
                    .col(boolean("claimed_alone").default(false))
                    .col(big_integer("run_at"))
                    .col(big_integer_null("lease_until"))
                    .col(string_null("worker"))
                    .col(big_integer("fence").default(0))
                    .col(string_null("dedupe_key"))
                    .col(uuid_null("organization_id"))
                    .col(uuid_null("connection_id"))
                    .col(string_null("error_class"))
                    .col(string_null("error_code"))
                    .col(string_null("error_fingerprint"))
                    .col(text_null("error_message"))
                    .col(text_null("result"))
                    .col(string_null("trace_id"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("started_at"))
                    .col(big_integer_null("finished_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_claim")
                    .table("jobs")
                    .col("queue")
                    .col("priority")
                    .col("run_at")
                    .col("id")
                    .cond_where(Expr::col("state").is_in(WAITING))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_isolated")
                    .table("jobs")
                    .col("queue")
                    .col("run_at")
                    .cond_where(Cond::all().add(Expr::col("isolated").eq(true)).add(Expr::col("state").is_in(WAITING)))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_lane")
                    .table("jobs")
                    .col("lane")
                    .col("id")
                    .cond_where(
                        Cond::all().add(Expr::col("lane").is_not_null()).add(Expr::col("state").is_in(UNFINISHED)),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_running")
                    .table("jobs")
                    .col("lease_until")
                    .cond_where(Expr::col("state").eq("running"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_dedupe")
                    .table("jobs")
                    .col("dedupe_key")
                    .unique()
                    .cond_where(
                        Cond::all()
                            .add(Expr::col("dedupe_key").is_not_null())
                            .add(Expr::col("state").is_in(UNFINISHED)),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_waiting_by_connection")
                    .table("jobs")
                    .col("connection_id")
                    .cond_where(
                        Cond::all()
                            .add(Expr::col("connection_id").is_not_null())
                            .add(Expr::col("state").is_in(WAITING)),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_finished")
                    .table("jobs")
                    .col("state")
                    .col("finished_at")
                    .cond_where(Expr::col("state").is_in(FINISHED))
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table("job_attempts")
                    .col(uuid("job_id"))
                    // The fence of the claim: also tells snoozed tries apart, which do not count as attempts.
                    .col(big_integer("fence"))
                    .col(integer("attempt"))
                    .col(big_integer_null("began_at"))
                    .col(big_integer("ended_at"))
                    .col(string("outcome"))
                    .col(string_null("error_class"))
                    .col(string_null("error_code"))
                    .col(text_null("error_message"))
                    .col(integer_null("http_status"))
                    .col(string_null("meta_trace_id"))
                    .col(string_null("worker"))
                    .primary_key(Index::create().col("job_id").col("fence"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("job_attempts", "job_id")
                            .to("jobs", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("job_attempts_by_worker")
                    .table("job_attempts")
                    .col("worker")
                    .col("outcome")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("schedules")
                    .col(string("name").primary_key())
                    .col(big_integer("every_ms"))
                    .col(big_integer("last_due_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("workers")
                    .col(string("id").primary_key())
                    .col(string("host"))
                    .col(integer("pid"))
                    .col(string("version"))
                    .col(text("queues"))
                    .col(string("state"))
                    .col(big_integer("started_at"))
                    .col(big_integer("beat_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("holds")
                    .col(pk_uuid("id"))
                    // `connection:<uuid>` or `app:<platform>`; one row each.
                    .col(string_uniq("subject"))
                    .col(uuid_null("connection_id"))
                    .col(text("reason"))
                    .col(big_integer("until_at"))
                    // Doubled when the next throttle follows soon.
                    .col(big_integer("pause_ms"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("holds_by_connection")
                    .table("holds")
                    .col("connection_id")
                    .col("until_at")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["holds", "workers", "schedules", "job_attempts", "jobs", "queues"]).await
    }
}
