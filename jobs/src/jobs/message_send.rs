//! `message.send`: the only job that calls Meta's Send API. `sending` is committed before any byte leaves; what is provably
//! not sent is tried again by its class, and everything else becomes `unknown`, which is never sent again by itself.

mod aftermath;

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
use domain::clock::{HOUR, Millis};
use domain::connections::open_token;
use domain::db::{Tx, is_unavailable};
use domain::id::IdKind;
use domain::outbound::{self, Outgoing, Trouble};
use entities::job::Model as Job;
use entities::message;
use futures::future::BoxFuture;
use meta::{Content, SendRequest};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The kind. The time-out lies above the HTTP client's own, so that the client's answer decides.
pub static KIND: Kind = Kind {
    name: "message.send",
    queue: Queue::Send,
    policy: Policy { timeout: Duration::from_secs(50), cancellable: false, ..STANDARD },
    run: Run::One(run),
    on_lapse,
};

/// How often a message waiting for its account to be reconnected is looked at without being woken.
const RECHECK: Millis = HOUR;
/// Between tries to write down an answer while the database is away.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    message_id: Uuid,
}

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
        if let Some(finish) = refuse(ledger, job, &outgoing).await? {
            return Ok(finish);
        }
        let token = match open_token(ledger.context(), &outgoing.connection) {
            Ok(token) => token,
            // A key that is missing is the operator's to mend: nothing is lost meanwhile.
            Err(error) => {
                let failure = Failure::new("vault", format!("The account's token could not be opened: {error}."));
                return Ok(Finish::Outcome(Outcome::Retry(failure, outgoing.window_closes_at)));
            }
        };
        if !claim(ledger, job, message_id).await? {
            return Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": "not_queued" }))));
        }
        failpoint::hit("send.sending_committed", outgoing.message.text.as_deref().unwrap_or_default());
        let metadata = IdKind::Message.show(message_id);
        let request = SendRequest {
            route: outbound::route_of(&outgoing.connection),
            token: &token,
            recipient: &outgoing.recipient,
            content: Content::Text(outgoing.message.text.as_deref().unwrap_or_default()),
            metadata: Some(&metadata),
            tag: None,
        };
        let answer = ledger.context().meta.send(request).await;
        failpoint::hit("send.answer_read", outgoing.message.text.as_deref().unwrap_or_default());
        let aftermath = Aftermath::of(&outgoing, answer, ledger.now());
        write_down(ledger, job, &outgoing, &aftermath).await
    })
}

/// What our own rules say before Meta is asked: the window, the account's state.
async fn refuse(ledger: &Ledger, job: &Job, outgoing: &Outgoing) -> Result<Option<Finish>, HandlerError> {
    let now = ledger.now();
    let refused =
        |class: &str, sentence: &str| Trouble { class: class.to_owned(), code: None, sentence: sentence.to_owned() };
    let trouble = match (outgoing.connection.status.as_str(), outgoing.window_closes_at) {
        (_, None) => {
            refused("window_closed", "The customer has not written yet, so Meta does not let a message be sent.")
        }
        (_, Some(closes)) if now >= closes => {
            refused("window_closed", "More than 24 hours have passed since the customer's last message.")
        }
        ("active", _) => return Ok(None),
        ("needs_reconnect", Some(closes)) => {
            let failure = Failure::new("reconnect", "The account must be connected again before it can send.");
            let until = (now + RECHECK).min(closes);
            return Ok(Some(Finish::Outcome(Outcome::Snooze(failure, until))));
        }
        _ => refused("connection_unavailable", "The account cannot send at the moment."),
    };
    let failure = Failure { code: None, ..Failure::new(&trouble.class, trouble.sentence.clone()) };
    let decision = decide(job, Outcome::Discard(failure), now, 0.5);
    let tx = ledger.context().db.begin().await?;
    outbound::fail(tx.conn(), outgoing.message.id, &trouble).await?;
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Some(Finish::Settled))
}

/// `queued → sending`, committed before any byte leaves.
async fn claim(ledger: &Ledger, job: &Job, message_id: Uuid) -> Result<bool, SettleError> {
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, job).await?;
    let begun = outbound::begin(tx.conn(), message_id, ledger.now()).await?;
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
                if let Aftermath::Sent { mid, .. } = aftermath {
                    let db = ledger.context().db.write();
                    outbound::sent(db, outgoing.message.id, mid, None, ledger.now()).await?;
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
    let decision = decide(job, aftermath.outcome(outgoing, now), now, rand::random::<f64>());
    let mut tx = ledger.context().db.begin().await?;
    // The job first: whoever was overtaken must not change anything.
    settle(&tx, job, &decision, now).await?;
    aftermath.apply(&tx, outgoing, &decision, now).await?;
    if matches!(aftermath, Aftermath::Unknown { .. }) {
        let look = message_reconcile::first_look(&outgoing.message, now, job.trace_id.clone());
        ledger.enqueue(&mut tx, vec![look]).await?;
    }
    tx.commit().await?;
    run::log(job, &decision);
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
        let trouble = Trouble {
            class: "unknown_outcome".to_owned(),
            code: None,
            sentence: "It is not known whether this message was sent: the worker stopped while sending it.".to_owned(),
        };
        outbound::unknown(tx.conn(), message_id, &trouble).await?;
        let look = message_reconcile::first_look(&outgoing.message, ledger.now(), job.trace_id.clone());
        ledger.enqueue(tx, vec![look]).await?;
        Ok(Lapse::Settle(Box::new(Decision {
            state: "completed",
            run_at: None,
            attempt: job.attempt,
            failure: Some(Failure::new(&trouble.class, trouble.sentence)),
            result: Some(json!({ "status": "unknown" })),
            attempt_outcome: Some("lapsed"),
        })))
    })
}
