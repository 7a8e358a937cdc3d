//! The judge is shown evidence that was made up: of a run in which all went well, and of every fault it must find.

use super::*;
use crate::judge::rows::Job;
use crate::log::{Entry, Outcome, Written};
use crate::world::Platform;

const SHOP: &str = "0a";

/// Two messages of one customer to an account that answers, each with its reply, and one to an account that does not.
fn evidence() -> Evidence {
    let account = |id: &str, answers| Account {
        id: id.to_owned(),
        platform: Platform::Instagram,
        organization: SHOP.to_owned(),
        answers,
    };
    let written = |mid: &str, account: &str| Written {
        mid: mid.to_owned(),
        account: account.to_owned(),
        customer: "ann".to_owned(),
        text: Some("hello".to_owned()),
    };
    let attempt = |webhook, attempt| Entry::Attempt { webhook, attempt, to: 0, again: false, at: 1 };
    let answer = |attempt, status| Entry::Answer { attempt, outcome: Outcome::Status(status), at: 2 };
    let history = History::of(&[
        Entry::Made { webhook: 0, messages: vec![written("m1", "talks"), written("m2", "talks")] },
        attempt(0, 0),
        answer(0, 503),
        attempt(0, 1),
        answer(1, 200),
        Entry::Made { webhook: 1, messages: vec![written("m3", "silent")] },
        attempt(1, 2),
        answer(2, 200),
        Entry::Done { at: 3 },
    ]);
    let inbound = |id: &str, mid: &str, account: &str| Message {
        id: id.to_owned(),
        mid: Some(mid.to_owned()),
        account: account.to_owned(),
        customer: "ann".to_owned(),
        organization: SHOP.to_owned(),
        direction: "inbound".to_owned(),
        origin: "contact".to_owned(),
        text: Some("hello".to_owned()),
        ..Message::default()
    };
    let reply = |id: &str, answers: &str, mid: Option<&str>, status: &str| Message {
        direction: "outbound".to_owned(),
        origin: "auto".to_owned(),
        mid: mid.map(str::to_owned),
        status: Some(status.to_owned()),
        answers: Some(answers.to_owned()),
        ..inbound(id, "", "talks")
    };
    let count = |name: &str, count| ((SHOP.to_owned(), name.to_owned()), count);
    let unread = |account: &str, count| ((account.to_owned(), "ann".to_owned()), count);
    let job =
        |kind: &str, state: &str, future| Job { kind: kind.to_owned(), state: state.to_owned(), future, count: 3 };
    Evidence {
        echoes: false,
        accounts: vec![account("talks", true), account("silent", false)],
        rolling: false,
        history,
        rows: Rows {
            messages: vec![
                inbound("1", "m1", "talks"),
                inbound("2", "m2", "talks"),
                inbound("3", "m3", "silent"),
                reply("4", "1", Some("r1"), "sent"),
                reply("5", "2", None, "unknown"),
            ],
            jobs: vec![job("webhook.process", "completed", false), job("message.reconcile", "scheduled", true)],
            usage: [count("messages_received", 3), count("auto_replies", 1), count("messages_sent", 1)].into(),
            unread: [unread("talks", 2), unread("silent", 1)].into(),
            deliveries: [("processed".to_owned(), 2)].into(),
            attempts: Vec::new(),
        },
        accepted: vec![send("r1", None)],
        deeds: Deeds::default(),
    }
}

fn send(mid: &str, metadata: Option<&str>) -> Accepted {
    Accepted {
        mid: mid.to_owned(),
        account: "talks".to_owned(),
        customer: "ann".to_owned(),
        metadata: metadata.map(str::to_owned),
        answer_lost: false,
    }
}

