//! List cursors: a position, opaque and authenticated, bound to the list and the organization it was made for.
//! A cursor that was changed, or taken to another list, is refused and reads nothing.

use crate::problem::{Code, Problem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// A position in a list ordered by a time and an id.
pub type Position = (i64, Uuid);

const TAG: usize = 16;
const POSITION: usize = 24;

/// Makes and reads cursors.
#[derive(Debug)]
pub struct Cursors(SecretBox<[u8; 32]>);

impl Cursors {
    /// Every process of a deployment needs the same key.
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The cursor after the row at `position`; `list` names the list and whatever filters it.
    pub fn make(&self, list: &str, owner: Uuid, position: Position) -> String {
        let mut bytes = Vec::with_capacity(POSITION + TAG);
        bytes.extend_from_slice(&position.0.to_be_bytes());
        bytes.extend_from_slice(position.1.as_bytes());
        let tag = self.tag(list, owner, &bytes);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor made for the same list and owner.
    pub fn read(&self, list: &str, owner: Uuid, cursor: Option<&str>) -> Result<Option<Position>, Problem> {
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
        self.open(list, owner, cursor).map(Some).ok_or_else(|| Problem::new(Code::InvalidCursor))
    }

    fn open(&self, list: &str, owner: Uuid, cursor: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        if bytes.len() != POSITION + TAG {
            return None;
        }
        let (position, tag) = bytes.split_at(POSITION);
        if !bool::from(self.tag(list, owner, position).ct_eq(tag)) {
            return None;
        }
        let (at, id) = position.split_at(8);
        Some((i64::from_be_bytes(at.try_into().ok()?), Uuid::from_slice(id).ok()?))
    }

    fn tag(&self, list: &str, owner: Uuid, position: &[u8]) -> Vec<u8> {
        // A key of any length is accepted, so this branch is never taken; an empty tag matches no cursor.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return Vec::new() };
        mac.update(owner.as_bytes());
        mac.update(position);
        mac.update(list.as_bytes());
        mac.finalize().into_bytes().iter().take(TAG).copied().collect()
    }
}

/// What is wrong with a `limit` that is not.
pub const LIMIT_FORM: &str = "The parameter limit is a number from 1; a page has 100 at most.";

/// The `limit` parameter: from 1, 50 when not given. A page has 100 at most, whoever asks for more reads on with the cursor.
pub fn limit(given: Option<u64>) -> Result<u64, Problem> {
    match given.unwrap_or(50) {
        0 => Err(Problem::with(Code::InvalidParameter, LIMIT_FORM)),
        limit => Ok(limit.min(100)),
    }
}

/// Cuts a list read with one row more than asked for, and makes the cursor of the next page when there was one more.
pub fn cut<T>(
    mut rows: Vec<T>,
    limit: u64,
    position: impl Fn(&T) -> Position,
    make: impl Fn(Position) -> String,
) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return (rows, None);
    }
    rows.truncate(limit);
    let next = rows.last().map(|row| make(position(row)));
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_hundred_at_most() {
        for (given, expected) in [(None, 50), (Some(1), 1), (Some(100), 100), (Some(101), 100), (Some(u64::MAX), 100)] {
            assert_eq!(limit(given).unwrap(), expected);
        }
        assert_eq!(limit(Some(0)).map_err(|problem| problem.code()).unwrap_err(), Code::InvalidParameter);
    }

    #[test]
    fn a_cursor_works_for_its_own_list_and_owner_only() {
        let cursors = Cursors::new(SecretBox::new(Box::new([1; 32])));
        let (owner, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let position = (-5, Uuid::from_u128(9));
        let cursor = cursors.make("a", owner, position);
        assert_eq!(cursors.read("a", owner, Some(&cursor)).unwrap(), Some(position));
        assert_eq!(cursors.read("a", owner, None).unwrap(), None);
        assert!(cursors.read("b", owner, Some(&cursor)).is_err());
        assert!(cursors.read("a", other, Some(&cursor)).is_err());
        assert!(Cursors::new(SecretBox::new(Box::new([2; 32]))).read("a", owner, Some(&cursor)).is_err());
    }

    #[test]
    fn every_changed_character_is_refused() {
        let cursors = Cursors::new(SecretBox::new(Box::new([1; 32])));
        let cursor = cursors.make("a", Uuid::nil(), (1, Uuid::from_u128(9)));
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(cursors.read("a", Uuid::nil(), Some(&changed)).is_err(), "{at}");
        }
    }

    #[test]
    fn lists_are_cut_at_their_limit() {
        let make = |position: Position| position.0.to_string();
        let position = |n: &i64| (*n, Uuid::nil());
        assert_eq!(cut(vec![1, 2, 3], 2, position, make), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(cut(vec![1, 2], 2, position, make), (vec![1, 2], None));
        assert!(limit(Some(0)).is_err());
        assert_eq!(limit(None).unwrap(), 50);
    }
}
