//! Moments as Meta writes them: milliseconds, seconds, either as text, or ISO text.
//! Everything becomes Unix milliseconds or nothing; a senseless number must not put a message in the year 56,000.

use chrono::DateTime;
use serde_json::value::RawValue;

use crate::json;

/// Seconds from 2001-09-09 to 2100-01-01: no overlap with the same range in milliseconds.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..4_102_444_800;

/// Unix milliseconds, or `None` when the value is no sane moment.
pub(super) fn milliseconds(raw: &RawValue) -> Option<i64> {
    from_text(json::text(raw)?.trim())
}

/// The same for text that has left its JSON.
pub(crate) fn from_text(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(number) => from_number(number),
        Err(_) => match text.parse::<f64>() {
            Ok(number) => from_number(json::whole(number)?),
            Err(_) => from_iso(text),
        },
    }
}

fn from_number(number: i64) -> Option<i64> {
    if SECONDS.contains(&number) {
        return Some(number * 1000);
    }
    SECONDS.contains(&(number / 1000)).then_some(number)
}

/// `2021-09-08T06:34:04+0000` (Graph's format), and RFC 3339 with a colon, `Z` or fractions.
fn from_iso(text: &str) -> Option<i64> {
    let moment = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()?;
    from_number(moment.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_spelling() {
        let cases = [
            ("1790000000000", Some(1_790_000_000_000)),
            ("1527459824", Some(1_527_459_824_000)),
            ("\"1527459824\"", Some(1_527_459_824_000)),
            ("\" 1790000000000 \"", Some(1_790_000_000_000)),
            ("1790000000000.0", Some(1_790_000_000_000)),
            ("1.79e12", Some(1_790_000_000_000)),
            ("\"2021-09-08T06:34:04+0000\"", Some(1_631_082_844_000)),
            ("\"2021-09-08T08:34:04.5+02:00\"", Some(1_631_082_844_500)),
            ("\"2021-09-08T06:34:04Z\"", Some(1_631_082_844_000)),
            ("0", None),
            ("-1790000000000", None),
            ("12", None),
            ("99999999999999999", None),
            ("1e300", None),
            ("123456789012345678901234567890", None),
            ("\"NaN\"", None),
            ("\"soon\"", None),
            ("\"\"", None),
            ("null", None),
            ("{}", None),
            ("true", None),
        ];
        for (json, expected) in cases {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(milliseconds(raw), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,40}") {
            let _ = from_text(&text);
        }

        #[test]
        fn any_number_is_sane_or_nothing(number: i64) {
            prop_assert!(from_number(number).is_none_or(|ms| SECONDS.contains(&(ms / 1000))));
        }
    }
}
