//! A try that did not simply succeed.

use sea_orm::entity::prelude::*;

/// A row of `job_attempts`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_attempts")]
pub struct Model {
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// The claim's fence.
    #[sea_orm(primary_key, auto_increment = false)]
    pub fence: i64,
    /// Its number as an attempt.
    pub attempt: i32,
    /// Milliseconds since 1970 UTC.
    pub began_at: Option<i64>,
    /// Milliseconds since 1970 UTC.
    pub ended_at: i64,
    /// `retry`, `snooze`, `discard`, `lapsed`, `cancelled`, `unknown`.
    pub outcome: String,
    /// From the error-class table.
    pub error_class: Option<String>,
    /// Meta's `code/subcode`.
    pub error_code: Option<String>,
    /// Redacted.
    pub error_message: Option<String>,
    /// Of Meta's answer.
    pub http_status: Option<i32>,
    /// Meta's `fbtrace_id`.
    pub meta_trace_id: Option<String>,
    /// Who tried.
    pub worker: Option<String>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
