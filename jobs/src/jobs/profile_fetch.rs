//! `profile.fetch`: asks Meta who a contact is. Meta refuses it for many reasons that are nobody's fault, so a contact without a
//! name is nothing unusual; only an automatic reply that calls somebody new by name waits for it, for ten seconds at most.

use super::meta_answer::understand;
use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use domain::connections::open_token;
use domain::inbox::contacts::{self, Answer, Found};
use domain::outbound::route_of;
use entities::job::Model as Job;
use entities::{connection, contact};
use futures::future::BoxFuture;
use meta::{ErrorClass, Operation};
use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "profile.fetch",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 5, ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// Meta's code for a person who has not written yet, as far as it knows (fact sheet §6.5).
const NOT_YET: i64 = 230;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    contact_id: Uuid,
}

/// The job that asks who a contact is.
pub fn job(contact: Uuid, organization: Uuid, connection: Uuid) -> NewJob {
    NewJob::new(&KIND, json!({ "contactId": contact }))
        .dedupe_key(format!("profile:{}", contact.simple()))
        .may_wait()
        .serves(organization, connection)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { contact_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let skip = |why: &str| Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": why }))));
        let Some(contact) = contact::Entity::find_by_id(contact_id).one(ctx.db.read()).await? else {
            return skip("contact_gone");
        };
        let found = connection::Entity::find_by_id(contact.connection_id).one(ctx.db.read()).await?;
        let Some(connection) = found else { return skip("connection_gone") };
        match connection.status.as_str() {
            "disconnected" => return skip("disconnected"),
            // Asked again with the contact's next message.
            "needs_reconnect" => return skip("needs_reconnect"),
            _ => {}
        }
        let Ok(token) = open_token(ctx, &connection) else { return skip("no_token") };
        let (answer, result) = match ctx.meta.profile(route_of(&connection), &token, &contact.external_id).await {
            Ok(profile) => {
                let meta::Profile { name, username, picture_url } = profile;
                (Answer::Known(Found { name, username, picture_url }), json!({ "profile": "known" }))
            }
            Err(error) => {
                let understood = understand(Operation::ReadProfile, &error);
                // Throttled, it does not ask again for a name: that would only prolong it for what has to be sent. Nor is a name
                // worth marking an account for; that its token does not work is found out by what needs it.
                if understood.passes() && understood.classified.class != ErrorClass::RateLimited {
                    return Ok(Finish::Outcome(understood.outcome(ledger.now(), None)));
                }
                let not_yet = error.code == Some(NOT_YET);
                (
                    if not_yet { Answer::NotYet } else { Answer::Refused },
                    json!({ "profile": "refused", "why": understood.failure.message, "code": understood.failure.code }),
                )
            }
        };
        let now = ledger.now();
        let tx = ctx.db.begin().await?;
        still_held(&tx, [job]).await?;
        contacts::profile(&tx, contact_id, answer, now).await?;
        let decision = decide(job, Outcome::Completed(result), now, 0.5);
        settle(&tx, job, &decision, now).await?;
        tx.commit().await?;
        run::log(job, &decision);
        Ok(Finish::Settled)
    })
}
