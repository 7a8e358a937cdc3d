//! The error-class table against the fact sheet, line by line, and every combination for gaps.
//! What is sent twice or lost depends on these rows, so each has a test of its own.

use super::ErrorClass::*;
use super::Operation::*;
use super::*;
use crate::error::Cause;

/// A parsed Graph error; subcode 0 stands for none.
fn graph(status: u16, code: i64, subcode: i64) -> GraphError {
    let subcode = Some(subcode).filter(|subcode| *subcode != 0);
    GraphError { code: Some(code), subcode, ..GraphError::new(Cause::Graph, Some(status), "") }
}

fn class(operation: Operation, error: &GraphError) -> ErrorClass {
    classify(operation, error).class
}

/// Lines of §2.7, §6.4, §6.5, §7.3 and §8.2 that mean the same for a send and a read, in HTTP 4xx.
#[rustfmt::skip]
const LINES: &[(i64, i64, ErrorClass)] = &[
    // §2.7, row 4
    (190, 0, Reconnect), (190, 456, Reconnect), (190, 457, Reconnect), (190, 458, Reconnect),
    (190, 459, Reconnect), (190, 460, Reconnect), (190, 461, Reconnect), (190, 462, Reconnect),
    (190, 463, Reconnect), (190, 464, Reconnect), (190, 465, Reconnect), (190, 466, Reconnect),
    (190, 467, Reconnect), (190, 468, Reconnect), (190, 490, Reconnect), (190, 492, Reconnect),
    (102, 0, Reconnect), (104, 0, Reconnect), (450, 0, Reconnect), (452, 0, Reconnect),
    (2500, 0, Reconnect),
    // row 6
    (10, 2534022, WindowClosed), (10, 2018278, WindowClosed), (10, 2018065, WindowClosed),
    // row 7
    (10, 2018108, RecipientUnavailable), (551, 0, RecipientUnavailable),
    (551, 1545041, RecipientUnavailable), (200, 1545041, RecipientUnavailable),
    // row 8
    (10, 1893063, AccountRestricted), (100, 2534029, AccountRestricted), (368, 0, AccountRestricted),
    // row 9
    (10, 2534077, OwnerAction), (200, 2534041, OwnerAction), (100, 2534013, OwnerAction),
    // row 10
    (10, 0, Reconnect), (10, 999, Reconnect), (200, 0, Reconnect), (200, 2018028, Reconnect),
    (299, 0, Reconnect), (3, 0, AppConfiguration),
    // row 11, §7.3
    (4, 0, RateLimited), (17, 0, RateLimited), (32, 0, RateLimited), (341, 0, RateLimited),
    (613, 0, RateLimited), (613, 2534040, RateLimited), (613, 2018338, RateLimited),
    (80000, 0, RateLimited), (80001, 0, RateLimited), (80002, 2446079, RateLimited),
    (80003, 0, RateLimited), (80004, 0, RateLimited), (80006, 0, RateLimited),
    // row 13, §6.4, §6.5
    (100, 0, Permanent), (100, 33, Permanent), (100, 2018001, Permanent), (100, 2534014, Permanent),
    (100, 2534015, Permanent), (100, 2534037, Permanent), (100, 2018300, Permanent),
    (2018300, 0, Permanent), (2018320, 0, Permanent), (100, 2534025, Permanent),
    (100, 2018008, Permanent), (100, 2018047, Permanent), (100, 2018109, Permanent),
    (100, 2018294, Permanent), (100, 2018218, Permanent), (100, 2018247, Permanent),
    (36103, 0, Permanent), (9000001, 0, Permanent), (230, 0, Permanent), (9010, 0, Permanent),
    // row 14
    (987_654, 0, Permanent),
    // an app that Meta does not know (§2.4) is no fault of the account
    (101, 0, AppConfiguration), (191, 0, AppConfiguration),
];

#[test]
fn every_line_of_the_fact_sheet() {
    for (code, subcode, expected) in LINES {
        for status in [400, 401, 403] {
            let error = graph(status, *code, *subcode);
            for operation in [Send, ReadProfile, ReadConversation, ReadAccounts, Subscribe, Unsubscribe] {
                assert_eq!(class(operation, &error), *expected, "{operation:?} {error}");
            }
        }
    }
}

