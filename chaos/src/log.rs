//! The checker's log: what it is about to do and what came of it, one line of JSON each, appended before it goes on. The judge
//! reads this file and nothing the sender remembers.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A message of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Meta's id of it.
    pub mid: String,
    /// Meta's id of the account.
    pub account: String,
    /// Meta's id of the customer.
    pub customer: String,
    /// What it says; nothing where it is a picture.
    pub text: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// No connection, so nothing was sent.
    NotConnected,
    /// Bytes were sent, and the connection ended without an answer.
    CutOff(String),
    /// No answer in the time Meta waits.
    TimedOut,
}

impl Outcome {
    /// Meta counts nothing else as delivered.
    pub fn is_acknowledged(&self) -> bool {
        *self == Self::Status(200)
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "camelCase")]
pub enum Entry {
    /// A webhook was made.
    Made {
        /// Its number.
        webhook: u32,
        /// What is in it.
        messages: Vec<Written>,
    },
    /// It is about to be delivered.
    Attempt {
        /// Its number.
        webhook: u32,
        /// Counts every attempt of the run.
        attempt: u64,
        /// The API process it goes to.
        to: usize,
        /// It has been acknowledged before.
        again: bool,
        /// Milliseconds since 1970.
        at: i64,
    },
    /// What came of that.
    Answer {
        /// The attempt's number.
        attempt: u64,
        /// What came.
        outcome: Outcome,
        /// Milliseconds since 1970.
        at: i64,
    },
    /// Everything made has been acknowledged, as often as it was to be delivered.
    Done {
        /// Milliseconds since 1970.
        at: i64,
    },
}

/// The open log.
#[derive(Debug)]
pub struct Log(Mutex<File>);

impl Log {
    /// Appends to a file, made where there is none.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.with_context(|| format!("{} cannot be opened", path.display()))?)))
    }

    /// Writes a line; it is in the file when this returns, though not necessarily on the disk: what is killed here are
    /// processes, not this machine.
    pub fn write(&self, entry: &Entry) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).context("the checker's log cannot be written")
    }
}

/// Reads every line.
pub fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let lines = BufReader::new(file).lines();
    lines.map(|line| serde_json::from_str(&line?).context("a line of the checker's log is damaged")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let messages = vec![Written {
            mid: "m".to_owned(),
            account: "a".to_owned(),
            customer: "c".to_owned(),
            text: Some("two\nlines".to_owned()),
        }];
        let entries = [
            Entry::Made { webhook: 1, messages },
            Entry::Attempt { webhook: 1, attempt: 7, to: 0, again: false, at: 5 },
            Entry::Answer { attempt: 7, outcome: Outcome::CutOff("reset".to_owned()), at: 6 },
            Entry::Done { at: 9 },
        ];
        for half in entries.chunks(2) {
            let log = Log::open(&path).unwrap();
            half.iter().for_each(|entry| log.write(entry).unwrap());
        }
        assert_eq!(read(&path).unwrap(), entries);
    }
}
