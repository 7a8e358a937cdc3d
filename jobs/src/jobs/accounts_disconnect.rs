//! `accounts.disconnect`: tells Meta that a disconnected account's webhooks are no longer wanted, unless somebody else needs
//! them, and removes the token then.

use super::accounts_subscribe::{self, place_of};
use super::meta_answer::understand;
use super::one_connection::{Payload, connection_of};
use super::{Finish, HandlerError, Kind, Run, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::connections::{self, open_token};
use domain::db::Tx;
use entities::connection;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{ErrorClass, Operation};
use sea_orm::{DbErr, EntityTrait as _};
use serde_json::json;

/// The kind.
pub static KIND: Kind = Kind {
    name: "accounts.disconnect",
    queue: Queue::Interactive,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: given_up,
};

/// The job that takes leave of an account at Meta.
pub fn job(connection: &connection::Model) -> NewJob {
    NewJob::new(&KIND, json!({ "connectionId": connection.id }))
        .dedupe_key(format!("disconnect:{}:{}", connection.id.simple(), connection.token_version))
        .serves(connection.organization_id, connection.id)
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let connection = match connection_of(ledger, job).await? {
            Ok(connection) => connection,
            Err(end) => return Ok(end),
        };
        let ctx = ledger.context();
        if connection.status != "disconnected" {
            // An earlier try may have switched its webhooks off, without having learnt of it.
            return finish(ledger, job, &connection, "connected_again").await;
        }
        if !connections::sharing(ctx.db.read(), &connection).await?.is_empty() {
            return finish(ledger, job, &connection, "kept_for_another_connection").await;
        }
        let Ok(token) = open_token(ctx, &connection) else {
            return finish(ledger, job, &connection, "no_token").await;
        };
        let (asset, _) = place_of(&connection);
        match ctx.meta.unsubscribe(asset, &token).await {
            Ok(()) => finish(ledger, job, &connection, "switched_off").await,
            Err(error) => {
                let understood = understand(Operation::Unsubscribe, &error);
                if understood.passes() || understood.classified.class == ErrorClass::AppConfiguration {
                    return Ok(Finish::Outcome(match understood.classified.class {
                        ErrorClass::AppConfiguration => Outcome::Retry(understood.failure, None),
                        _ => understood.outcome(ledger.now(), None),
                    }));
                }
                // A token that Meta does not accept any more gets no webhooks either.
                tracing::info!(job = %job.id, class = understood.failure.class, "Meta did not take the leave");
                finish(ledger, job, &connection, "refused_by_meta").await
            }
        }
    })
}

async fn finish(
    ledger: &Ledger,
    job: &Job,
    connection: &connection::Model,
    webhooks: &str,
) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    connections::wipe_token(&tx, connection).await?;
    again(ledger, &mut tx, job, connection).await?;
    let decision = decide(job, Outcome::Completed(json!({ "webhooks": webhooks })), now, 0.5);
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// Whoever has come meanwhile gets the webhooks that were just switched off.
async fn again(ledger: &Ledger, tx: &mut Tx, job: &Job, connection: &connection::Model) -> Result<(), DbErr> {
    let owners = connections::sharing(tx.conn(), connection).await?;
    let jobs = owners.iter().map(|owner| accounts_subscribe::after(owner, job));
    ledger.enqueue(tx, jobs.collect()).await?;
    Ok(())
}

/// Meta could not be told: the webhooks find no owner here, and the token goes all the same.
fn given_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    _: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        let Ok(Payload { connection_id }) = payload(job) else { return Ok(()) };
        if let Some(connection) = connection::Entity::find_by_id(connection_id).one(tx.conn()).await? {
            connections::wipe_token(tx, &connection).await?;
            again(ledger, tx, job, &connection).await?;
        }
        Ok(())
    })
}
