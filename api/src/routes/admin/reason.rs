//! Why an operator does something, as it is sent with every act that changes anything. It goes into the audit trail as it is,
//! so it is held to what can be shown there.

use crate::problem::{Code, Problem};
use poem_openapi::Object;

const REASON_MAX: usize = 500;

/// Why it is done; kept in the audit trail.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct Reason {
    reason: Option<String>,
}

impl Reason {
    /// The reason, of an act that cannot be undone.
    pub(super) fn required(self) -> Result<String, Problem> {
        self.checked()?.ok_or(Problem::with(Code::InvalidRequest, "A reason is needed: this cannot be undone."))
    }

    /// The reason, if one was given.
    pub(super) fn checked(self) -> Result<Option<String>, Problem> {
        let reason = self.reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let unfit = |text: &String| text.chars().count() > REASON_MAX || text.chars().any(char::is_control);
        if reason.as_ref().is_some_and(unfit) {
            return Err(Problem::with(Code::InvalidRequest, "A reason has up to 500 printable characters."));
        }
        Ok(reason)
    }
}
