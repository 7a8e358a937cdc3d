//! One POST from Meta, stored before it is answered.

use sea_orm::entity::prelude::*;

/// A row of `deliveries`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    /// `dlv_…`
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The path it came by: `instagram` or `facebook`.
    pub endpoint: String,
    /// Meta's `object`, once parsed.
    pub object: Option<String>,
    /// Raw bytes; gone when every event is final.
    pub body: Option<Vec<u8>>,
    /// Of the raw bytes.
    pub body_sha256: Vec<u8>,
    /// Bytes.
    pub size: i32,
    /// `received`, `processed`, `malformed`, or `failed`: its job was given up.
    pub state: String,
    /// Why malformed.
    pub reason: Option<String>,
    /// Events in it.
    pub events_total: i32,
    /// Of which no connection was found for.
    pub events_unrouted: i32,
    /// Milliseconds since 1970 UTC.
    pub received_at: i64,
    /// Milliseconds since 1970 UTC.
    pub processed_at: Option<i64>,
}

/// No relation is declared: queries name what they join.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
