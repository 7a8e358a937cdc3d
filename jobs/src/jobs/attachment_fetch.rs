//! `attachment.fetch`: looks at the files of a message while Meta still has them: what they are, until when their addresses
//! last, and of a picture a small copy. The message stands whatever comes of it; the job says what went wrong.

mod preview;

use super::one_message::Payload;
use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::{Policy, STANDARD};
use crate::queue::Queue;
use crate::run;
use domain::inbox::attachments::{self, Looked, Named};
use entities::job::Model as Job;
use entities::message;
use futures::future::BoxFuture;
use meta::MediaError;
use meta::media::expires_at;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "attachment.fetch",
    queue: Queue::Maintenance,
    policy: Policy { max_attempts: 5, timeout: Some(Duration::from_secs(300)), ..STANDARD },
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// The job that looks at the files of a message.
pub fn job(message: Uuid, organization: Uuid, connection: Uuid) -> NewJob {
    NewJob::new(&KIND, json!({ "messageId": message }))
        .dedupe_key(format!("attachment:{}", message.simple()))
        .may_wait()
        .serves(organization, connection)
}

/// What was found out, and what may still change.
struct Found {
    position: i32,
    looked: Looked,
    trouble: Option<MediaError>,
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { message_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let skip = |why: &str| Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": why }))));
        let Some(message) = message::Entity::find_by_id(message_id).one(ctx.db.read()).await? else {
            return skip("message_gone");
        };
        if message.deleted_at.is_some() {
            return skip("unsent");
        }
        let known = attachments::known(ctx.db.read(), [message_id]).await?;
        let mut found = Vec::new();
        for file in attachments::named(&message) {
            if !known.iter().any(|known| known.position == file.position && known.status == "available") {
                found.push(look(ledger, &message, &file).await);
            }
        }
        write(ledger, job, &message, found).await
    })
}

async fn look(ledger: &Ledger, message: &message::Model, file: &Named) -> Found {
    let ctx = ledger.context();
    let ends = expires_at(&file.url);
    let status = |status: &'static str| Looked { status, expires_at: ends, ..Looked::default() };
    let (looked, trouble) = match ctx.media.fetch(&file.url).await {
        Ok(media) => {
            // Stories may not be kept, by Meta's terms.
            let keep = ctx.settings.media_previews && message.kind == "image" && file.kind == "image";
            let preview = match media.picture {
                Some(picture) if keep => preview::of(picture).await,
                _ => None,
            };
            let bytes = media.bytes.and_then(|bytes| i64::try_from(bytes).ok());
            let content_type = Some(media.content_type.chars().take(100).collect());
            (Looked { content_type, bytes, preview, ..status("available") }, None)
        }
        Err(error) => {
            let kind = match &error {
                MediaError::Gone(_) => "expired",
                MediaError::Refused(_) | MediaError::TooLarge(_) | MediaError::Type(_) => "refused",
                MediaError::Unavailable(_) => "failed",
            };
            (Looked { note: Some(error.to_string()), ..status(kind) }, Some(error))
        }
    };
    Found { position: file.position, looked, trouble }
}

/// Writes everything down; what may pass is tried again, what went wrong for good is the job's failure.
async fn write(
    ledger: &Ledger,
    job: &Job,
    message: &message::Model,
    found: Vec<Found>,
) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let passing = found.iter().find(|one| matches!(one.trouble, Some(MediaError::Unavailable(_))));
    let broken = found.iter().find(|one| one.trouble.is_some());
    let outcome = match (passing, broken) {
        (Some(one), _) => Outcome::Retry(failure("transient", one), None),
        (None, Some(one)) => Outcome::Discard(failure(class(one), one)),
        (None, None) => Outcome::Completed(shown(&found)),
    };
    let decision = decide(job, outcome, now, rand::random::<f64>());
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    for one in found {
        attachments::write(&tx, message, one.position, one.looked, now).await?;
    }
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

fn class(found: &Found) -> &'static str {
    if found.looked.status == "expired" { "attachment_expired" } else { "attachment_refused" }
}

fn failure(class: &str, found: &Found) -> Failure {
    let why = found.looked.note.clone().unwrap_or_default();
    Failure::new(class, format!("Attachment {}: {why}", found.position + 1))
}

fn shown(found: &[Found]) -> Value {
    let one =
        |one: &Found| json!({ "position": one.position, "status": one.looked.status, "type": one.looked.content_type });
    json!({ "attachments": found.iter().map(one).collect::<Vec<_>>() })
}
