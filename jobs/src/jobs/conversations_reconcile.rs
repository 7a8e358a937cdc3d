//! `conversations.reconcile`: reads an account's conversations back from Meta, from the last time on, and stores the messages
//! of which no webhook told, marked as such. One page a job, a second apart: Meta allows two calls a second.

use super::meta_answer::understand;
use super::{Finish, HandlerError, Kind, Run, attachment_fetch, leave, payload, profile_fetch, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::clock::{MINUTE, Millis, SECOND};
use domain::connections::open_token;
use domain::inbox::backfill;
use domain::outbound::route_of;
use entities::connection;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{Cursor, Operation};
use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "conversations.reconcile",
    queue: Queue::Maintenance,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// Pages that are read at most, a second each, should Meta's list never end; each has twenty conversations.
const PAGES: u32 = 10_000;
/// Between two pages of one account.
const PAUSE: Millis = SECOND;
/// How much earlier than that is looked: Meta's clock, and what was on its way.
const MARGIN: Millis = 5 * MINUTE;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    connection_id: Uuid,
    /// When the first page was read; what comes later comes by webhook, or the next time.
    #[serde(default)]
    begun_at: Option<Millis>,
    /// Where the list goes on.
    #[serde(default)]
    cursor: Cursor,
    /// Pages read before.
    #[serde(default)]
    page: u32,
    /// Not to wait for the daily look.
    #[serde(default)]
    soon: bool,
    /// Messages found before.
    #[serde(default)]
    found: usize,
}

/// The job that looks for messages an account has missed since it was looked through last.
pub fn job(connection: Uuid, organization: Uuid) -> NewJob {
    page(connection, organization, &Payload { connection_id: connection, ..Payload::default() })
}

/// The same, not to wait for the daily look, which may be hours away.
pub fn soon(connection: Uuid, organization: Uuid) -> NewJob {
    page(connection, organization, &Payload { connection_id: connection, soon: true, ..Payload::default() })
}

fn page(connection: Uuid, organization: Uuid, payload: &Payload) -> NewJob {
    NewJob::new(&KIND, json!(payload))
        .dedupe_key(format!(
            "reconcile:{}:{}{}",
            connection.simple(),
            if payload.soon { "soon:" } else { "" },
            payload.page
        ))
        .serves(organization, connection)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let now_page: Payload = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let skip = |why: &str| Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": why }))));
        let found = connection::Entity::find_by_id(now_page.connection_id).one(ctx.db.read()).await?;
        let Some(connection) = found else { return skip("connection_gone") };
        if !matches!(connection.status.as_str(), "active" | "over_plan") {
            return skip(&connection.status);
        }
        let Ok(token) = open_token(ctx, &connection) else { return skip("no_token") };
        let route = route_of(&connection);
        let (listed, next) = match ctx.meta.conversations(route, &token, &now_page.cursor).await {
            Ok(answer) => answer,
            Err(error) => {
                let understood = understand(Operation::ReadConversation, &error);
                return Ok(Finish::Outcome(understood.outcome(ledger.now(), None)));
            }
        };
        // The list begins with what changed last: what lies before the last look ends it. What was written while the owner had
        // the account disconnected is not ours to read.
        let since = connection.reconciled_at.unwrap_or_default().max(connection.created_at) - MARGIN;
        let reached = listed.iter().any(|one| one.updated_ms.is_some_and(|at| at < since));
        let now = ledger.now();
        let begun_at = now_page.begun_at.unwrap_or(now);
        let mut tx = ctx.db.begin().await?;
        still_held(&tx, [job]).await?;
        let stored = backfill::store(&tx, ctx, &connection, &listed, since).await?;
        let total = now_page.found + stored.messages;
        let mut follow: Vec<NewJob> = stored
            .strangers
            .into_iter()
            .map(|contact| profile_fetch::job(contact, connection.organization_id, connection.id))
            .collect();
        let files = stored.with_files.into_iter();
        follow.extend(files.map(|one| attachment_fetch::job(one, connection.organization_id, connection.id)));
        let next = next.filter(|_| !reached);
        let ended = next.is_none();
        let more = next.filter(|_| now_page.page + 1 < PAGES);
        if let Some(cursor) = more {
            let (begun_at, next_page) = (Some(begun_at), now_page.page + 1);
            let payload = Payload { cursor, begun_at, page: next_page, found: total, ..now_page };
            follow.push(
                page(connection.id, connection.organization_id, &payload)
                    .run_at(now + PAUSE)
                    .trace(job.trace_id.clone()),
            );
        } else if ended {
            backfill::done(&tx, connection.id, begun_at).await?;
        }
        ledger.enqueue(&mut tx, follow).await?;
        let result = json!({ "found": total, "cut": stored.cut, "ended": ended });
        let decision = decide(job, Outcome::Completed(result), now, 0.5);
        settle(&tx, job, &decision, now).await?;
        tx.commit().await?;
        run::log(job, &decision);
        Ok(Finish::Settled)
    })
}
