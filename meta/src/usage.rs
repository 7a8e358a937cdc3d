//! The usage headers: how much of a rate limit is spent, and when it is open again (fact sheet §7.1).
//! Calling on while throttled prolongs the block, so senders slow down by these numbers before Meta refuses.

use std::time::Duration;

use http::HeaderMap;

use crate::json::{self, Fields};
use crate::redact::bounded;

/// Entries kept of the business header; it names the assets of one token, so real ones have few.
const MAX_BUSINESS: usize = 64;
/// No wait is believed that is longer than this.
const MAX_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What the headers of one answer say. Absent until enough calls were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// `X-App-Usage`: the highest of its three numbers, in percent (may exceed 100).
    pub app_percent: Option<u32>,
    /// `X-Page-Usage` (legacy), likewise.
    pub page_percent: Option<u32>,
    /// `X-Business-Use-Case-Usage`, one entry per asset and use case.
    pub business: Vec<BusinessUsage>,
}

/// The budget of one asset in one use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessUsage {
    /// Business, Page or Instagram account.
    pub id: String,
    /// Meta's `type`: `messenger`, `instagram`, `pages`, …
    pub kind: String,
    /// The highest of the three numbers, in percent.
    pub percent: u32,
    /// `estimated_time_to_regain_access`, which Meta gives in minutes; none when 0.
    pub regain_access: Option<Duration>,
}

impl Usage {
    /// Reads the headers of an answer. What cannot be read counts as absent.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            app_percent: header("x-app-usage").and_then(Fields::parse).and_then(|fields| percent(&fields)),
            page_percent: header("x-page-usage").and_then(Fields::parse).and_then(|fields| percent(&fields)),
            business: header("x-business-use-case-usage").map(business).unwrap_or_default(),
        }
    }

    /// The highest percentage of all budgets; `None` when no header came.
    pub fn max_percent(&self) -> Option<u32> {
        let business = self.business.iter().map(|entry| entry.percent);
        self.app_percent.into_iter().chain(self.page_percent).chain(business).max()
    }

    /// The longest wait Meta asks for.
    pub fn regain_access(&self) -> Option<Duration> {
        self.business.iter().filter_map(|entry| entry.regain_access).max()
    }
}

/// Reads `Retry-After` in its form in seconds; Meta rarely sends it.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT)).filter(|wait| !wait.is_zero())
}

fn business(header: &str) -> Vec<BusinessUsage> {
    let fields = Fields::parse(header).unwrap_or_default();
    let mut found = Vec::new();
    for id in fields.keys().take(MAX_BUSINESS) {
        // Documented as an array; one object is taken for an array of one.
        let Some(raw) = fields.get(id) else { continue };
        for raw in json::elements(raw).unwrap_or_else(|| vec![raw]) {
            let Some(entry) = Fields::of(raw) else {
                continue;
            };
            found.push(BusinessUsage {
                id: bounded(id, 64).to_owned(),
                kind: bounded(&entry.text("type").unwrap_or_default(), 64).to_owned(),
                percent: percent(&entry).unwrap_or(0),
                regain_access: minutes(&entry),
            });
            if found.len() == MAX_BUSINESS {
                return found;
            }
        }
    }
    found
}

fn percent(fields: &Fields<'_>) -> Option<u32> {
    let numbers = ["call_count", "total_time", "total_cputime"].into_iter().filter_map(|key| fields.integer(key));
    numbers.max().map(|number| u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}

fn minutes(fields: &Fields<'_>) -> Option<Duration> {
    let minutes = u64::try_from(fields.integer("estimated_time_to_regain_access")?).ok()?;
    Some(Duration::from_secs(minutes.saturating_mul(60)).min(MAX_WAIT)).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn usage(headers: &[(&'static str, &str)]) -> Usage {
        let pairs = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        Usage::from_headers(&pairs.collect())
    }

    #[test]
    fn the_documented_headers() {
        let read = usage(&[
            ("x-app-usage", r#"{"call_count":28,"total_time":25,"total_cputime":31}"#),
            ("x-page-usage", r#"{"call_count":7,"total_time":5,"total_cputime":5}"#),
            (
                "x-business-use-case-usage",
                r#"{"178":[{"type":"messenger","call_count":100,"total_cputime":25,"total_time":25,"estimated_time_to_regain_access":19}],"179":[{"type":"pages","call_count":1,"total_cputime":2,"total_time":3,"estimated_time_to_regain_access":0}]}"#,
            ),
        ]);
        assert_eq!((read.app_percent, read.page_percent, read.max_percent()), (Some(31), Some(7), Some(100)));
        assert_eq!(read.regain_access(), Some(Duration::from_secs(19 * 60)));
        assert_eq!(read.business[1].percent, 3);
        assert_eq!((read.business[0].id.as_str(), read.business[0].kind.as_str()), ("178", "messenger"));
        assert_eq!(read.business[1].regain_access, None);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        assert_eq!(usage(&[]), Usage::default());
        assert_eq!(usage(&[]).max_percent(), None);
        let odd = usage(&[
            ("x-app-usage", "busy"),
            ("x-page-usage", r#"{"call_count":"41","total_time":12.7,"total_cputime":-3}"#),
            (
                "x-business-use-case-usage",
                r#"{"1":{"call_count":5},"2":[1,null],"3":null,"4":[{"estimated_time_to_regain_access":1e300}]}"#,
            ),
        ]);
        assert_eq!((odd.app_percent, odd.page_percent), (None, Some(41)));
        assert_eq!(odd.business.len(), 2);
        assert_eq!(odd.regain_access(), None);
    }

    #[test]
    fn waiting_times_are_bounded() {
        let read =
            usage(&[("x-business-use-case-usage", r#"{"1":[{"estimated_time_to_regain_access":99999999999}]}"#)]);
        assert_eq!(read.regain_access(), Some(MAX_WAIT));
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert("retry-after", HeaderValue::from_static("120"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(120)));
        headers.insert("retry-after", HeaderValue::from_static("Wed, 21 Oct 2026 07:28:00 GMT"));
        assert_eq!(retry_after(&headers), None);
    }

    proptest! {
        #[test]
        fn any_header_is_survived(value in "[ -~]*") {
            let read = usage(&[("x-app-usage", &value), ("x-business-use-case-usage", &value)]);
            let _ = (read.max_percent(), read.regain_access());
        }
    }
}
