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
    /// Only when Meta says `is_transient`.
    pub transient: bool,
    /// What it means.
    pub class: ErrorClass,
    /// What happened and what helps, for the person who has to deal with it.
    pub hint: &'static str,
}

/// The row that applies to everything; the rows of the table state their difference from it.
pub(super) const ANY: Rule = Rule {
    operations: &[],
    causes: &[],
    http: Http::Any,
    codes: Codes::Any,
    subcodes: &[],
    kind: None,
    text: None,
    transient: false,
    class: ErrorClass::Permanent,
    hint: "",
};

impl Rule {
    pub(super) const fn at(self, operations: &'static [Operation]) -> Self {
        Self { operations, ..self }
    }

    pub(super) const fn cause(self, causes: &'static [Cause]) -> Self {
        Self { causes, ..self }
    }

    pub(super) const fn http(self, http: Http) -> Self {
        Self { http, ..self }
    }

    pub(super) const fn codes(self, codes: &'static [i64]) -> Self {
        Self { codes: Codes::Of(codes), ..self }
    }

    pub(super) const fn code_range(self, first: i64, last: i64) -> Self {
        Self { codes: Codes::Range(first, last), ..self }
    }

    pub(super) const fn subcodes(self, subcodes: &'static [i64]) -> Self {
        Self { subcodes, ..self }
    }

    pub(super) const fn kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    pub(super) const fn text(self, text: &'static str) -> Self {
        Self { text: Some(text), ..self }
    }

    pub(super) const fn transient(self) -> Self {
        Self { transient: true, ..self }
    }

    pub(super) const fn means(self, class: ErrorClass, hint: &'static str) -> Self {
        Self { class, hint, ..self }
    }

    /// True when every part of the row matches.
    pub fn applies(&self, operation: Operation, error: &GraphError) -> bool {
        (self.operations.is_empty() || self.operations.contains(&operation))
            && (self.causes.is_empty() || self.causes.contains(&error.cause))
            && self.http.contains(error.http_status)
            && self.codes.contains(error.code)
            && (self.subcodes.is_empty() || error.subcode.is_some_and(|subcode| self.subcodes.contains(&subcode)))
            && self.kind.is_none_or(|kind| error.kind.as_deref() == Some(kind))
            && self.text.is_none_or(|text| contains(&error.message, text))
            && (!self.transient || error.is_transient)
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
            (Self::NotAnAnswer, status) => status.is_none_or(|status| !matches!(status, 200..=299 | 400..=499)),
        }
    }
}

fn contains(message: &str, part: &str) -> bool {
    message.to_lowercase().contains(&part.to_lowercase())
}
