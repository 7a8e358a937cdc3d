//! `webhook.process`: reads stored deliveries and writes their events into the inbox, many deliveries in one transaction.
//! Every event ends in an outcome. What the data itself makes impossible is halved until it stands alone, and costs only
//! itself; when the database is away the whole batch waits.

mod record;

use super::{Kind, Run, attachment_fetch, payload, profile_fetch, reply_auto, run_again};
use crate::failpoint;
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{SettleError, settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use domain::clock::{Millis, SECOND};
use domain::db::{Tx, is_unavailable};
use domain::inbox::store::{self, Recorded, Routed};
use entities::delivery;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::webhook::{Delivery, Event, EventBody, Object};
use record::{Done, Routes};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "webhook.process",
    queue: Queue::Webhooks,
    policy: Policy { timeout: Some(Duration::from_secs(60)), ..STANDARD },
    run: Run::Batch(run_batch),
    on_lapse: run_again,
    on_given_up: give_up,
};

/// Events of one transaction; Meta puts up to 1,000 into one delivery.
const EVENTS: usize = 1_000;
/// How long a batch rests when the database is away.
const REST: Millis = SECOND;

/// What the job's payload holds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    delivery_id: Uuid,
}

/// The one job of a delivery.
pub fn job(delivery_id: Uuid) -> NewJob {
    NewJob::new(&KIND, serde_json::json!({ "deliveryId": delivery_id }))
        .dedupe_key(format!("delivery:{}", delivery_id.simple()))
        .trace(Some(delivery_id.simple().to_string()))
}

/// Deliveries with events that had no owner when they came are read again now that `external_id` is connected. Returns how
/// many there are; their bodies are kept for a day.
pub async fn reroute(ledger: &Ledger, tx: &mut Tx, platform: &str, external_id: &str) -> Result<usize, DbErr> {
    let object = if platform == "instagram" { "instagram" } else { "page" };
    let deliveries = record::unrouted_deliveries(tx, object, external_id).await?;
    let jobs = ledger.enqueue(tx, deliveries.into_iter().map(job).collect()).await?;
    Ok(jobs.len())
}

/// A delivery on its way through.
struct Parcel<'a> {
    job: &'a Job,
    delivery_id: Uuid,
    received_at: Millis,
    object: Option<String>,
    /// Events that have no final outcome yet.
    events: Vec<Event>,
    total: usize,
    malformed: Option<String>,
}

fn run_batch<'a>(ledger: &'a Ledger, jobs: &'a [Job]) -> BoxFuture<'a, Vec<(Uuid, Outcome)>> {
    Box::pin(async move {
        let (parcels, mut unsettled) = match open(ledger, jobs).await {
            Ok(opened) => opened,
            Err(error) => return rest(ledger, jobs.iter().map(|job| job.id), &error),
        };
        for group in groups(parcels) {
            unsettled.extend(process(ledger, &group).await);
        }
        unsettled
    })
}

/// Reads and parses the deliveries of a batch.
async fn open<'a>(ledger: &Ledger, jobs: &'a [Job]) -> Result<(Vec<Parcel<'a>>, Vec<(Uuid, Outcome)>), DbErr> {
    let db = ledger.context().db.read();
    let mut unsettled = Vec::new();
    let mut wanted = Vec::with_capacity(jobs.len());
    for job in jobs {
        match serde_json::from_str::<Payload>(&job.payload) {
            Ok(payload) => wanted.push((job, payload.delivery_id)),
            Err(_) => {
                unsettled.push((job.id, Outcome::Discard(Failure::new("internal", "The payload cannot be read."))))
            }
        }
    }
    let ids: Vec<Uuid> = wanted.iter().map(|(_, id)| *id).collect();
    let rows = delivery::Entity::find().filter(delivery::Column::Id.is_in(ids.clone())).all(db).await?;
    let mut rows: HashMap<Uuid, delivery::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    let final_events = record::final_events(db, &ids).await?;
    let mut parcels = Vec::with_capacity(wanted.len());
    for (job, id) in wanted {
        let Some(row) = rows.remove(&id) else {
            unsettled.push((job.id, Outcome::Completed(serde_json::json!({ "skipped": "delivery_gone" }))));
            continue;
        };
        let Some(body) = row.body else {
            unsettled.push((job.id, Outcome::Completed(serde_json::json!({ "skipped": "processed_already" }))));
            continue;
        };
        let parcel = Parcel {
            job,
            delivery_id: id,
            received_at: row.received_at,
            object: None,
            events: Vec::new(),
            total: 0,
            malformed: None,
        };
        parcels.push(match meta::webhook::parse(&body) {
            Ok(Delivery { object, mut events }) => {
                let total = events.len();
                let settled = final_events.get(&id);
                events.retain(|event| settled.is_none_or(|settled| !settled.contains(&event.index)));
                Parcel { object: Some(object.as_str().to_owned()), events, total, ..parcel }
            }
            Err(error) => Parcel { malformed: Some(error.to_string()), ..parcel },
        });
    }
    Ok((parcels, unsettled))
}

