//! Holds: sending stopped for one account, or for the whole app, until a named time. They are rows, so that every process
//! sees them, and claims pass over what they cover. Calls while throttled prolong the throttle: pauses grow, and what waited
//! does not come back all at once.

use super::statements;
use domain::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use domain::db::Tx;
use domain::id::new_id;
use entities::hold;
use sea_orm::sea_query::{CaseStatement, Expr, LockType, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect as _};
use uuid::Uuid;

/// What a hold covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One account's sending.
    Connection(Uuid),
    /// All sending: Meta limits the app as a whole.
    App,
}

/// How long a hold lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// As long as Meta asked for, a day at most: by then every window that is open now has closed.
    Named(Millis),
    /// Meta named no time: a minute, and twice the last pause when the next throttle follows soon, up to an hour.
    Unnamed,
}

/// The first pause that Meta did not name, and the longest.
const FIRST: Millis = MINUTE;
const LONGEST: Millis = HOUR;

/// A hold that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Nothing is sent before.
    pub until: Millis,
    /// What waited comes back within this time after.
    pub spread: Millis,
}

/// Holds `subject`; an earlier end never shortens a hold that stands. `jitter` is in `0.0..1.0`.
pub async fn hold(
    tx: &Tx,
    subject: Subject,
    pause: Pause,
    reason: &str,
    now: Millis,
    jitter: f64,
) -> Result<Held, DbErr> {
    let (name, connection_id) = match subject {
        Subject::Connection(id) => (format!("connection:{}", id.simple()), Some(id)),
        Subject::App => ("app".to_owned(), None),
    };
    let found = hold::Entity::find().filter(hold::Column::Subject.eq(&name)).lock(LockType::Update);
    let last = found.one(tx.conn()).await?;
    let length = match pause {
        Pause::Named(asked) => asked.clamp(SECOND, DAY),
        Pause::Unnamed => unnamed(last.as_ref(), now),
    };
    let until = now.saturating_add(jittered(length, pause, jitter)).max(last.map_or(0, |last| last.until_at));
    let row = hold::ActiveModel {
        id: Set(new_id(now)),
        subject: Set(name),
        connection_id: Set(connection_id),
        reason: Set(reason.to_owned()),
        until_at: Set(until),
        pause_ms: Set(length),
        created_at: Set(now),
    };
    let theirs = Expr::col((hold::Entity, hold::Column::UntilAt));
    let later = CaseStatement::new().case(hold::Column::UntilAt.gt(until), theirs).finally(until);
    let conflict = OnConflict::column(hold::Column::Subject)
        .update_columns([hold::Column::Reason, hold::Column::PauseMs])
        // Another worker's first hold may have come in between.
        .value(hold::Column::UntilAt, later)
        .to_owned();
    hold::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx.conn()).await?;
    let spread = spread(length);
    if let Some(id) = connection_id {
        let backend = tx.conn().get_database_backend();
        let values = vec![id.into(), until.into(), spread.into()];
        tx.conn().execute_raw(statements::bound(backend, statements::of(backend).spread, values)).await?;
    }
    Ok(Held { until, spread })
}

/// Over how long what waited comes back: the first finds out whether the throttle is over, and the others learn it from the
/// hold and not from Meta.
fn spread(length: Millis) -> Millis {
    (length / 2).clamp(SECOND, 30 * SECOND)
}

fn unnamed(last: Option<&hold::Model>, now: Millis) -> Millis {
    match last {
        // Others found the same throttle at the same moment: one step, not one for each.
        Some(last) if last.until_at > now => last.pause_ms.clamp(FIRST, LONGEST),
        Some(last) if now - last.until_at <= last.pause_ms => (last.pause_ms * 2).clamp(FIRST, LONGEST),
        _ => FIRST,
    }
}

/// A time that Meta named is kept; one of our own is longer by up to a fifth, so that accounts do not come back together.
fn jittered(length: Millis, pause: Pause, jitter: f64) -> Millis {
    match pause {
        Pause::Named(_) => length,
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "an hour in milliseconds")]
        Pause::Unnamed => length + (jitter * (length / 5) as f64) as Millis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pause_ms: Millis, until_at: Millis) -> hold::Model {
        hold::Model {
            id: Uuid::from_u128(1),
            subject: "app".to_owned(),
            connection_id: None,
            reason: String::new(),
            until_at,
            pause_ms,
            created_at: 0,
        }
    }

    #[test]
    fn pauses_grow_while_throttles_follow_each_other() {
        assert_eq!(unnamed(None, 0), FIRST);
        let (mut pause, mut now, mut seen) = (FIRST, 0, Vec::new());
        for _ in 0..8 {
            let until = now + pause;
            // Refused again one second after the pause.
            now = until + SECOND;
            pause = unnamed(Some(&held(pause, until)), now);
            seen.push(pause / MINUTE);
        }
        assert_eq!(seen, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(unnamed(Some(&held(pause, now)), now + pause + 1), FIRST, "long past, it is forgotten");
        assert_eq!(unnamed(Some(&held(FIRST, now + 1)), now), FIRST, "of one moment, one step");
    }

    #[test]
    fn only_our_own_pauses_are_jittered() {
        assert_eq!(jittered(FIRST, Pause::Named(FIRST), 1.0), FIRST);
        assert_eq!(jittered(FIRST, Pause::Unnamed, 0.0), FIRST);
        assert_eq!(jittered(FIRST, Pause::Unnamed, 1.0), FIRST / 5 * 6);
    }
}
