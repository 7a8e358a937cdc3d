//! `reply.auto`: decides on the automatic reply to one new message and, in the same transaction, writes the outbound message
//! and the job that sends it. Where a model is to be asked, that comes before; running it twice makes one reply.

use super::one_message::Payload;
use super::{Finish, HandlerError, Kind, Run, leave, message_send, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use ai::AiError;
use domain::clock::{Millis, SECOND};
use domain::replies::{self, Asked, Decision, Question, Source};
use entities::job::Model as Job;
use entities::{connection, message};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "reply.auto",
    queue: Queue::Send,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// The job that decides on the reply to a message.
pub fn job(message_id: Uuid, connection: &connection::Model, trace_id: Option<String>) -> NewJob {
    NewJob::new(&KIND, json!({ "messageId": message_id }))
        .dedupe_key(format!("reply:{}", message_id.simple()))
        .serves(connection.organization_id, connection.id)
        .trace(trace_id)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { message_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let mut asked = None;
        loop {
            let mut tx = ledger.context().db.begin().await?;
            still_held(&tx, [job]).await?;
            let result = match replies::decide(&tx, ledger.context(), message_id, asked).await? {
                // The model's failure passes, and nothing else can be said instead.
                Decision::Skip(reason @ (BUSY | "ai_unavailable" | "ai_too_slow")) => {
                    tx.rollback().await?;
                    let failure =
                        Failure::new(reason, "The model did not answer, and the account has no words of its own.");
                    return Ok(Finish::Outcome(Outcome::Retry(failure, None)));
                }
                Decision::Skip(reason) => json!({ "skipped": reason }),
                Decision::Introduce => {
                    tx.rollback().await?;
                    let failure =
                        Failure::new("no_name_yet", "The reply names the customer, whom Meta is about to name.");
                    return Ok(Finish::Outcome(Outcome::Snooze(failure, ledger.now() + SECOND)));
                }
                Decision::Reply(message, source) => {
                    ledger.enqueue(&mut tx, vec![message_send::job(&message, job.trace_id.clone())]).await?;
                    shown(&message, source)
                }
                Decision::Ask(question) => {
                    // No call to anybody within a transaction; all is decided anew with the answer.
                    tx.rollback().await?;
                    let answer = ask(ledger, &question).await;
                    if answer == Err(BUSY) && (0..BUSY_FOR).contains(&(ledger.now() - job.created_at)) {
                        let failure = Failure::new(BUSY, "The model has enough to answer; this one waits.");
                        let again = ledger.now() + rand::random_range(2 * SECOND..6 * SECOND);
                        return Ok(Finish::Outcome(Outcome::Snooze(failure, again)));
                    }
                    asked = Some(answer);
                    continue;
                }
            };
            let now = ledger.now();
            let decision = decide(job, Outcome::Completed(result), now, 0.5);
            settle(&tx, job, &decision, now).await?;
            tx.commit().await?;
            run::log(job, &decision);
            return Ok(Finish::Settled);
        }
    })
}

/// The model has enough to answer, and nobody waits for it here: people's messages need the places of this queue, too.
const BUSY: &str = "ai_busy";
/// For how long a reply waits for a busy model before the account's own words follow.
const BUSY_FOR: Millis = 30 * SECOND;

/// What the model says. Whatever goes wrong with it is no reason to let a customer wait: the account's own words follow.
async fn ask(ledger: &Ledger, question: &Question) -> Asked {
    let Some(client) = &ledger.context().ai else { return Err("ai_not_configured") };
    let begun = Instant::now();
    let answer = client.complete(&question.0).await;
    metrics::histogram!("retail_assist_ai_seconds").record(begun.elapsed().as_secs_f64());
    answer.map_err(|error| {
        if error != AiError::Busy {
            tracing::warn!(%error, "the model had no answer");
        }
        match error {
            AiError::Busy => BUSY,
            AiError::Refused => "ai_refused",
            AiError::Timeout => "ai_too_slow",
            AiError::Unavailable(_) => "ai_unavailable",
            AiError::Misconfigured(_) => "ai_misconfigured",
            AiError::Unreadable => "ai_unreadable",
        }
    })
}

fn shown(message: &message::Model, source: Source) -> Value {
    let (words, why) = match source {
        Source::Template => ("template", None),
        Source::Keyword => ("keyword", None),
        Source::Ai => ("ai", None),
        Source::Fallback(why) => ("template", Some(why)),
    };
    json!({ "messageId": message.id, "words": words, "instead": why })
}