/// Puts deliveries together up to the size of one transaction.
fn groups(parcels: Vec<Parcel<'_>>) -> Vec<Vec<Parcel<'_>>> {
    let mut groups: Vec<Vec<Parcel<'_>>> = Vec::new();
    let mut size = 0;
    for parcel in parcels {
        let events = parcel.events.len();
        match groups.last_mut() {
            Some(group) if size + events <= EVENTS => group.push(parcel),
            _ => {
                groups.push(vec![parcel]);
                size = 0;
            }
        }
        size += events;
    }
    groups
}

/// Writes a group in one transaction; where its data does not allow that, in two halves.
fn process<'a>(ledger: &'a Ledger, group: &'a [Parcel<'_>]) -> BoxFuture<'a, Vec<(Uuid, Outcome)>> {
    Box::pin(async move {
        let error = match write(ledger, group).await {
            Ok(()) => return Vec::new(),
            Err(error) => error,
        };
        let jobs = || group.iter().map(|parcel| parcel.job.id);
        match (&error, group) {
            (SettleError::Db(error), _) if is_unavailable(error) => rest(ledger, jobs(), error),
            // Taken by somebody else, who will write it.
            (SettleError::Overtaken, [_]) => Vec::new(),
            (_, [parcel]) => match write_in_parts(ledger, parcel).await {
                Ok(()) | Err(SettleError::Overtaken) => Vec::new(),
                Err(SettleError::Db(error)) if is_unavailable(&error) => rest(ledger, jobs(), &error),
                Err(SettleError::Db(error)) => {
                    tracing::error!(%error, delivery = %parcel.delivery_id, "a delivery could not be written");
                    let failure = Failure::new("database", "The database refused a statement; see the log.");
                    vec![(parcel.job.id, Outcome::Retry(failure, None))]
                }
            },
            _ => {
                tracing::warn!(%error, deliveries = group.len(), "a batch could not be written; halving it");
                let (left, right) = group.split_at(group.len() / 2);
                let mut unsettled = process(ledger, left).await;
                unsettled.extend(process(ledger, right).await);
                unsettled
            }
        }
    })
}

fn rest(ledger: &Ledger, jobs: impl Iterator<Item = Uuid>, error: &DbErr) -> Vec<(Uuid, Outcome)> {
    tracing::warn!(%error, "the database is away; deliveries wait");
    let failure = Failure::new("database", "The database did not take writes.");
    jobs.map(|id| (id, Outcome::Snooze(failure.clone(), ledger.now() + REST))).collect()
}

