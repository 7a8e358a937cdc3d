//! What is wrong with the settings: all of it at once, each with its cure, never with a value.

use std::fmt;

/// Collected while reading settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    /// Adds one: a setting's name and a sentence's end that tells the cure.
    pub fn add(&mut self, name: &str, what: impl Into<String>) {
        self.0.push((name.to_owned(), what.into()));
    }

    /// Each setting's name with the sentence's end.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, what)| (name.as_str(), what.as_str()))
    }

    /// Whether something is wrong with this setting.
    pub fn concern(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("A setting needs attention:")?,
            n => write!(f, "{n} settings need attention:")?,
        }
        for (name, what) in &self.0 {
            write!(f, "\n  {name} {what}.")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