#[test]
fn a_send_that_may_have_happened_is_unknown() {
    for cause in [Cause::Timeout, Cause::Interrupted, Cause::NotJson] {
        for status in [None, Some(200), Some(302), Some(404), Some(429), Some(500), Some(502)] {
            assert_eq!(class(Send, &GraphError::new(cause, status, "")), UnknownOutcome, "{cause:?} {status:?}");
        }
    }
    for (code, subcode, _) in LINES {
        for status in [302, 500, 502, 503, 504] {
            assert_eq!(class(Send, &graph(status, *code, *subcode)), UnknownOutcome);
        }
        for is_transient in [false, true] {
            let error = GraphError { is_transient, ..graph(500, *code, *subcode) };
            assert_eq!(class(Send, &error), UnknownOutcome);
        }
    }
    for (code, subcode) in [(1, 0), (2, 0), (1, 99), (2, 2018344)] {
        for status in [200, 400, 403, 429, 500] {
            for is_transient in [false, true] {
                let error = GraphError { is_transient, ..graph(status, code, subcode) };
                assert_eq!(class(Send, &error), UnknownOutcome, "{error}");
            }
        }
    }
}

#[test]
fn a_send_that_provably_did_not_happen_has_its_class() {
    for operation in Operation::ALL {
        assert_eq!(class(operation, &GraphError::new(Cause::Connect, None, "")), Transient);
    }
    // A definite code inside HTTP 200 counts as in 4xx; any other code there does not.
    for (code, subcode, expected) in LINES.iter().filter(|line| line.0 != 987_654) {
        assert_eq!(class(Send, &graph(200, *code, *subcode)), *expected, "{code}/{subcode}");
    }
    assert_eq!(class(Send, &graph(200, 987_654, 0)), UnknownOutcome);
    let none = GraphError { code: None, ..graph(200, 0, 0) };
    assert_eq!(class(Send, &none), UnknownOutcome);
    assert_eq!(class(Send, &graph(429, 987_654, 0)), RateLimited);
}

#[test]
fn transient_by_metas_word() {
    let transient = |status, code| GraphError { is_transient: true, ..graph(status, code, 0) };
    assert_eq!(class(Send, &transient(400, 987_654)), Transient);
    assert_eq!(class(Send, &transient(403, 613)), RateLimited);
    assert_eq!(class(Send, &transient(200, 987_654)), UnknownOutcome);
    assert_eq!(class(ReadProfile, &transient(500, 2)), Transient);
    assert_eq!(class(ReadProfile, &transient(200, 190)), Transient);
    assert_eq!(class(CodeExchange, &transient(400, 987_654)), LoginRestart);
}

#[test]
fn code_exchange() {
    // §2.4
    let cases = [
        (100, 36009, LoginRestart),
        (100, 36007, LoginRestart),
        (100, 36008, AppConfiguration),
        (191, 0, AppConfiguration),
        (1, 0, AppConfiguration),
        (101, 0, AppConfiguration),
        (190, 0, LoginRestart),
        (4, 0, LoginRestart),
        (2, 0, LoginRestart),
    ];
    for (code, subcode, expected) in cases {
        assert_eq!(class(CodeExchange, &graph(400, code, subcode)), expected, "{code}/{subcode}");
    }
    for cause in [Cause::Timeout, Cause::Interrupted, Cause::NotJson] {
        assert_eq!(class(CodeExchange, &GraphError::new(cause, None, "")), LoginRestart);
    }
    // §2.1
    let texts = [
        ("Matching code was not found or was already used", LoginRestart),
        ("This authorization code has been used", LoginRestart),
        ("Invalid platform app", AppConfiguration),
        (
            "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request",
            AppConfiguration,
        ),
    ];
    for (text, expected) in texts {
        let error = GraphError { code: Some(400), ..GraphError::new(Cause::Instagram, Some(400), text) };
        assert_eq!(class(CodeExchange, &error), expected, "{text}");
    }
}

#[test]
fn tokens_of_ours_and_theirs() {
    let refresh = GraphError {
        kind: Some("IGApiException".into()),
        message: "Unsupported request - method type: get".into(),
        ..graph(400, 100, 0)
    };
    assert_eq!(class(TokenRefresh, &refresh), Reconnect);
    assert_eq!(class(ReadProfile, &refresh), Permanent);
    assert_eq!(class(TokenRefresh, &graph(400, 190, 463)), Reconnect);
    assert_eq!(class(DebugToken, &graph(400, 190, 0)), AppConfiguration);
    let secret = GraphError { message: "Error validating client secret.".into(), ..graph(400, 1, 0) };
    assert_eq!(class(TokenExchange, &secret), AppConfiguration);
    assert_eq!(class(TokenExchange, &graph(500, 1, 0)), Transient);
    let proof = GraphError {
        message: "API calls from the server require an appsecret_proof argument".into(),
        ..graph(400, 100, 0)
    };
    assert_eq!(class(Send, &proof), AppConfiguration);
}

