//! Holds: sending stopped for one account, or for the whole app, until a named time. They are rows, so that every process
//! sees them, and claims pass over what they cover.

use domain::clock::Millis;
use domain::db::Tx;
use domain::id::new_id;
use entities::hold;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait};
use uuid::Uuid;

/// What a hold covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One account's sending.
    Connection(Uuid),
    /// All sending: Meta limits the app as a whole.
    App,
}

/// Holds `subject` until `until`; an earlier end never shortens a hold that stands.
pub async fn hold(tx: &Tx, subject: Subject, until: Millis, reason: &str, now: Millis) -> Result<(), DbErr> {
    let (name, connection_id) = match subject {
        Subject::Connection(id) => (format!("connection:{}", id.simple()), Some(id)),
        Subject::App => ("app".to_owned(), None),
    };
    let row = hold::ActiveModel {
        id: Set(new_id(now)),
        subject: Set(name),
        connection_id: Set(connection_id),
        reason: Set(reason.to_owned()),
        until_at: Set(until),
        created_at: Set(now),
    };
    let later =
        Expr::cust("CASE WHEN excluded.until_at > holds.until_at THEN excluded.until_at ELSE holds.until_at END");
    let conflict = OnConflict::column(hold::Column::Subject)
        .update_column(hold::Column::Reason)
        .value(hold::Column::UntilAt, later)
        .to_owned();
    hold::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx.conn()).await?;
    Ok(())
}
