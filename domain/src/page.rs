//! Pages of lists that are ordered by a time and an id, the latest first.

use crate::clock::Millis;
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

/// A row's place in such a list.
pub type Position = (Millis, Uuid);

/// What comes after a position; everything where there is none.
pub fn after<C: ColumnTrait>(time: C, id: C, position: Option<Position>) -> Condition {
    let rest = |(at, row)| Condition::any().add(time.lt(at)).add(Condition::all().add(time.eq(at)).add(id.lt(row)));
    Condition::all().add_option(position.map(rest))
}