/// What is found once the evidence is changed, without the examples.
fn found(change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, usize)> {
    let mut evidence = evidence();
    change(&mut evidence);
    judge(&evidence).into_iter().map(|finding| (finding.what, finding.count)).collect()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(found(|_| {}), []);
    // The answer to the second reply was lost, and so was its echo: Meta has it, and it is shown as unknown.
    assert_eq!(found(|e| e.accepted.push(send("r2", None))), []);
}

#[test]
fn a_send_that_meta_has_told_of_and_that_stays_unknown_is_found() {
    let found = found(|e| {
        e.accepted.push(send("r2", None));
        e.echoes = true;
    });
    assert_eq!(found, [("Meta has told of a send, and it is not shown as sent", 1)]);
}

#[test]
fn a_lost_message_is_found() {
    let found = found(|e| {
        e.rows.messages.remove(2);
    });
    assert!(found.contains(&("lost: acknowledged and not stored", 1)), "{found:?}");
    assert!(found.contains(&("usage counter of received messages", 1)), "{found:?}");
    assert!(found.contains(&("count of unread messages", 1)), "{found:?}");
}

#[test]
fn a_message_that_was_never_acknowledged_is_not_lost_but_its_webhook_is_missed() {
    let found = found(|e| {
        e.history.acknowledged.remove(&1);
        e.rows.messages.remove(2);
        e.rows.unread.retain(|(account, _), _| account == "talks");
        e.rows.usage.insert((SHOP.to_owned(), "messages_received".to_owned()), 2);
    });
    assert_eq!(found, [("not everything was acknowledged", 1)]);
}

#[test]
fn a_doubled_message_is_found() {
    let found = found(|e| {
        let again = Message { id: "9".to_owned(), ..e.rows.messages[2].clone() };
        e.rows.messages.push(again);
    });
    assert!(found.contains(&("doubled: stored more than once", 1)), "{found:?}");
}

#[test]
fn an_invented_message_is_found() {
    let found = found(|e| e.rows.messages[2].mid = Some("m4".to_owned()));
    assert!(found.contains(&("invented: stored and never sent", 1)), "{found:?}");
    assert!(found.contains(&("lost: acknowledged and not stored", 1)), "{found:?}");
}

#[test]
fn a_message_with_somebody_else_is_found() {
    for change in [
        (|e: &mut Evidence| e.rows.messages[2].customer = "bob".to_owned()) as fn(&mut Evidence),
        |e| e.rows.messages[2].organization = "0b".to_owned(),
        |e| e.rows.messages[2].account = "talks".to_owned(),
    ] {
        let found = found(change);
        assert!(found.contains(&("stored in the wrong place", 1)), "{found:?}");
    }
}

#[test]
fn other_words_are_found() {
    for text in [None, Some("hullo".to_owned())] {
        assert_eq!(found(|e| e.rows.messages[2].text = text), [("stored with other words", 1)]);
    }
}

#[test]
fn a_second_reply_is_found_however_it_shows_itself() {
    let rows = found(|e| {
        let again =
            Message { id: "9".to_owned(), status: Some("unknown".to_owned()), mid: None, ..e.rows.messages[3].clone() };
        e.rows.messages.push(again);
    });
    assert_eq!(rows, [("two replies: rows for one message", 1)]);
    // Three were sent to somebody who wrote twice.
    let sends = found(|e| e.accepted.extend([send("r2", None), send("r3", None)]));
    assert!(sends.contains(&("two replies: more sent than written", 1)), "{sends:?}");
    // Two were sent, and only one of them can be the reply whose outcome is unknown.
    let unexplained = found(|e| {
        e.rows.messages[4].status = Some("failed".to_owned());
        e.accepted.push(send("r2", None));
    });
    assert_eq!(unexplained, [("sent, and no reply of ours", 1), ("a reply that failed", 1)]);
    let by_name = found(|e| e.accepted = vec![send("r1", Some("msg_4")), send("r2", Some("msg_4"))]);
    assert_eq!(by_name, [("two replies: one row sent more than once", 1)]);
}

