//! The form of one row of the error-class table, and how it is compared with an error.
//! Every part that is left empty matches everything, so a row states only what it is about.

use super::{ErrorClass, Operation};
use crate::error::{Cause, GraphError};

/// A set of error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Any code, or none.
    Any,
    /// One of these.
    Of(&'static [i64]),
    /// From the first to the last, both included.
    Range(i64, i64),
}

/// A set of HTTP statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// Any status, or none.
    Any,
    /// From the first to the last, both included.
    Range(u16, u16),
    /// Neither 2xx nor 4xx: no status at all, a redirect, or the server's own failure.
    NotAnAnswer,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The operations this is about; empty for all.
    pub operations: &'static [Operation],
    /// How far the call came; empty for all.
    pub causes: &'static [Cause],
    /// HTTP status.
    pub http: Http,
    /// Graph's `code`.
    pub codes: Codes,
    /// Graph's `error_subcode`; empty for all and none.
    pub subcodes: &'static [i64],
    /// Graph's `type`.
    pub kind: Option<&'static str>,
    /// Part of Meta's message, without regard to case. Texts change: only where no number tells (§8.1).
    pub text: Option<&'static str>,
    /// Meta's `is_transient`.
    pub transient: Option<bool>,
    /// What it means.
    pub class: ErrorClass,
    /// What happened and what helps, for the person who has to deal with it.
    pub hint: &'static str,
}

impl Rule {
    /// A row that applies to everything, to state the others by difference.
    pub(super) const fn new(class: ErrorClass, hint: &'static str) -> Self {
        Self {
            operations: &[],
            causes: &[],
            http: Http::Any,
            codes: Codes::Any,
            subcodes: &[],
            kind: None,
            text: None,
            transient: None,
            class,
            hint,
        }
    }

    /// True when every part of the row matches.
    pub fn applies(&self, operation: Operation, error: &GraphError) -> bool {
        (self.operations.is_empty() || self.operations.contains(&operation))
            && (self.causes.is_empty() || self.causes.contains(&error.cause))
            && self.http.contains(error.http_status)
            && self.codes.contains(error.code)
            && (self.subcodes.is_empty()
                || error
                    .subcode
                    .is_some_and(|subcode| self.subcodes.contains(&subcode)))
            && self
                .kind
                .is_none_or(|kind| error.kind.as_deref() == Some(kind))
            && self.text.is_none_or(|text| contains(&error.message, text))
            && self
                .transient
                .is_none_or(|transient| error.is_transient == transient)
    }
}

impl Codes {
    fn contains(self, code: Option<i64>) -> bool {
        match (self, code) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::Of(codes), Some(code)) => codes.contains(&code),
            (Self::Range(first, last), Some(code)) => (first..=last).contains(&code),
        }
    }
}

impl Http {
    fn contains(self, status: Option<u16>) -> bool {
        match (self, status) {
            (Self::Any, _) => true,
            (Self::Range(first, last), Some(status)) => (first..=last).contains(&status),
            (Self::Range(..), None) => false,
            (Self::NotAnAnswer, status) => {
                status.is_none_or(|status| !matches!(status, 200..=299 | 400..=499))
            }
        }
    }
}

fn contains(message: &str, part: &str) -> bool {
    message.to_lowercase().contains(&part.to_lowercase())
}
