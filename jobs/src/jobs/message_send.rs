//! `message.send`: the only job that calls Meta's Send API. `sending` is committed before any byte leaves; what is provably
//! not sent is tried again by its class, and everything else becomes `unknown`, which is never sent again by itself.

mod aftermath;

use super::one_message::Payload;
use super::{Finish, HandlerError, Kind, Lapse, Run, message_reconcile, payload};
use crate::failpoint;
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{SettleError, settle, still_held};
use crate::outcome::{Decision, Failure, Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use aftermath::Aftermath;
use domain::clock::{HOUR, Millis, SECOND};
use domain::compose::EARLIER_PART;
use domain::connections::open_token;
use domain::db::{Tx, is_unavailable};
use domain::id::IdKind;
use domain::outbound::{self, Outgoing, Trouble};
use domain::replies;
use domain::window::{self, Leave};
use entities::job::Model as Job;
use entities::message;
use futures::future::BoxFuture;
use meta::{Content, SendRequest, Tag};
use sea_orm::DbErr;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind. It bounds itself (the HTTP client and the pool have limits), for a time-out would throw Meta's answer away.
pub static KIND: Kind = Kind {
    name: "message.send",
    queue: Queue::Send,
    policy: Policy { timeout: None, cancellable: false, ..STANDARD },
    run: Run::One(run),
    on_lapse,
    on_given_up: give_up,
};

/// How often a message waiting for its account to be reconnected is looked at without being woken.
const RECHECK: Millis = HOUR;
/// What is older than this when it leaves has waited, and is looked at again.
const WAITED: Millis = 5 * SECOND;
/// Between tries to write down an answer while the database is away.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// The job that sends a queued message, after the earlier ones of its conversation.
pub fn job(message: &message::Model, trace_id: Option<String>) -> NewJob {
    NewJob::new(&KIND, json!({ "messageId": message.id }))
        .dedupe_key(format!("send:{}", message.id.simple()))
        .lane(format!("conversation:{}", message.conversation_id.simple()))
        .serves(message.organization_id, message.connection_id)
        .trace(trace_id)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { message_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let Some(outgoing) = outbound::load(ledger.context().db.read(), message_id).await? else {
            return Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": "message_gone" }))));
        };
        if outgoing.message.status.as_deref() == Some("sending") {
            return broke_off(ledger, job, &outgoing).await;
        }
        let human_agent = ledger.context().settings.human_agent;
        let leave = match allowed(ledger, job, &outgoing).await? {
            Ok(leave) => leave,
            Err(No::Wait(failure, until)) => return Ok(Finish::Outcome(Outcome::Snooze(failure, until))),
            Err(No::Never(trouble)) => return refuse(ledger, job, &outgoing, &trouble).await,
        };
        let token = match open_token(ledger.context(), &outgoing.connection) {
            Ok(token) => token,
            // A key that is missing is the operator's to mend: nothing is lost meanwhile.
            Err(error) => {
                let failure = Failure::new("vault", format!("The account's token could not be opened: {error}."));
                return Ok(Finish::Outcome(Outcome::Retry(failure, outgoing.until(human_agent))));
            }
        };
        if !claim(ledger, job, message_id).await? {
            return Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": "not_queued" }))));
        }
        failpoint::hit("send.sending_committed", outgoing.message.text.as_deref().unwrap_or_default());
        let (metadata, file) = (IdKind::Message.show(message_id), outgoing.file());
        let request = SendRequest {
            route: outbound::route_of(&outgoing.connection),
            token: &token,
            recipient: &outgoing.recipient,
            content: match &file {
                Some((kind, url)) => Content::Attachment { kind, url },
                None => Content::Text(outgoing.message.text.as_deref().unwrap_or_default()),
            },
            metadata: Some(&metadata),
            tag: (leave == Leave::HumanAgent).then_some(Tag::HumanAgent),
        };
        let answer = ledger.context().meta.send(request).await;
        failpoint::hit("send.answer_read", outgoing.message.text.as_deref().unwrap_or_default());
        let aftermath = Aftermath::of(&outgoing, answer);
        write_down(ledger, job, &outgoing, &aftermath).await
    })
}

