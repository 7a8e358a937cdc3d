//! `token.refresh`: gives one token a new life. The new token is stored only if nothing happened to the connection meanwhile,
//! the old one stays on every failure, and only what Meta says of the token itself marks the connection.

use super::meta_answer::{mark, understand};
use super::oauth_fetch_accounts::USUAL_LIFE;
use super::one_connection::{connection_of, skipped};
use super::{Finish, HandlerError, Kind, Run, leave, run_again};
use crate::failpoint;
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::clock::{Millis, SECOND};
use domain::connections::{self, NotNow, StoreError, may_refresh, open_token};
use entities::connection;
use entities::job::{self, Model as Job};
use futures::future::BoxFuture;
use meta::{Classified, ErrorClass, GraphError, LongLivedToken, Operation, classify};
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "token.refresh",
    queue: Queue::Maintenance,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

/// The job that refreshes a connection's token; there is one at a time.
pub fn job(connection: Uuid, organization: Uuid) -> NewJob {
    NewJob::new(&KIND, json!({ "connectionId": connection }))
        .dedupe_key(format!("refresh:{}", connection.simple()))
        .serves(organization, connection)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let connection = match connection_of(ledger, job).await? {
            Ok(connection) => connection,
            Err(end) => return Ok(end),
        };
        let ctx = ledger.context();
        let asked_at = ledger.now();
        match may_refresh(&connection, asked_at) {
            Ok(()) => {}
            Err(NotNow::NotKept) => return Ok(skipped("not_kept_alive")),
            Err(NotNow::TooYoung) => return Ok(skipped("younger_than_a_day")),
            Err(NotNow::Expired) => {
                let expired = Classified {
                    class: ErrorClass::Reconnect,
                    hint: "The access has expired; connect the account again.",
                };
                return marked(ledger, job, &connection, expired, Failure::new("reconnect", expired.hint)).await;
            }
        }
        let token = match open_token(ctx, &connection) {
            Ok(token) => token,
            Err(error) => {
                let failure = Failure::new("vault", format!("The account's token could not be opened: {error}."));
                return Ok(Finish::Outcome(Outcome::Retry(failure, connection.token_expires_at)));
            }
        };
        let answer = ctx.meta.refresh_token(&token).await;
        failpoint::hit("token.refreshed", "");
        match answer {
            Ok(new) => store(ledger, job, &connection, &new, asked_at).await,
            Err(error) => refused(ledger, job, &connection, &token, &error).await,
        }
    })
}

async fn store(
    ledger: &Ledger,
    job: &Job,
    connection: &connection::Model,
    new: &LongLivedToken,
    asked_at: Millis,
) -> Result<Finish, HandlerError> {
    let life = new.expires_in.map_or(USUAL_LIFE, |seconds| seconds.saturating_mul(SECOND));
    let ends_at = asked_at.saturating_add(life);
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    let stored = match connections::store(&tx, ledger.context(), connection, &new.token, asked_at, ends_at).await {
        Ok(stored) => stored,
        Err(StoreError::Db(error)) => return Err(error.into()),
        Err(error) => return Err(HandlerError::Failure(Failure::new("vault", error.to_string()))),
    };
    let result = if stored { json!({ "refreshed": true }) } else { json!({ "skipped": "changed_meanwhile" }) };
    let decision = decide(job, Outcome::Completed(result), ledger.now(), 0.5);
    settle(&tx, job, &decision, ledger.now()).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

async fn refused(
    ledger: &Ledger,
    job: &Job,
    connection: &connection::Model,
    token: &SecretString,
    error: &GraphError,
) -> Result<Finish, HandlerError> {
    let mut understood = understand(Operation::TokenRefresh, error);
    if understood.classified.class == ErrorClass::Reconnect && error.code == Some(100) {
        // Meta says this of tokens of another kind, and of every token when it has changed the call: one account after the
        // other would be marked for what is an incident of Meta's. A token that still answers is only of no use when this
        // account alone is told so, which the second try can tell.
        let may_live = match ledger.context().meta.instagram_account(token).await {
            Ok(_) => job.attempt < 2 || others_alike(ledger, job, &understood.failure).await?,
            Err(error) => classify(Operation::ReadAccounts, &error).class != ErrorClass::Reconnect,
        };
        if may_live {
            understood.failure.class = ErrorClass::Transient.as_str().to_owned();
            return Ok(Finish::Outcome(Outcome::Retry(understood.failure, connection.token_expires_at)));
        }
    }
    if understood.passes() {
        return Ok(Finish::Outcome(understood.outcome(ledger.now(), connection.token_expires_at)));
    }
    marked(ledger, job, connection, understood.classified, understood.failure).await
}

/// Whether the refreshes of other accounts are failing with the same code.
async fn others_alike(ledger: &Ledger, job: &Job, failure: &Failure) -> Result<bool, DbErr> {
    use job::Column as C;
    // What waits and what runs lies in an index each.
    for states in [&["retryable", "available", "snoozed"] as &[&str], &["running"]] {
        let alike = job::Entity::find()
            .filter(C::Queue.eq(&job.queue))
            .filter(C::State.is_in(states.iter().copied()))
            .filter(C::Kind.eq(KIND.name))
            .filter(C::ErrorCode.eq(failure.code.as_deref()))
            .filter(C::Id.ne(job.id));
        if alike.one(ledger.context().db.read()).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends the job with what was found out about the account.
async fn marked(
    ledger: &Ledger,
    job: &Job,
    connection: &connection::Model,
    classified: Classified,
    failure: Failure,
) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let decision = decide(job, Outcome::Discard(failure), now, 0.5);
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    mark(ledger, &mut tx, connection, classified).await?;
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}
