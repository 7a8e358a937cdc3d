//! `accounts.subscribe`: switches an account's webhooks on at Meta, looks whether they are, and repairs what Meta dropped. It
//! runs after every connection, and every few hours for each account.

use super::meta_answer::{mark, understand};
use super::{Finish, HandlerError, Kind, Run, leave, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::operate::wake_connection;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::connections::{self, LoginRoute, open_token};
use entities::connection;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{Asset, GraphError, Login, Operation};
use sea_orm::EntityTrait as _;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "accounts.subscribe",
    queue: Queue::Interactive,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: leave,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    pub connection_id: Uuid,
}

/// The job that sees to an account's webhooks.
pub fn job(connection: &connection::Model) -> NewJob {
    job_of(connection.id, connection.organization_id)
}

/// The same by ids.
pub(super) fn job_of(connection: Uuid, organization: Uuid) -> NewJob {
    NewJob::new(&KIND, json!({ "connectionId": connection }))
        .dedupe_key(format!("subscribe:{}", connection.simple()))
        .serves(organization, connection)
}

/// Where an account's webhooks are installed, and by which app.
pub(super) fn place_of(connection: &connection::Model) -> (Asset<'_>, Login) {
    match connection.login_route.parse() {
        Ok(LoginRoute::FacebookPage) => (Asset::Page(&connection.external_id), Login::Facebook),
        Ok(LoginRoute::InstagramViaPage) => {
            (Asset::Page(connection.page_id.as_deref().unwrap_or("me")), Login::Facebook)
        }
        _ => (Asset::Instagram, Login::Instagram),
    }
}

fn run<'a>(ledger: &'a Ledger, job: &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>> {
    Box::pin(async move {
        let Payload { connection_id } = match payload(job) {
            Ok(payload) => payload,
            Err(unreadable) => return Ok(unreadable.into()),
        };
        let ctx = ledger.context();
        let found = connection::Entity::find_by_id(connection_id).one(ctx.db.read()).await?;
        let skip = |why: &str| Ok(Finish::Outcome(Outcome::Completed(json!({ "skipped": why }))));
        let Some(connection) = found else { return skip("connection_gone") };
        if matches!(connection.status.as_str(), "disconnected" | "needs_reconnect") {
            return skip(&connection.status);
        }
        let token = match open_token(ctx, &connection) {
            Ok(token) => token,
            Err(error) => {
                let failure = Failure::new("vault", format!("The account's token could not be opened: {error}."));
                return Ok(Finish::Outcome(Outcome::Retry(failure, None)));
            }
        };
        let (asset, login) = place_of(&connection);
        let Some(app) = ctx.meta.app(login) else {
            let failure = Failure::new("app_configuration", "App id or app secret of this login are not set.");
            return Ok(Finish::Outcome(Outcome::Discard(failure)));
        };
        match switch_on(ledger, asset, &token, &app.id).await {
            Ok(Switched::On { fresh }) => done(ledger, job, &connection, fresh).await,
            Ok(Switched::Off) => {
                let failure = Failure::new(
                    "transient",
                    "Meta confirmed that the account's webhooks are on, and does not list them; it is tried again.",
                );
                Ok(Finish::Outcome(Outcome::Retry(failure, None)))
            }
            Err((operation, error)) => trouble(ledger, job, &connection, operation, &error).await,
        }
    })
}

enum Switched {
    On { fresh: bool },
    Off,
}

async fn switch_on(
    ledger: &Ledger,
    asset: Asset<'_>,
    token: &SecretString,
    app_id: &str,
) -> Result<Switched, (Operation, GraphError)> {
    let meta = &ledger.context().meta;
    let look = async || {
        let seen = meta.is_subscribed(asset, token, app_id).await;
        seen.map_err(|error| (Operation::ReadSubscription, error))
    };
    if look().await? {
        return Ok(Switched::On { fresh: false });
    }
    meta.subscribe(asset, token).await.map_err(|error| (Operation::Subscribe, error))?;
    Ok(if look().await? { Switched::On { fresh: true } } else { Switched::Off })
}

async fn done(ledger: &Ledger, job: &Job, connection: &connection::Model, fresh: bool) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    connections::subscription_seen(&tx, connection, fresh, now).await?;
    // A send that found the account waiting for its owner in the moment it came back looks again now.
    wake_connection(&tx, connection.id, ledger.now()).await?;
    let decision = decide(job, Outcome::Completed(json!({ "subscribed": true, "repaired": fresh })), now, 0.5);
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// What a refusal says of the account is written down with the job's end.
async fn trouble(
    ledger: &Ledger,
    job: &Job,
    connection: &connection::Model,
    operation: Operation,
    error: &GraphError,
) -> Result<Finish, HandlerError> {
    let understood = understand(operation, error);
    if understood.passes() {
        return Ok(Finish::Outcome(understood.outcome(None)));
    }
    let now = ledger.now();
    let classified = understood.classified;
    let decision = decide(job, understood.outcome(None), now, 0.5);
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    mark(ledger, &mut tx, connection, classified).await?;
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}