#[test]
fn reads_may_be_repeated() {
    for cause in [Cause::Timeout, Cause::Interrupted, Cause::NotJson] {
        assert_eq!(class(ReadProfile, &GraphError::new(cause, Some(503), "")), Transient);
    }
    assert_eq!(class(ReadProfile, &GraphError::new(Cause::NotJson, Some(429), "")), RateLimited);
    assert_eq!(class(ReadProfile, &graph(400, 1, 0)), Transient);
    assert_eq!(class(ReadProfile, &graph(400, 1, 99)), Reconnect);
    assert_eq!(class(ReadProfile, &graph(400, 2, 0)), Transient);
    assert_eq!(class(ReadProfile, &graph(400, 2, 2018344)), OwnerAction);
    assert_eq!(class(ReadProfile, &graph(500, 987_654, 0)), Transient);
    assert_eq!(class(ReadProfile, &graph(404, 987_654, 0)), Permanent);
}

/// Every operation with every known code, status and cause: no gap, and a send that may have happened never repeats.
#[test]
fn every_combination() {
    let causes = [Cause::Connect, Cause::Timeout, Cause::Interrupted, Cause::NotJson, Cause::Graph, Cause::Instagram];
    let statuses = [None, Some(200), Some(302), Some(400), Some(403), Some(429), Some(500)];
    for operation in Operation::ALL {
        for cause in causes {
            for http_status in statuses {
                for (code, subcode, _) in LINES.iter().chain(&[(1, 0, Transient), (2, 0, Transient)]) {
                    let error = GraphError { http_status, cause, ..graph(400, *code, *subcode) };
                    let classified = classify(operation, &error);
                    assert!(!classified.hint.is_empty());
                    assert_eq!(
                        classified.class == UnknownOutcome,
                        operation == Send && may_have_been_sent(&error),
                        "{operation:?} {error}"
                    );
                }
            }
        }
    }
}

fn may_have_been_sent(error: &GraphError) -> bool {
    let code = error.code.unwrap_or_default();
    match (error.cause, error.http_status) {
        (Cause::Connect, _) => false,
        (Cause::Timeout | Cause::Interrupted | Cause::NotJson, _) => true,
        (_, Some(400..=499)) => matches!(code, 1 | 2),
        (_, Some(200)) => matches!(code, 1 | 2 | 987_654),
        _ => true,
    }
}

#[test]
fn the_table_is_closed_and_every_row_is_reached() {
    let last = RULES.last().unwrap();
    assert!(last.operations.is_empty() && last.codes == Codes::Any && last.http == Http::Any);
    for (at, rule) in RULES.iter().enumerate() {
        assert!(rule.hint.ends_with('.') && rule.hint.len() > 10, "{rule:?}");
        let error = example(rule);
        let operation = rule.operations.first().copied().unwrap_or(ReadProfile);
        let first = RULES.iter().position(|rule| rule.applies(operation, &error));
        assert_eq!(first, Some(at), "hidden by an earlier row: {rule:?}");
    }
}

/// An error that the row is about.
fn example(rule: &Rule) -> GraphError {
    GraphError {
        http_status: match rule.http {
            Http::Any => Some(400),
            Http::Range(first, _) => Some(first),
            Http::NotAnAnswer => Some(500),
        },
        code: match rule.codes {
            Codes::Any => None,
            Codes::Of(codes) => codes.last().copied(),
            Codes::Range(_, last) => Some(last),
        },
        subcode: rule.subcodes.first().copied(),
        kind: rule.kind.map(str::to_owned),
        message: rule.text.unwrap_or_default().to_owned(),
        is_transient: rule.transient,
        ..GraphError::new(rule.causes.first().copied().unwrap_or(Cause::Graph), None, "")
    }
}

#[test]
fn names_are_distinct() {
    let classes: std::collections::BTreeSet<_> = ErrorClass::ALL.iter().map(|class| class.as_str()).collect();
    assert_eq!(classes.len(), ErrorClass::ALL.len());
    let operations: std::collections::BTreeSet<_> = Operation::ALL.iter().map(|each| each.as_str()).collect();
    assert_eq!(operations.len(), Operation::ALL.len());
}