/// All of a group: events, outcomes, replies, settlements, in one transaction.
async fn write(ledger: &Ledger, group: &[Parcel<'_>]) -> Result<(), SettleError> {
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, group.iter().map(|parcel| parcel.job)).await?;
    let now = ledger.now();
    let events: Vec<(&Parcel<'_>, &Event)> =
        group.iter().flat_map(|parcel| parcel.events.iter().map(move |event| (parcel, event))).collect();
    let done = store_events(ledger, &mut tx, &events, now).await?;
    record::outcomes(&tx, &done).await?;
    nobody_was_connected(&tx, &events, &done).await?;
    for parcel in group {
        let of_this = done.iter().filter(|one| one.delivery_id == parcel.delivery_id);
        finish(&tx, parcel, of_this, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// One delivery whose events cannot be written together: in halves of their own transactions, down to the one that is at
/// fault, which is recorded as failed. The effects are idempotent, so a crash between two halves costs nothing.
async fn write_in_parts(ledger: &Ledger, parcel: &Parcel<'_>) -> Result<(), SettleError> {
    let mut done = Vec::with_capacity(parcel.events.len());
    let mut parts: Vec<&[Event]> = vec![&parcel.events];
    while let Some(part) = parts.pop() {
        match write_part(ledger, parcel, part).await {
            Ok(written) => done.extend(written),
            Err(SettleError::Db(error)) if !is_unavailable(&error) => {
                if let [event] = part {
                    tracing::error!(%error, delivery = %parcel.delivery_id, index = event.index, "an event could not be stored");
                    done.push(record_failure(ledger, parcel, event).await?);
                } else {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
            }
            Err(error) => return Err(error),
        }
    }
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [parcel.job]).await?;
    finish(&tx, parcel, done.iter(), ledger.now()).await?;
    tx.commit().await?;
    Ok(())
}

async fn write_part(ledger: &Ledger, parcel: &Parcel<'_>, part: &[Event]) -> Result<Vec<Done>, SettleError> {
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [parcel.job]).await?;
    let events: Vec<_> = part.iter().map(|event| (parcel, event)).collect();
    let done = store_events(ledger, &mut tx, &events, ledger.now()).await?;
    record::outcomes(&tx, &done).await?;
    nobody_was_connected(&tx, &events, &done).await?;
    tx.commit().await?;
    Ok(done)
}

/// An account that had no owner when its events were routed may have been connected since: whoever connected it could not see
/// these outcomes yet, so they must not be written. What failed for this is written anew, and finds the owner.
async fn nobody_was_connected(tx: &Tx, events: &[(&Parcel<'_>, &Event)], done: &[Done]) -> Result<(), DbErr> {
    let unrouted = |one: &Done| one.recorded.outcome == store::Outcome::Unrouted;
    if !done.iter().any(unrouted) {
        return Ok(());
    }
    let looked_for = events.iter().zip(done).filter(|(_, one)| unrouted(one));
    let routes = Routes::find(tx, looked_for.map(|((parcel, event), _)| (parcel.object.as_deref(), *event))).await?;
    if routes.any() { Err(DbErr::Custom("an account was connected meanwhile".to_owned())) } else { Ok(()) }
}

async fn record_failure(ledger: &Ledger, parcel: &Parcel<'_>, event: &Event) -> Result<Done, SettleError> {
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [parcel.job]).await?;
    let recorded = Recorded::plain(store::Outcome::Failed, "database: it could not be stored; see the log");
    let done = vec![Done::new(parcel.delivery_id, event, None, recorded)];
    record::outcomes(&tx, &done).await?;
    tx.commit().await?;
    let mut done = done;
    done.pop().ok_or(SettleError::Overtaken)
}

/// Routes and stores events, and enqueues what follows from those that are new: replies, profiles, files.
async fn store_events(
    ledger: &Ledger,
    tx: &mut Tx,
    events: &[(&Parcel<'_>, &Event)],
    now: Millis,
) -> Result<Vec<Done>, DbErr> {
    for (_, event) in events {
        if let EventBody::Message(message) = &event.body {
            failpoint::hit("webhook.event", message.text.as_deref().unwrap_or_default());
        }
    }
    let routes = Routes::find(tx, events.iter().map(|(parcel, event)| (parcel.object.as_deref(), *event))).await?;
    let mut routed = Vec::with_capacity(events.len());
    let mut done: Vec<Option<Done>> = Vec::with_capacity(events.len());
    let mut positions = Vec::with_capacity(events.len());
    for (at, (parcel, event)) in events.iter().enumerate() {
        match routes.of(parcel.object.as_deref(), event) {
            Ok(connection) => {
                positions.push(at);
                routed.push(Routed { connection, event, received_at: parcel.received_at });
                done.push(None);
            }
            Err(recorded) => done.push(Some(Done::new(parcel.delivery_id, event, None, recorded))),
        }
    }
    let stored = store::store(tx, &ledger.context().settings, &routed, now).await?;
    let organizations: HashMap<Uuid, Uuid> =
        routed.iter().map(|routed| (routed.connection.id, routed.connection.organization_id)).collect();
    let mut follow = Vec::new();
    for (contact, connection) in stored.strangers {
        follow.extend(organizations.get(&connection).map(|of| profile_fetch::job(contact, *of, connection)));
    }
    for (message, connection) in stored.with_files {
        follow.extend(organizations.get(&connection).map(|of| attachment_fetch::job(message, *of, connection)));
    }
    for ((at, routed), recorded) in positions.into_iter().zip(&routed).zip(stored.recorded) {
        let (parcel, event) = events[at];
        if let Some(message_id) = recorded.message_id.filter(|_| recorded.may_be_answered) {
            follow.push(reply_auto::job(message_id, routed.connection, parcel.job.trace_id.clone()));
        }
        done[at] = Some(Done::new(parcel.delivery_id, event, Some(routed.connection), recorded));
    }
    ledger.enqueue(tx, follow).await?;
    Ok(done.into_iter().flatten().collect())
}

/// Closes the delivery and settles its job.
async fn finish(
    tx: &Tx,
    parcel: &Parcel<'_>,
    done: impl Iterator<Item = &Done>,
    now: Millis,
) -> Result<(), SettleError> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for one in done {
        *counts.entry(one.recorded.outcome.as_str()).or_default() += 1;
    }
    let count = |outcome| counts.get(outcome).copied().unwrap_or_default();
    record::close_delivery(tx, parcel, count("unrouted"), count("failed"), now).await?;
    for (outcome, count) in &counts {
        metrics::counter!("retail_assist_webhook_events_total", "outcome" => (*outcome).to_owned())
            .increment(*count as u64);
    }
    let result = match &parcel.malformed {
        Some(reason) => serde_json::json!({ "malformed": reason }),
        None => serde_json::json!(counts),
    };
    let decision = decide(parcel.job, Outcome::Completed(result), now, 0.5);
    settle(tx, parcel.job, &decision, now).await?;
    run::log(parcel.job, &decision);
    Ok(())
}

/// A delivery that nobody will process: closed as failed, its body kept for the operator until its time is over.
fn give_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    failure: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        let Ok(Payload { delivery_id }) = payload::<Payload>(job) else { return Ok(()) };
        let reason = failure.map_or("given up by an operator", |failure| failure.message.as_str());
        record::give_up(tx, delivery_id, reason, ledger.now()).await
    })
}

/// The platform whose accounts an object's events belong to.
fn platform_of(object: Option<&str>) -> Option<&'static str> {
    match Object::from_name(object.unwrap_or_default()) {
        Object::Instagram => Some("instagram"),
        Object::Page => Some("facebook"),
        Object::Other(_) => None,
    }
}
