//! Where settings come from: a TOML file and the environment, which wins. Values stay text here, as they were written, so
//! that an app id is never taken for a number.

use super::problem::Problems;
use super::table::{self, CONFIG_FILE, SETTINGS};
use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use figment::value::{Dict, Value};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::path::Path;

/// Settings as they were written.
#[derive(Debug, Default)]
pub struct Source {
    values: BTreeMap<&'static str, SecretString>,
}

impl Source {
    /// Reads the environment and the file it names.
    pub fn read(problems: &mut Problems) -> Self {
        let mut environment = BTreeMap::new();
        for setting in SETTINGS {
            match std::env::var(setting.name) {
                Ok(value) => {
                    environment.insert(setting.name, value);
                }
                Err(std::env::VarError::NotPresent) => {}
                Err(std::env::VarError::NotUnicode(_)) => problems.add(setting.name, "is not text in UTF-8"),
            }
        }
        let file = std::env::var_os(CONFIG_FILE).filter(|path| !path.is_empty());
        Self::merge(file.as_deref().map(Path::new), environment, problems)
    }

    /// From values given directly, and from nowhere else: for the demo and for tests.
    pub fn of(values: &[(&'static str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect();
        Self { values }
    }

    fn merge(file: Option<&Path>, environment: BTreeMap<&'static str, String>, problems: &mut Problems) -> Self {
        let mut figment = Figment::new();
        if let Some(path) = file {
            figment = figment.merge(Serialized::defaults(from_file(path, problems)));
        }
        // An empty variable means unset, as compose files write it.
        let environment: BTreeMap<_, _> = environment.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        figment = figment.merge(Serialized::defaults(environment));
        let merged: BTreeMap<String, String> = figment.extract().unwrap_or_else(|_| {
            problems.add(CONFIG_FILE, "could not be merged with the environment");
            BTreeMap::new()
        });
        let values = merged
            .into_iter()
            .filter_map(|(name, value)| Some((table::find(&name)?.name, SecretString::from(value))))
            .collect();
        Self { values }
    }

    /// The value of a setting, or its default; empty defaults are `None`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let default = || table::find(name).map(|setting| setting.default).filter(|default| !default.is_empty());
        self.values.get(name).map(|value| value.expose_secret().trim()).filter(|v| !v.is_empty()).or_else(default)
    }

    /// Whether it was set at all.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.expose_secret().trim().is_empty())
    }

    /// A secret value.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.get(name).map(SecretString::from)
    }
}

fn from_file(path: &Path, problems: &mut Problems) -> BTreeMap<&'static str, String> {
    if !path.is_file() {
        problems.add(CONFIG_FILE, "names a file that is not there");
        return BTreeMap::new();
    }
    // The parser's own message may quote the file, and the file may hold secrets.
    let Ok(file) = Figment::from(Toml::file_exact(path)).extract::<Dict>() else {
        problems.add(CONFIG_FILE, "names a file that is not TOML; each line is NAME = \"value\"");
        return BTreeMap::new();
    };
    let mut values = BTreeMap::new();
    for (name, value) in file {
        match (table::find(&name), text(&value)) {
            (Some(setting), Some(value)) => {
                values.insert(setting.name, value);
            }
            (Some(setting), None) => {
                problems.add(setting.name, "must be a text, a number or a list of texts in the file")
            }
            (None, _) => problems.add(CONFIG_FILE, format!("names a file with the unknown setting {name:?}")),
        }
    }
    values
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, value) => Some(value.to_string()),
        Value::Num(_, number) => number
            .to_u128()
            .map(|n| n.to_string())
            .or_else(|| number.to_i128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string())),
        Value::Array(_, values) => values.iter().map(text).collect::<Option<Vec<_>>>().map(|v| v.join(",")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = file("bind_addr = \"0.0.0.0:1\"\nMETA_APP_ID = 17\nMETA_PREVIOUS_APP_SECRETS = [\"a\", \"b\"]\n");
        let mut problems = Problems::default();
        let environment = BTreeMap::from([("BIND_ADDR", "0.0.0.0:2".to_owned()), ("PUBLIC_URL", String::new())]);
        let source = Source::merge(Some(file.path()), environment, &mut problems);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(source.get("BIND_ADDR"), Some("0.0.0.0:2"));
        assert_eq!(source.get("META_APP_ID"), Some("17"));
        assert_eq!(source.get("META_PREVIOUS_APP_SECRETS"), Some("a,b"));
        assert_eq!(source.get("PUBLIC_URL"), Some("http://127.0.0.1:8080"));
        assert!(!source.is_set("PUBLIC_URL"));
    }

    #[test]
    fn numbers_in_the_environment_keep_their_zeros() {
        let environment = BTreeMap::from([("META_APP_SECRET", "0001e5".to_owned())]);
        let source = Source::merge(None, environment, &mut Problems::default());
        assert_eq!(source.get("META_APP_SECRET"), Some("0001e5"));
    }

    #[test]
    fn a_bad_file_is_told_without_its_content() {
        for (text, word) in [("geheim", "not TOML"), ("colour = \"geheim\"", "unknown setting")] {
            let mut problems = Problems::default();
            Source::merge(Some(file(text).path()), BTreeMap::new(), &mut problems);
            let told = problems.to_string();
            assert!(told.contains(word) && !told.contains("geheim"), "{told}");
        }
        let mut problems = Problems::default();
        Source::merge(Some(Path::new("/nonexistent.toml")), BTreeMap::new(), &mut problems);
        assert!(problems.to_string().contains("not there"));
    }
}