/// Why a message does not leave now.
enum No {
    /// It may later.
    Wait(Failure, Millis),
    /// It never will.
    Never(Trouble),
}

/// What our own rules say before Meta is asked: the window, the account's state, the part before it, and for an automatic reply
/// that has waited, whether it is still wanted.
async fn allowed(ledger: &Ledger, job: &Job, outgoing: &Outgoing) -> Result<Result<Leave, No>, DbErr> {
    let (now, ctx) = (ledger.now(), ledger.context());
    let never = |class: &str, sentence: &str| {
        No::Never(Trouble { class: class.to_owned(), code: None, sentence: sentence.to_owned() })
    };
    if outbound::earlier_part_failed(ctx.db.read(), &outgoing.message).await? {
        return Ok(Err(never(EARLIER_PART, "An earlier part of this text was not sent.")));
    }
    // Of the job: what somebody has just queued again is wanted.
    if now - job.created_at >= WAITED
        && let Some(class) = replies::withdrawn(ctx.db.read(), outgoing).await?
    {
        let sentence = match class {
            "person_answered" => "A person answered before this automatic reply could be sent.",
            _ => "Automatic replies were turned off before this one could be sent.",
        };
        return Ok(Err(never(class, sentence)));
    }
    let by_hand = outgoing.message.by_hand;
    let (leave, ends) = match window::judge(outgoing.last_inbound_at, now, by_hand, ctx.settings.human_agent) {
        Ok(granted) => granted,
        Err(sentence) => return Ok(Err(never("window_closed", sentence))),
    };
    Ok(match outgoing.connection.status.as_str() {
        "active" => Ok(leave),
        "needs_reconnect" => {
            let failure = Failure::new("reconnect", "The account must be connected again before it can send.");
            Err(No::Wait(failure, (now + RECHECK).min(ends)))
        }
        _ => Err(never("connection_unavailable", "The account cannot send at the moment.")),
    })
}

/// Ends a message that will not be sent, with its job.
async fn refuse(ledger: &Ledger, job: &Job, outgoing: &Outgoing, trouble: &Trouble) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let failure = Failure { code: None, ..Failure::new(&trouble.class, trouble.sentence.clone()) };
    let decision = decide(job, Outcome::Discard(failure), now, 0.5);
    let tx = ledger.context().db.begin().await?;
    settle(&tx, job, &decision, now).await?;
    outbound::refuse(&tx, &outgoing.message, trouble).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// `queued → sending`, committed before any byte leaves.
async fn claim(ledger: &Ledger, job: &Job, message_id: Uuid) -> Result<bool, SettleError> {
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    let begun = outbound::begin(&tx, message_id, ledger.now()).await?;
    tx.commit().await?;
    Ok(begun)
}

