//! A job of the ledger.

use sea_orm::entity::prelude::*;

/// A row of `jobs`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// `job_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// One of the queues.
    pub queue: String,
    /// `webhook.process`, …
    pub kind: String,
    /// JSON: ids and small facts; never a token, a code or a message text.
    pub payload: String,
    /// `scheduled`, `available`, `running`, `retryable`, `snoozed`, `completed`, `discarded`, `cancelled`.
    pub state: String,
    /// 0 goes first.
    pub priority: i32,
    /// Jobs of one lane run one at a time, oldest first.
    pub lane: Option<String>,
    /// Tries begun; a snooze gives its try back.
    pub attempt: i32,
    /// Tries before it is discarded.
    pub max_attempts: i32,
    /// Leases that lapsed while nothing else ran in the same worker.
    pub lapses: i32,
    /// Its last try lapsed: the next one runs alone.
    pub isolated: bool,
    /// Of the last claim: nothing else that could be to blame ran in the worker.
    pub claimed_alone: bool,
    /// Not before this.
    pub run_at: i64,
    /// Running: when others may take it.
    pub lease_until: Option<i64>,
    /// Running: who has it.
    pub worker: Option<String>,
    /// Goes up with each claim; a settle with an old one changes nothing.
    pub fence: i64,
    /// Unique while the job is unfinished.
    pub dedupe_key: Option<String>,
    /// Whom it serves.
    pub organization_id: Option<Uuid>,
    /// Which account it works for.
    pub connection_id: Option<Uuid>,
    /// Of the last failure.
    pub error_class: Option<String>,
    /// Meta's `code/subcode`.
    pub error_code: Option<String>,
    /// Groups failures of one cause.
    pub error_fingerprint: Option<String>,
    /// Redacted.
    pub error_message: Option<String>,
    /// JSON.
    pub result: Option<String>,
    /// Follows one webhook through its jobs.
    pub trace_id: Option<String>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Of the last try.
    pub started_at: Option<i64>,
    /// When it became final.
    pub finished_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
