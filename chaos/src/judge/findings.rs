//! The verdict: a pure function of what was sent, what is stored and what Meta counted, so that tests can show it evidence of
//! every fault there may be. Nothing found is the only good verdict.

use super::history::History;
use super::replies;
use super::rows::{Message, Rows};
use crate::sandbox::Accepted;
use crate::world::{Account, Deeds};
use std::collections::BTreeMap;

/// The gravest finding.
const LOST: &str = "lost: acknowledged and not stored";
/// Examples shown of a finding.
const SHOWN: usize = 3;

/// Everything the verdict rests on.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Who was written to.
    pub accounts: Vec<Account>,
    /// Processes were replaced in order, so no request may be cut off.
    pub rolling: bool,
    /// Meta has told of every send, in the end.
    pub echoes: bool,
    /// What the checker did.
    pub history: History,
    /// What is stored.
    pub rows: Rows,
    /// What Meta took from us.
    pub accepted: Vec<Accepted>,
    /// What the driver did.
    pub deeds: Deeds,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In one word or two.
    pub what: &'static str,
    /// How often.
    pub count: usize,
    /// Some of it.
    pub examples: Vec<String>,
}

impl Finding {
    /// Nothing, when there are no cases.
    pub fn of(what: &'static str, cases: Vec<String>) -> Option<Self> {
        let count = cases.len();
        (count > 0).then(|| Self { what, count, examples: cases.into_iter().take(SHOWN).collect() })
    }
}

/// Everything that must not be.
pub fn judge(evidence: &Evidence) -> Vec<Finding> {
    let stored = Stored::of(&evidence.rows.messages);
    let found = [
        unacknowledged(evidence),
        lost(evidence, &stored),
        doubled(&stored),
        invented(evidence, &stored),
        misplaced(evidence, &stored),
        garbled(evidence, &stored),
        Finding::of("job not final", unfinished(evidence)),
        Finding::of("delivery not processed", unprocessed(evidence)),
        received(evidence, &stored),
        unread(evidence, &stored),
        answers(evidence),
        ended(evidence),
        no_lapse(evidence),
    ];
    found.into_iter().flatten().chain(replies::judge(evidence, &stored.inbound)).collect()
}

/// The inbound rows by Meta's id of them.
struct Stored<'a> {
    inbound: Vec<&'a Message>,
    by_mid: BTreeMap<&'a str, Vec<&'a Message>>,
}

impl<'a> Stored<'a> {
    fn of(messages: &'a [Message]) -> Self {
        let inbound: Vec<_> = messages.iter().filter(|message| message.direction == "inbound").collect();
        let mut by_mid: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for message in &inbound {
            by_mid.entry(message.mid.as_deref().unwrap_or_default()).or_default().push(*message);
        }
        Self { inbound, by_mid }
    }
}

fn unacknowledged(evidence: &Evidence) -> Option<Finding> {
    let History { webhooks, acknowledged, done, open, .. } = &evidence.history;
    let missing = webhooks - acknowledged.len();
    let mut cases = Vec::new();
    if *webhooks == 0 {
        cases.push("nothing was sent".to_owned());
    } else if missing > 0 || !done {
        cases.push(format!("{missing} webhooks, {open} attempts without an entry of what came of them"));
    }
    Finding::of("not everything was acknowledged", cases)
}

fn lost(evidence: &Evidence, stored: &Stored<'_>) -> Option<Finding> {
    let History { messages, acknowledged, .. } = &evidence.history;
    let missing = messages
        .iter()
        .filter(|(mid, (_, webhook))| acknowledged.contains(webhook) && !stored.by_mid.contains_key(mid.as_str()));
    // While a delivery waits to be read, nobody can say that its messages are lost.
    let waiting = evidence.rows.deliveries.get("received").is_some_and(|count| *count > 0);
    let what = if waiting { "not stored in time: acknowledged, and deliveries still wait" } else { LOST };
    Finding::of(what, missing.map(|(mid, (_, of))| format!("{mid} of webhook {of}")).collect())
}

fn doubled(stored: &Stored<'_>) -> Option<Finding> {
    let several = stored.by_mid.iter().filter(|(_, rows)| rows.len() > 1);
    Finding::of(
        "doubled: stored more than once",
        several.map(|(mid, rows)| format!("{mid}: {} rows", rows.len())).collect(),
    )
}

fn invented(evidence: &Evidence, stored: &Stored<'_>) -> Option<Finding> {
    let strange = stored
        .inbound
        .iter()
        .filter(|row| row.mid.as_ref().is_none_or(|mid| !evidence.history.messages.contains_key(mid)));
    Finding::of(
        "invented: stored and never sent",
        strange.map(|row| format!("{:?}, our id {}", row.mid, row.id)).collect(),
    )
}

