//! What was found, one line each: for people, or as JSON for programs.
//! A sentence names the cure; ids of connections stand beside it, and never more than a person can look at.

use domain::id::IdKind;
use serde_json::{Value, json};
use uuid::Uuid;

/// Connections that are named at most.
const NAMED: usize = 10;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing wrong was found.
    Ok,
    /// The service works, and somebody should look.
    Warning,
    /// Something does not work, or will not.
    Problem,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Finding {
    name: &'static str,
    status: Status,
    message: String,
    connections: Option<Vec<Uuid>>,
}

impl Finding {
    /// Of any status. What a server said may be in the message; it stays one line, whatever that was.
    pub fn new(status: Status, name: &'static str, message: impl Into<String>) -> Self {
        let message = message.into().replace(char::is_control, " ");
        Self { name, status, message, connections: None }
    }

    /// Nothing wrong was found.
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(Status::Ok, name, message)
    }

    /// The service works, and somebody should look.
    pub fn warning(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(Status::Warning, name, message)
    }

    /// Something does not work, or will not.
    pub fn problem(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(Status::Problem, name, message)
    }

    /// Names the accounts that it is about.
    #[must_use]
    pub fn about(mut self, connections: Vec<Uuid>) -> Self {
        self.connections = Some(connections);
        self
    }

    fn named(&self) -> Vec<String> {
        self.connections.iter().flatten().take(NAMED).map(|id| IdKind::Connection.show(*id)).collect()
    }

    fn sentence(&self) -> String {
        let named = self.named();
        let more = self.connections.as_ref().map_or(0, Vec::len) - named.len();
        match (named.is_empty(), more) {
            (true, _) => self.message.clone(),
            (false, 0) => format!("{}: {}", self.message, named.join(", ")),
            (false, more) => format!("{}: {} and {more} more", self.message, named.join(", ")),
        }
    }

    fn value(&self) -> Value {
        let mut value = json!({ "name": self.name, "status": self.status.as_str(), "message": self.message });
        if let Some(connections) = &self.connections {
            value["count"] = connections.len().into();
            value["connections"] = self.named().into();
        }
        value
    }
}

/// Everything that was found, in the order of the checks.
#[derive(Debug, Default)]
pub struct Report(Vec<Finding>);

impl Report {
    /// Adds the findings of a check.
    pub fn add(&mut self, findings: Vec<Finding>) {
        self.0.extend(findings);
    }

    /// Of one line.
    #[cfg(test)]
    pub fn of(finding: Finding) -> Self {
        Self(vec![finding])
    }

    /// How many lines tell of a problem.
    pub fn problems(&self) -> usize {
        self.count(Status::Problem)
    }

    fn count(&self, status: Status) -> usize {
        self.0.iter().filter(|finding| finding.status == status).count()
    }

    /// For people.
    pub fn text(&self) -> String {
        let width = self.0.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
        let line = |finding: &Finding| {
            format!("{:<7}  {:<width$}  {}", finding.status.as_str(), finding.name, finding.sentence())
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// For programs.
    pub fn value(&self) -> Value {
        json!({
            "ok": self.problems() == 0,
            "problems": self.problems(),
            "warnings": self.count(Status::Warning),
            "checks": self.0.iter().map(Finding::value).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_status_name_and_sentence_and_names_at_most_ten() {
        let mut report = Report::default();
        report.add(vec![Finding::ok("bell", "it\nrings")]);
        let ids: Vec<_> = (0..12).map(Uuid::from_u128).collect();
        report.add(vec![Finding::problem("accounts", "12 are mute").about(ids)]);
        let text = report.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ok       bell      it rings");
        assert!(lines[1].starts_with("problem  accounts  12 are mute: con_000") && lines[1].ends_with(" and 2 more"));
        let value = report.value();
        assert_eq!((&value["ok"], &value["problems"], &value["warnings"]), (&json!(false), &json!(1), &json!(0)));
        assert_eq!(value["checks"][0], json!({ "name": "bell", "status": "ok", "message": "it rings" }));
        assert_eq!(value["checks"][1]["count"], 12);
        assert_eq!(value["checks"][1]["connections"].as_array().map(Vec::len), Some(10));
    }
}
