//! The part of the verdict about automatic replies: at most one for each message however it is counted, none for accounts that do
//! not answer, and for every other message one that is final and shown.

use super::findings::{Evidence, Finding};
use super::rows::Message;
use crate::sandbox::Accepted;
use std::collections::{BTreeMap, BTreeSet};

/// What a reply may have become.
const FINAL: [&str; 5] = ["sent", "delivered", "read", "failed", "unknown"];
/// Of them, those that Meta has.
const SENT: [&str; 3] = ["sent", "delivered", "read"];

/// Everything about replies that must not be.
pub fn judge(evidence: &Evidence, inbound: &[&Message]) -> Vec<Finding> {
    let replies = Replies::of(evidence);
    let found = [
        several_rows(&replies, inbound),
        several_sends(evidence),
        sent_twice(&replies),
        unexplained(&replies),
        unanswered(evidence, &replies, inbound),
        failed(&replies),
        unknown(evidence, &replies),
        unwanted(evidence, &replies, inbound),
        unsent(evidence, &replies),
        unsettled(evidence, &replies),
        strangers(evidence),
        counted(evidence, &replies),
    ];
    found.into_iter().flatten().collect()
}

type Place<'a> = (&'a str, &'a str);

struct Replies<'a> {
    all: Vec<&'a Message>,
    /// By our id of the message they answer.
    by_answered: BTreeMap<&'a str, Vec<&'a Message>>,
    /// What Meta took, each with the reply it is, as far as that can be told.
    sends: Vec<(&'a Accepted, Option<&'a Message>)>,
}

impl<'a> Replies<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let messages = &evidence.rows.messages;
        let all: Vec<_> = messages.iter().filter(|row| row.direction == "outbound" && row.origin == "auto").collect();
        let mut by_answered: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for reply in &all {
            by_answered.entry(reply.answers.as_deref().unwrap_or_default()).or_default().push(*reply);
        }
        let by_mid: BTreeMap<_, _> = all.iter().filter_map(|row| Some((row.mid.as_deref()?, *row))).collect();
        let by_id: BTreeMap<_, _> = all.iter().map(|row| (row.id.as_str(), *row)).collect();
        let named = |send: &Accepted| by_id.get(send.metadata.as_deref()?.trim_start_matches("msg_")).copied();
        let sends = evidence.accepted.iter().map(|send| (send, named(send).or(by_mid.get(send.mid.as_str()).copied())));
        let sends = sends.collect();
        Self { all, by_answered, sends }
    }
}

fn several_rows(replies: &Replies<'_>, inbound: &[&Message]) -> Option<Finding> {
    let mid: BTreeMap<_, _> =
        inbound.iter().map(|row| (row.id.as_str(), row.mid.as_deref().unwrap_or_default())).collect();
    let several = replies.by_answered.iter().filter(|(_, rows)| rows.len() > 1);
    let show = |(id, rows): (&&str, &Vec<&Message>)| format!("{}: {}", mid.get(id).unwrap_or(id), rows.len());
    Finding::of("two replies: rows for one message", several.map(show).collect())
}

/// By Meta's counts and the checker's alone: no customer is sent more than they wrote.
fn several_sends(evidence: &Evidence) -> Option<Finding> {
    let mut more: BTreeMap<Place<'_>, i64> = BTreeMap::new();
    for send in &evidence.accepted {
        *more.entry((&send.account, &send.customer)).or_default() += 1;
    }
    for (written, _) in evidence.history.messages.values() {
        *more.entry((&written.account, &written.customer)).or_default() -= 1;
    }
    let cases = more.into_iter().filter(|(_, more)| *more > 0);
    let show = |((account, customer), more): (Place<'_>, i64)| format!("{more} too many to {customer} from {account}");
    Finding::of("two replies: more sent than written", cases.map(show).collect())
}

fn sent_twice(replies: &Replies<'_>) -> Option<Finding> {
    let mut sends: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reply) in &replies.sends {
        if let Some(reply) = reply {
            *sends.entry(&reply.id).or_default() += 1;
        }
    }
    let several = sends.into_iter().filter(|(_, count)| *count > 1);
    Finding::of(
        "two replies: one row sent more than once",
        several.map(|(id, count)| format!("{id}: {count}")).collect(),
    )
}

