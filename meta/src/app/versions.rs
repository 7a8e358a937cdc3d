//! Until when each version of the Graph API is served (fact sheet §10); a new one is a new row here.
//! Meta does not refuse a version that has ended: it answers with another one, and what that changes is found out by shops.

use chrono::NaiveDate;

/// Year, month, day.
type Day = (i32, u32, u32);

/// Major number and end; none where Meta has not named it.
const VERSIONS: &[(u32, Option<Day>)] = &[
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

/// When a version is served no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionEnd {
    /// From this moment on, in milliseconds since 1970 UTC: the beginning of the day that Meta names.
    At(i64),
    /// Before the oldest version of the table.
    LongAgo,
    /// Not announced, or newer than the table.
    NotKnown,
}

/// When a version such as `v25.0` is served no longer.
pub fn version_end(version: &str) -> VersionEnd {
    let major: Option<u32> =
        version.strip_prefix('v').and_then(|rest| rest.split('.').next()).and_then(|major| major.parse().ok());
    let Some(major) = major else { return VersionEnd::NotKnown };
    if VERSIONS.first().is_some_and(|(oldest, _)| major < *oldest) {
        return VersionEnd::LongAgo;
    }
    let row = VERSIONS.iter().find(|(number, _)| *number == major);
    row.and_then(|(_, end)| *end)
        .and_then(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0))
        .map_or(VersionEnd::NotKnown, |end| VersionEnd::At(end.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::GRAPH_VERSION;

    #[test]
    fn every_row_has_a_day_that_exists_and_they_ascend() {
        let ends: Vec<_> = VERSIONS.iter().map(|(number, _)| version_end(&format!("v{number}.0"))).collect();
        let days = ends.iter().filter_map(|end| if let VersionEnd::At(at) = end { Some(*at) } else { None });
        let days: Vec<i64> = days.collect();
        assert_eq!(days.len(), VERSIONS.iter().filter(|(_, end)| end.is_some()).count());
        assert!(days.is_sorted() && VERSIONS.is_sorted());
    }

    #[test]
    fn ends() {
        assert_eq!(version_end("v18.0"), VersionEnd::At(1_769_385_600_000));
        assert_eq!(version_end("v9.0"), VersionEnd::LongAgo);
        for version in ["v26.0", "v99.0", "", "v", "vx.0"] {
            assert_eq!(version_end(version), VersionEnd::NotKnown, "{version}");
        }
        assert!(matches!(version_end(GRAPH_VERSION), VersionEnd::At(_)), "the one we are written for is in the table");
    }
}
