//! Every fault by name: what it does, where it acts, and its parameters with their defaults.
//! One table, from which validation, the control interface's catalogue and the README's list are drawn.

use serde_json::{Map, Value, json};

use super::Group;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The name in the control interface.
    pub(crate) name: &'static str,
    /// Where it acts.
    pub(crate) group: Group,
    /// Parameters and their defaults, as JSON.
    pub(crate) params: &'static str,
    /// What one sees.
    pub(crate) what: &'static str,
}

const fn fault(name: &'static str, group: Group, params: &'static str, what: &'static str) -> Fault {
    Fault { name, group, params, what }
}

/// The table.
pub(crate) const CATALOGUE: &[Fault] = &[
    fault(
        "rate_limit",
        Group::Refusal,
        r#"{"code":613,"minutes":1}"#,
        "throttled: code 613, 4 or 80006 (any), HTTP 400, with usage headers and `estimated_time_to_regain_access` = minutes",
    ),
    fault("http_429", Group::Refusal, r#"{"code":4}"#, "HTTP 429 with the envelope of code 4"),
    fault("token_revoked", Group::Refusal, "{}", "190/460, HTTP 400; that call only"),
    fault("token_expired", Group::Refusal, "{}", "190/463, HTTP 400; that call only"),
    fault("permission_lost", Group::Refusal, "{}", "code 10 without subcode, HTTP 403"),
    fault("account_restricted", Group::Refusal, "{}", "10/1893063, HTTP 403"),
    fault("recipient_unavailable", Group::Refusal, "{}", "551/1545041, HTTP 400"),
    fault(
        "window_closed_false",
        Group::Refusal,
        "{}",
        "the window error (10/2534022, Messenger 10/2018278) although the window is open",
    ),
    fault("capability", Group::Refusal, "{}", "(#3), HTTP 400: the app lacks Advanced Access"),
    fault("transient", Group::Refusal, "{}", "code 2, is_transient, HTTP 500"),
    fault("code1", Group::Refusal, "{}", "code 1, HTTP 500"),
    fault("html_502", Group::Refusal, "{}", "HTTP 502 with an HTML page"),
    fault("error_in_200", Group::Refusal, r#"{"code":2}"#, "an error envelope under HTTP 200; not accepted"),
    fault(
        "timeout_before_accept",
        Group::Refusal,
        r#"{"ms":30000}"#,
        "never accepted; hangs, then the connection is closed",
    ),
    fault(
        "hold_before_accept",
        Group::Refusal,
        "{}",
        "held until POST /sandbox/release, then taken normally if the caller is still there",
    ),
    fault("slow_answer", Group::Answer, r#"{"ms":10000}"#, "accepted; answer and echo come late"),
    fault(
        "answer_lost",
        Group::Answer,
        r#"{"how":"reset"}"#,
        "accepted, echo sent; the connection is reset (how: `reset`) or closed (`close`) without an answer",
    ),
    fault(
        "timeout_after_accept",
        Group::Answer,
        r#"{"ms":30000}"#,
        "accepted, echo sent; hangs, then the connection is closed",
    ),
    fault(
        "reset_mid_response",
        Group::Answer,
        r#"{"how":"close"}"#,
        "accepted, echo sent; half of the body, then closed or reset",
    ),
    fault("answer_without_message_id", Group::Answer, "{}", "accepted, echo sent; the answer has only recipient_id"),
    fault("hold_answer", Group::Answer, "{}", "accepted, echo sent; the answer is held until POST /sandbox/release"),
    fault("echo_before_answer", Group::Echo, "{}", "the echo is delivered and answered before the Send answer leaves"),
    fault("no_echo", Group::Echo, "{}", "no echo at all"),
    fault("echo_late", Group::Echo, r#"{"ms":2000}"#, "the echo leaves ms after the answer"),
    fault("reads_fail", Group::Read, "{}", "conversation and profile reads answer code 2, is_transient, HTTP 500"),
    fault("reads_rate_limit", Group::Read, r#"{"code":613}"#, "conversation and profile reads are throttled, HTTP 400"),
    fault("profile_consent", Group::Profile, "{}", "code 230, HTTP 400: as before the person's first message"),
    fault("profile_no_match", Group::Profile, "{}", "code 9010, IGApiException, HTTP 400: as for Meta's own reviewers"),
    fault("profile_transient", Group::Profile, "{}", "code 2, is_transient, HTTP 500"),
    fault("duplicate", Group::Event, r#"{"copies":1}"#, "the same bytes are delivered again, `copies` times, at once"),
    fault(
        "reorder",
        Group::Event,
        r#"{"ms":1000}"#,
        "held back until the account's next event has been answered, at most ms",
    ),
    fault("delay", Group::Event, r#"{"ms":1000}"#, "delivered ms later; what comes after overtakes it"),
    fault(
        "webhook_lost",
        Group::Event,
        "{}",
        "never delivered, and never tried; only a read of the conversation tells",
    ),
    fault(
        "spurious_edit",
        Group::Event,
        "{}",
        "after a customer's DM also a message_edit with num_edit 0, without sender and recipient",
    ),
    fault("bad_signature", Group::Attempt, "{}", "this attempt is signed with a secret nobody has"),
    fault("sha1_only", Group::Attempt, "{}", "this attempt carries only X-Hub-Signature"),
    fault(
        "callback_without_code",
        Group::Dialog,
        "{}",
        "the person allowed, but the redirect has neither code nor error, only the state",
    ),
    fault(
        "dialog_error",
        Group::Dialog,
        r#"{"error":"server_error"}"#,
        "the person allowed, but the redirect has this `error` (`server_error`, `temporarily_unavailable`, `invalid_scope`, any)",
    ),
    fault("code_exchange_transient", Group::CodeExchange, "{}", "HTTP 500, transient; the code is not used"),
    fault("code_exchange_html_502", Group::CodeExchange, "{}", "HTTP 502 with an HTML page; the code is not used"),
    fault(
        "code_exchange_timeout",
        Group::CodeExchange,
        r#"{"ms":30000}"#,
        "the code is not used; hangs, then the connection is closed",
    ),
    fault(
        "code_exchange_lost",
        Group::CodeExchange,
        r#"{"how":"reset"}"#,
        "the code is used; the connection is reset (how: `reset`) or closed (`close`) without an answer",
    ),
    fault("code_exchange_used", Group::CodeExchange, "{}", "the answer to a used code, and from then on it is"),
    fault(
        "code_exchange_hold",
        Group::CodeExchange,
        "{}",
        "held until POST /sandbox/release, then done if the caller is still there",
    ),
    fault("long_lived_transient", Group::LongLived, "{}", "code 2, is_transient, HTTP 500"),
    fault("refresh_transient", Group::Refresh, "{}", "code 2, is_transient, HTTP 500; not refreshed"),
    fault("refresh_html_502", Group::Refresh, "{}", "HTTP 502 with an HTML page; not refreshed"),
    fault(
        "refresh_lost",
        Group::Refresh,
        r#"{"how":"reset"}"#,
        "refreshed; the connection is reset (how: `reset`) or closed (`close`) without an answer",
    ),
    fault("refresh_timeout", Group::Refresh, r#"{"ms":30000}"#, "not refreshed; hangs, then the connection is closed"),
    fault(
        "refresh_unsupported",
        Group::Refresh,
        "{}",
        "the answer to a token of the wrong product: 100, IGApiException, Unsupported request",
    ),
    fault(
        "refresh_checkpoint",
        Group::Refresh,
        "{}",
        "190/459, HTTP 400: the person must log in at Meta; that call only",
    ),
    fault(
        "refresh_rate_limit",
        Group::Refresh,
        r#"{"code":4,"minutes":1}"#,
        "throttled, HTTP 400, with usage headers and `estimated_time_to_regain_access` = minutes",
    ),
    fault("refresh_empty_token", Group::Refresh, "{}", "HTTP 200 with an empty access_token; not refreshed"),
    fault(
        "refresh_hold",
        Group::Refresh,
        "{}",
        "held until POST /sandbox/release, then done if the caller is still there",
    ),
    fault("accounts_transient", Group::AccountList, "{}", "code 2, is_transient, HTTP 500"),
    fault(
        "accounts_rate_limit",
        Group::AccountList,
        r#"{"code":4,"minutes":1}"#,
        "throttled, HTTP 400, with usage headers",
    ),
    fault("accounts_hang", Group::AccountList, r#"{"ms":30000}"#, "hangs, then the connection is closed"),
    fault("identity_transient", Group::Identity, "{}", "code 2, is_transient, HTTP 500"),
    fault("identity_revoked", Group::Identity, "{}", "190/458, HTTP 400; that call only"),
    fault("permissions_transient", Group::Permissions, "{}", "code 2, is_transient, HTTP 500"),
    fault("subscribe_transient", Group::Subscribe, "{}", "code 2, is_transient, HTTP 500; not subscribed"),
    fault("subscribe_dropped", Group::Subscribe, "{}", "answers success, but nothing is subscribed"),
    fault(
        "subscribe_hold",
        Group::Subscribe,
        "{}",
        "held until POST /sandbox/release, then done if the caller is still there",
    ),
    fault("unsubscribe_transient", Group::Unsubscribe, "{}", "code 2, is_transient, HTTP 500; still subscribed"),
    fault(
        "subscription_list_missing",
        Group::SubscriptionRead,
        "{}",
        "100/33, HTTP 400: Meta does not list subscriptions",
    ),
    fault("ai_timeout", Group::Model, r#"{"ms":30000}"#, "hangs, then the connection is closed"),
    fault(
        "ai_error",
        Group::Model,
        r#"{"status":503}"#,
        "an error with this HTTP status: 400 to 599, anything else counts as 503",
    ),
    fault("ai_refusal", Group::Model, "{}", "`message.refusal` is set, `message.content` is null"),
    fault("ai_filtered", Group::Model, "{}", "HTTP 400, code `content_filter`"),
    fault(
        "ai_garbage",
        Group::Model,
        r#"{"how":"json"}"#,
        "HTTP 200 with a body that is no completion: other JSON (how: `json`) or a page (`html`)",
    ),
    fault(
        "ai_long",
        Group::Model,
        "{}",
        "an answer of 5,000 characters, many of several bytes, some of several code points",
    ),
    fault("ai_link", Group::Model, "{}", "an answer with links to https://evil.example/, bare and in Markdown"),
    fault("ai_empty", Group::Model, "{}", "an answer without a character"),
    fault("media_unavailable", Group::MediaRead, "{}", "HTTP 503; also for names that do not exist"),
];

/// The line of that name.
pub(crate) fn find(name: &str) -> Option<&'static Fault> {
    CATALOGUE.iter().find(|fault| fault.name == name)
}

/// All names, for the error that lists them.
pub(crate) fn names() -> Vec<&'static str> {
    CATALOGUE.iter().map(|fault| fault.name).collect()
}

impl Fault {
    /// The parameters with their defaults.
    pub(crate) fn defaults(&self) -> Map<String, Value> {
        serde_json::from_str(self.params).unwrap_or_default()
    }

    /// The line as the control interface shows it.
    pub(crate) fn to_json(&self) -> Value {
        json!({"name": self.name, "group": self.group.name(), "params": self.defaults(), "what": self.what})
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn table() -> String {
        let mut text = String::from("| Fault | Acts on | Parameters | What one sees |\n|---|---|---|---|\n");
        for fault in CATALOGUE {
            let params = if fault.params == "{}" { String::new() } else { format!("`{}`", fault.params) };
            writeln!(text, "| `{}` | {} | {params} | {} |", fault.name, fault.group.name(), fault.what).unwrap();
        }
        text
    }

    #[test]
    fn readme_lists_the_table() {
        let readme = include_str!("../../README.md");
        let table = table();
        assert!(readme.contains(&table), "put this between the fault markers of sandbox/README.md:\n{table}");
    }

    #[test]
    fn names_are_unique_and_parameters_are_objects() {
        let mut names = names();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len());
        for fault in CATALOGUE {
            assert!(serde_json::from_str::<Map<String, Value>>(fault.params).is_ok(), "{}", fault.name);
        }
    }
}