/// What Meta has and no reply of ours owns up to can only be one whose outcome is unknown.
fn unexplained(replies: &Replies<'_>) -> Option<Finding> {
    let mut more: BTreeMap<Place<'_>, i64> = BTreeMap::new();
    for (send, _) in replies.sends.iter().filter(|(_, reply)| reply.is_none()) {
        *more.entry((&send.account, &send.customer)).or_default() += 1;
    }
    for reply in replies.all.iter().filter(|reply| reply.status.as_deref() == Some("unknown")) {
        *more.entry((&reply.account, &reply.customer)).or_default() -= 1;
    }
    let cases = more.into_iter().filter(|(_, more)| *more > 0);
    let show = |((account, customer), more): (Place<'_>, i64)| format!("{more} to {customer} from {account}");
    Finding::of("sent, and no reply of ours", cases.map(show).collect())
}

fn answering(evidence: &Evidence) -> BTreeSet<&str> {
    evidence.accounts.iter().filter(|account| account.answers).map(|account| account.id.as_str()).collect()
}

fn unanswered(evidence: &Evidence, replies: &Replies<'_>, inbound: &[&Message]) -> Option<Finding> {
    let answering = answering(evidence);
    let of = |row: &Message| {
        let replies = replies.by_answered.get(row.id.as_str())?;
        replies.iter().find(|reply| reply.status.as_deref().is_some_and(|status| FINAL.contains(&status)))
    };
    let silent = inbound.iter().filter(|row| answering.contains(row.account.as_str()) && of(row).is_none());
    Finding::of("no final reply", silent.map(|row| format!("{:?}, our id {}", row.mid, row.id)).collect())
}

/// Meta refuses nothing in these runs, so nothing fails.
fn failed(replies: &Replies<'_>) -> Option<Finding> {
    Finding::of("a reply that failed", with_status(replies, "failed"))
}

/// Who is asked to end finishes what is on its way, so it is known what became of it.
fn unknown(evidence: &Evidence, replies: &Replies<'_>) -> Option<Finding> {
    let cases = if evidence.rolling { with_status(replies, "unknown") } else { Vec::new() };
    Finding::of("an unknown outcome, and nobody was killed", cases)
}

fn with_status(replies: &Replies<'_>, status: &str) -> Vec<String> {
    let such = replies.all.iter().filter(|reply| reply.status.as_deref() == Some(status));
    such.map(|reply| format!("{} at {}", reply.id, reply.account)).collect()
}

fn unwanted(evidence: &Evidence, replies: &Replies<'_>, inbound: &[&Message]) -> Option<Finding> {
    let answering = answering(evidence);
    let stored: BTreeSet<_> = inbound.iter().map(|row| row.id.as_str()).collect();
    let wrong = replies.all.iter().filter(|reply| {
        let answers = reply.answers.as_deref().is_some_and(|answered| stored.contains(answered));
        !answers || !answering.contains(reply.account.as_str())
    });
    Finding::of("a reply to nothing", wrong.map(|reply| format!("{} at {}", reply.id, reply.account)).collect())
}

/// Shown as sent, and Meta never took it.
fn unsent(evidence: &Evidence, replies: &Replies<'_>) -> Option<Finding> {
    let taken: BTreeSet<_> = evidence.accepted.iter().map(|send| send.mid.as_str()).collect();
    let wrong = replies.all.iter().filter(|reply| {
        let sent = reply.status.as_deref().is_some_and(|status| SENT.contains(&status));
        sent && reply.mid.as_deref().is_none_or(|mid| !taken.contains(mid))
    });
    Finding::of("shown as sent, and not sent", wrong.map(|reply| reply.id.clone()).collect())
}

/// Meta has it and its echo has come, so nobody may call its outcome unknown.
fn unsettled(evidence: &Evidence, replies: &Replies<'_>) -> Option<Finding> {
    let mut more: BTreeMap<Place<'_>, i64> = BTreeMap::new();
    for send in evidence.accepted.iter().filter(|_| evidence.echoes) {
        *more.entry((&send.account, &send.customer)).or_default() += 1;
    }
    for reply in replies.all.iter().filter(|reply| reply.status.as_deref().is_some_and(|one| SENT.contains(&one))) {
        *more.entry((&reply.account, &reply.customer)).or_default() -= 1;
    }
    let cases = more.into_iter().filter(|(_, more)| *more > 0);
    let show = |((account, customer), more): (Place<'_>, i64)| format!("{more} to {customer} from {account}");
    Finding::of("Meta has told of a send, and it is not shown as sent", cases.map(show).collect())
}

/// Nobody but us has written for these accounts.
fn strangers(evidence: &Evidence) -> Option<Finding> {
    let rows = evidence.rows.messages.iter().filter(|row| row.direction == "outbound" && row.origin != "auto");
    Finding::of(
        "an echo of ours taken for somebody else's",
        rows.map(|row| format!("{:?} at {}", row.mid, row.account)).collect(),
    )
}

/// The counters of what went out are what went out.
fn counted(evidence: &Evidence, replies: &Replies<'_>) -> Option<Finding> {
    let mut of: BTreeMap<&str, i64> = evidence.accounts.iter().map(|one| (one.organization.as_str(), 0)).collect();
    for reply in &replies.all {
        let sent = reply.status.as_deref().is_some_and(|status| SENT.contains(&status));
        *of.entry(&reply.organization).or_default() += i64::from(sent);
    }
    let wrong = of.into_iter().flat_map(|(organization, expected)| {
        ["auto_replies", "messages_sent"].into_iter().filter_map(move |metric| {
            let counted = evidence.rows.usage.get(&(organization.to_owned(), metric.to_owned())).copied().unwrap_or(0);
            (counted != expected).then(|| format!("{metric} {counted} instead of {expected} for {organization}"))
        })
    });
    Finding::of("usage counter of replies", wrong.collect())
}