#[test]
fn a_reply_that_is_missing_or_says_what_is_not_so_is_found() {
    assert_eq!(found(|e| drop(e.rows.messages.pop())), [("no final reply", 1)]);
    assert_eq!(found(|e| e.rows.messages[4].status = Some("sending".to_owned())), [("no final reply", 1)]);
    let unsent = found(|e| e.accepted.clear());
    assert_eq!(unsent, [("shown as sent, and not sent", 1)]);
    let nothing = found(|e| e.rows.messages[4].answers = Some("3".to_owned()));
    assert_eq!(nothing, [("no final reply", 1)]);
    let silent = found(|e| {
        let to_silent = Message {
            id: "9".to_owned(),
            account: "silent".to_owned(),
            answers: Some("3".to_owned()),
            ..e.rows.messages[4].clone()
        };
        e.rows.messages.push(to_silent);
    });
    assert_eq!(silent, [("a reply to nothing", 1)]);
    let stranger = found(|e| e.rows.messages[4].origin = "external".to_owned());
    assert_eq!(stranger, [("no final reply", 1), ("an echo of ours taken for somebody else's", 1)]);
    let counter = found(|e| {
        e.rows.usage.insert((SHOP.to_owned(), "auto_replies".to_owned()), 2);
    });
    assert_eq!(counter, [("usage counter of replies", 1)]);
}

#[test]
fn an_outcome_that_these_runs_cannot_have_is_found() {
    assert_eq!(found(|e| e.rows.messages[4].status = Some("failed".to_owned())), [("a reply that failed", 1)]);
    assert_eq!(found(|e| e.rolling = true), [("an unknown outcome, and nobody was killed", 1)]);
}

#[test]
fn work_that_is_not_done_is_found() {
    assert_eq!(found(|e| e.rows.jobs[0].state = "running".to_owned()), [("job not final", 1)]);
    assert_eq!(found(|e| e.rows.jobs[1].future = false), [("job not final", 1)], "a look that is due is work");
    let deliveries = found(|e| {
        e.rows.deliveries.insert("received".to_owned(), 1);
    });
    assert_eq!(deliveries, [("delivery not processed", 1)]);
    let waiting = found(|e| {
        e.rows.deliveries.insert("received".to_owned(), 1);
        e.rows.messages.remove(2);
    });
    assert!(waiting.contains(&("not stored in time: acknowledged, and deliveries still wait", 1)), "{waiting:?}");
    assert!(waiting.iter().all(|(what, _)| !what.starts_with("lost")), "{waiting:?}");
}

#[test]
fn answers_that_must_not_be_are_found() {
    let other = found(|e| {
        e.history.statuses.insert(500, 1);
    });
    assert_eq!(other, [("an answer that must not be", 1)]);
    let cut = |e: &mut Evidence| {
        e.history.cut_off.insert("reset".to_owned(), 1);
    };
    assert_eq!(found(cut), [], "who is killed says nothing more");
    let replaced = found(|e| {
        cut(e);
        e.rolling = true;
    });
    assert_eq!(replaced[0], ("an answer that must not be", 1));
    let slow = found(|e| (e.rolling, e.history.timed_out) = (true, 1));
    assert_eq!(slow[0], ("an answer that must not be", 1));
}

#[test]
fn a_run_that_shows_nothing_is_no_success() {
    assert!(judge(&Evidence::default()).iter().any(|finding| finding.what == "not everything was acknowledged"));
    assert_eq!(found(|e| e.deeds.pauses = 1), [("the pauses interrupted nothing", 1)]);
    let lapsed = ("message.send".to_owned(), "lapsed".to_owned(), "lapsed".to_owned(), 1);
    let shown = found(|e| {
        e.deeds.pauses = 1;
        e.rows.attempts.push(lapsed);
    });
    assert_eq!(shown, []);
    assert_eq!(found(|e| e.deeds.ended_by_themselves = 1), [("a process ended by itself", 1)]);
}