/// Writes down what Meta said. An answer exists once and nowhere else, so this does not give up while the database is away.
async fn write_down(
    ledger: &Ledger,
    job: &Job,
    outgoing: &Outgoing,
    aftermath: &Aftermath,
) -> Result<Finish, HandlerError> {
    loop {
        match try_write_down(ledger, job, outgoing, aftermath).await {
            Ok(()) => return Ok(Finish::Settled),
            Err(SettleError::Overtaken) => {
                // A late worker changes nothing, but that Meta has the message is a fact.
                if let Aftermath::Sent { mid, .. } = aftermath
                    && let Err(error) = write_fact(ledger, outgoing, mid).await
                {
                    if is_unavailable(&error) {
                        tokio::time::sleep(WRITE_PAUSE).await;
                        continue;
                    }
                    return Err(error.into());
                }
                return Err(SettleError::Overtaken.into());
            }
            Err(SettleError::Db(error)) if is_unavailable(&error) => {
                tracing::warn!(%error, job = %job.id, "the database is away; keeping Meta's answer until it is back");
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn try_write_down(
    ledger: &Ledger,
    job: &Job,
    outgoing: &Outgoing,
    aftermath: &Aftermath,
) -> Result<(), SettleError> {
    let now = ledger.now();
    let mut tx = ledger.context().db.begin().await?;
    // On an error all of it is rolled back: whoever was overtaken changes nothing.
    still_held(&tx, [job]).await?;
    let again_at = aftermath.hold(&tx, now).await?;
    let until = outgoing.until(ledger.context().settings.human_agent);
    let decision = decide(job, aftermath.outcome(until, again_at, now), now, rand::random::<f64>());
    settle(&tx, job, &decision, now).await?;
    aftermath.apply(ledger, &mut tx, outgoing, &decision, now).await?;
    if matches!(aftermath, Aftermath::Unknown { .. }) {
        let look = message_reconcile::first_look(&outgoing.message, now, job.trace_id.clone());
        ledger.enqueue(&mut tx, vec![look]).await?;
    }
    tx.commit().await?;
    run::log(job, &decision);
    Ok(())
}

async fn write_fact(ledger: &Ledger, outgoing: &Outgoing, mid: &str) -> Result<(), DbErr> {
    let tx = ledger.context().db.begin().await?;
    outbound::sent(&tx, outgoing.message.id, mid, None, ledger.now()).await?;
    tx.commit().await
}

/// An earlier try broke off while the message was on its way (a defect, for every answer is written down): nobody can say
/// what Meta did with it.
async fn broke_off(ledger: &Ledger, job: &Job, outgoing: &Outgoing) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let failure = Failure::new("unknown_outcome", outbound::UNKNOWN);
    let decision = decide(job, Outcome::CompletedWith(json!({ "status": "unknown" }), failure), now, 0.5);
    let mut tx = ledger.context().db.begin().await?;
    settle(&tx, job, &decision, now).await?;
    becomes_unknown(ledger, &mut tx, outgoing, job.trace_id.clone()).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

async fn becomes_unknown(
    ledger: &Ledger,
    tx: &mut Tx,
    outgoing: &Outgoing,
    trace_id: Option<String>,
) -> Result<(), DbErr> {
    let trouble = Trouble { class: "unknown_outcome".to_owned(), code: None, sentence: outbound::UNKNOWN.to_owned() };
    outbound::unknown(tx, outgoing.message.id, &trouble).await?;
    let look = message_reconcile::first_look(&outgoing.message, ledger.now(), trace_id);
    ledger.enqueue(tx, vec![look]).await?;
    Ok(())
}

/// A worker died while it had this job. Was the message on its way, nobody can say what Meta did with it.
fn on_lapse<'a>(ledger: &'a Ledger, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Lapse, DbErr>> {
    Box::pin(async move {
        let Ok(Payload { message_id }) = payload::<Payload>(job) else { return Ok(Lapse::RunAgain) };
        let Some(outgoing) = outbound::load(tx.conn(), message_id).await? else { return Ok(Lapse::RunAgain) };
        if outgoing.message.status.as_deref() != Some("sending") {
            return Ok(Lapse::RunAgain);
        }
        becomes_unknown(ledger, tx, &outgoing, job.trace_id.clone()).await?;
        Ok(Lapse::Settle(Box::new(Decision {
            state: "completed",
            run_at: None,
            attempt: job.attempt,
            failure: Some(Failure::new("unknown_outcome", "The worker stopped while it was sending this message.")),
            result: Some(json!({ "status": "unknown" })),
            attempt_outcome: Some("lapsed"),
        })))
    })
}

/// Nobody will send it: what still waits has failed, what is on its way is unknown.
fn give_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    failure: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        let Ok(Payload { message_id }) = payload::<Payload>(job) else { return Ok(()) };
        let Some(outgoing) = outbound::load(tx.conn(), message_id).await? else { return Ok(()) };
        match outgoing.message.status.as_deref() {
            Some("sending") => becomes_unknown(ledger, tx, &outgoing, job.trace_id.clone()).await,
            Some("queued") => {
                let trouble = Trouble {
                    class: failure.map_or_else(|| "cancelled".to_owned(), |failure| failure.class.clone()),
                    code: failure.and_then(|failure| failure.code.clone()),
                    sentence: "This message was given up and will not be sent.".to_owned(),
                };
                outbound::refuse(tx, &outgoing.message, &trouble).await
            }
            _ => Ok(()),
        }
    })
}