/// Stored with somebody it was not for.
fn misplaced(evidence: &Evidence, stored: &Stored<'_>) -> Option<Finding> {
    let owner: BTreeMap<_, _> =
        evidence.accounts.iter().map(|account| (account.id.as_str(), account.organization.as_str())).collect();
    let wrong = stored.inbound.iter().filter(|row| {
        let sent = row.mid.as_ref().and_then(|mid| evidence.history.messages.get(mid));
        sent.is_some_and(|(sent, _)| {
            let place = (sent.account.as_str(), sent.customer.as_str(), owner.get(sent.account.as_str()).copied());
            place != (row.account.as_str(), row.customer.as_str(), Some(row.organization.as_str()))
        })
    });
    Finding::of("stored in the wrong place", wrong.map(|row| format!("{:?} at {}", row.mid, row.account)).collect())
}

/// Stored with other words than were sent.
fn garbled(evidence: &Evidence, stored: &Stored<'_>) -> Option<Finding> {
    let wrong = stored.inbound.iter().filter(|row| {
        let sent = row.mid.as_ref().and_then(|mid| evidence.history.messages.get(mid));
        sent.is_some_and(|(sent, _)| sent.text != row.text)
    });
    Finding::of("stored with other words", wrong.map(|row| format!("{:?} at {}", row.mid, row.account)).collect())
}

fn unfinished(evidence: &Evidence) -> Vec<String> {
    evidence.rows.jobs.iter().filter(|job| job.is_unfinished()).map(ToString::to_string).collect()
}

fn unprocessed(evidence: &Evidence) -> Vec<String> {
    let left = evidence.rows.deliveries.iter().filter(|(state, _)| *state != "processed");
    left.map(|(state, count)| format!("{count} {state}")).collect()
}

/// The counters of what came in are what came in.
fn received(evidence: &Evidence, stored: &Stored<'_>) -> Option<Finding> {
    let mut of: BTreeMap<&str, i64> = evidence.accounts.iter().map(|one| (one.organization.as_str(), 0)).collect();
    for row in &stored.inbound {
        *of.entry(&row.organization).or_default() += 1;
    }
    let wrong = of.into_iter().filter_map(|(organization, expected)| {
        let key = (organization.to_owned(), "messages_received".to_owned());
        let counted = evidence.rows.usage.get(&key).copied().unwrap_or(0);
        (counted != expected).then(|| format!("{counted} instead of {expected} for {organization}"))
    });
    Finding::of("usage counter of received messages", wrong.collect())
}

/// Nobody has read anything, so every message of a conversation is unread.
fn unread(evidence: &Evidence, stored: &Stored<'_>) -> Option<Finding> {
    let mut of: BTreeMap<(String, String), i64> = evidence.rows.unread.keys().map(|key| (key.clone(), 0)).collect();
    for row in &stored.inbound {
        *of.entry((row.account.clone(), row.customer.clone())).or_default() += 1;
    }
    let wrong = of.into_iter().filter_map(|(key, expected)| {
        let counted = evidence.rows.unread.get(&key).copied().unwrap_or(0);
        (counted != expected).then(|| format!("{counted} instead of {expected} of customer {} at {}", key.1, key.0))
    });
    Finding::of("count of unread messages", wrong.collect())
}

/// Meta is told 200 or to come again, and nothing else; and while processes are only replaced, it is always told.
fn answers(evidence: &Evidence) -> Option<Finding> {
    let History { statuses, cut_off, timed_out, .. } = &evidence.history;
    let others = statuses.iter().filter(|(status, _)| ![200, 503].contains(*status));
    let mut cases: Vec<_> = others.map(|(status, count)| format!("{count} answers {status}")).collect();
    if evidence.rolling {
        cases.extend(cut_off.iter().map(|(how, count)| format!("{count} requests cut off: {how}")));
        if *timed_out > 0 {
            cases.push(format!("{timed_out} requests without an answer in time"));
        }
    }
    Finding::of("an answer that must not be", cases)
}

fn ended(evidence: &Evidence) -> Option<Finding> {
    let count = evidence.deeds.ended_by_themselves;
    let cases = if count > 0 { vec![format!("{count} times, as the logs of the processes say")] } else { Vec::new() };
    Finding::of("a process ended by itself", cases)
}

/// Pauses in which nothing lapsed would have shown nothing.
fn no_lapse(evidence: &Evidence) -> Option<Finding> {
    let idle = evidence.deeds.pauses > 0 && evidence.rows.lapsed() == 0;
    let cases = if idle { vec!["every worker was idle when it was stopped".to_owned()] } else { Vec::new() };
    Finding::of("the pauses interrupted nothing", cases)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
