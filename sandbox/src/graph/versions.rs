//! Which Graph version answers a call: a dead one is served by the oldest that still lives, as Meta does.
//! Clients that watch the `facebook-api-version` header learn from it that they are about to break.

use chrono::NaiveDate;

/// Year, month, day.
type Day = (i32, u32, u32);

/// The major number and the day service ends; none: still open.
const VERSIONS: [(u32, Option<Day>); 10] = [
    (17, Some((2025, 9, 12))),
    (18, Some((2026, 1, 26))),
    (19, Some((2026, 5, 21))),
    (20, Some((2026, 9, 24))),
    (21, Some((2027, 1, 21))),
    (22, Some((2027, 5, 20))),
    (23, Some((2027, 10, 8))),
    (24, Some((2028, 2, 18))),
    (25, Some((2028, 7, 29))),
    (26, None),
];

fn major(text: &str) -> Option<u32> {
    text.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()
}

/// Whether a path segment is a version at all.
pub(crate) fn is_version(segment: &str) -> bool {
    major(segment).is_some()
}

fn alive(until: Option<Day>, now_ms: i64) -> bool {
    until
        .and_then(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day))
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .is_none_or(|date| now_ms < date.and_utc().timestamp_millis())
}

/// The version that serves a call naming `asked`; none when it does not exist yet.
pub(crate) fn served(asked: &str, now_ms: i64) -> Option<String> {
    let asked = major(asked)?;
    let newest = VERSIONS.last().map_or(0, |(number, _)| *number);
    if asked > newest {
        return None;
    }
    VERSIONS
        .iter()
        .find(|(number, until)| *number >= asked && alive(*until, now_ms))
        .map(|(number, _)| format!("v{number}.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOVEMBER_2026: i64 = 1_795_000_000_000;

    #[test]
    fn the_dead_are_served_by_the_oldest_living() {
        assert_eq!(served("v25.0", NOVEMBER_2026).as_deref(), Some("v25.0"));
        assert_eq!(served("v19.0", NOVEMBER_2026).as_deref(), Some("v21.0"));
        assert_eq!(served("v9.0", NOVEMBER_2026).as_deref(), Some("v21.0"));
        assert_eq!(served("v99.0", NOVEMBER_2026), None);
        assert_eq!(served("v21.0", NOVEMBER_2026 + 100 * 86_400_000).as_deref(), Some("v22.0"));
    }
}
