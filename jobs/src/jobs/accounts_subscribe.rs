//! `accounts.subscribe`: switches an account's webhooks on at Meta, looks whether they are, and repairs what Meta dropped. It
//! runs after every connection, and every few hours for each account.

use super::meta_answer::{mark, tell, understand};
use super::one_connection::{Payload, connection_of, skipped};
use super::{Finish, HandlerError, Kind, Run, conversations_reconcile, payload, run_again};
use crate::ledger::Ledger;
use crate::ledger::enqueue::NewJob;
use crate::ledger::operate::wake_connection;
use crate::ledger::settle::{settle, still_held};
use crate::outcome::{Failure, Outcome, decide};
use crate::policy::STANDARD;
use crate::queue::Queue;
use crate::run;
use domain::connections::{self, LoginRoute, TokenError, open_token};
use domain::db::Tx;
use domain::notifications;
use entities::connection;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use meta::{Asset, GraphError, Login, Operation};
use sea_orm::{DbErr, EntityTrait as _};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

/// The kind.
pub static KIND: Kind = Kind {
    name: "accounts.subscribe",
    queue: Queue::Interactive,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: given_up,
};

/// The same look, every few hours, where nobody waits for it.
pub static CHECK: Kind = Kind {
    name: "accounts.check",
    queue: Queue::Maintenance,
    policy: STANDARD,
    run: Run::One(run),
    on_lapse: run_again,
    on_given_up: given_up,
};

/// The job that switches on the webhooks of an account that was just connected: one for each token, for one that is under way
/// with a former token finds nothing out.
pub fn job(connection: &connection::Model) -> NewJob {
    NewJob::new(&KIND, json!({ "connectionId": connection.id }))
        .dedupe_key(format!("subscribe:{}:{}", connection.id.simple(), connection.token_version))
        .serves(connection.organization_id, connection.id)
}

/// The job that switches them on again after another job has switched them off for somebody else.
pub(super) fn after(connection: &connection::Model, other: &Job) -> NewJob {
    job(connection).dedupe_key(format!("subscribe:{}:after:{}", connection.id.simple(), other.id.simple()))
}

/// The job that looks after them.
pub(super) fn check(connection: Uuid, organization: Uuid) -> NewJob {
    NewJob::new(&CHECK, json!({ "connectionId": connection }))
        .dedupe_key(format!("check:{}", connection.simple()))
        .serves(organization, connection)
}

/// Where an account's webhooks are installed, and by which app.
pub fn place_of(connection: &connection::Model) -> (Asset<'_>, Login) {
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
        let connection = match connection_of(ledger, job).await? {
            Ok(connection) => connection,
            Err(end) => return Ok(end),
        };
        let ctx = ledger.context();
        if matches!(connection.status.as_str(), "disconnected" | "needs_reconnect") {
            return Ok(skipped(&connection.status));
        }
        let token = match open_token(ctx, &connection) {
            Ok(token) => token,
            Err(TokenError::Missing) => return Ok(skipped("no_token")),
            Err(error) => {
                let failure = Failure::new("vault", format!("The account's token could not be opened: {error}."));
                return Ok(Finish::Outcome(Outcome::Retry(failure, None)));
            }
        };
        let (_, login) = place_of(&connection);
        if ctx.meta.app(login).is_none() {
            let failure = Failure::new("app_configuration", "App id or app secret of this login are not set.");
            return Ok(Finish::Outcome(Outcome::Discard(failure)));
        }
        match switch_on(ledger, &connection, &token).await {
            Ok(Switched::On { fresh }) => done(ledger, job, &connection, &token, fresh).await,
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
    connection: &connection::Model,
    token: &SecretString,
) -> Result<Switched, (Operation, GraphError)> {
    let (meta, (asset, _)) = (&ledger.context().meta, place_of(connection));
    let look = async |needed| {
        let seen = meta.is_subscribed(asset, token, needed).await;
        seen.map_err(|error| (Operation::ReadSubscription, error))
    };
    // A new connection asks for what we need, whatever somebody else may have asked for before.
    let mut was_on = false;
    if connection.subscribed_at.is_some() {
        match look(asset.fields()).await? {
            Some(true) => return Ok(Switched::On { fresh: false }),
            Some(false) => {}
            None => was_on = true,
        }
    }
    meta.subscribe(asset, token).await.map_err(|error| (Operation::Subscribe, error))?;
    // Meta may list fewer fields than it has confirmed. Where it lists none, its word has to do.
    match look(Asset::ESSENTIAL).await? {
        Some(false) => Ok(Switched::Off),
        Some(true) | None => Ok(Switched::On { fresh: !was_on }),
    }
}

async fn done(
    ledger: &Ledger,
    job: &Job,
    connection: &connection::Model,
    token: &SecretString,
    fresh: bool,
) -> Result<Finish, HandlerError> {
    let now = ledger.now();
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    if !connections::subscription_seen(&tx, connection, fresh, now).await? {
        tx.rollback().await?;
        return left_meanwhile(ledger, connection, token).await;
    }
    if job.kind == KIND.name {
        // A send that found the account waiting for its owner in the moment it came back looks again now.
        wake_connection(&tx, connection.id, now).await?;
    }
    // What an account that has been here before was written while Meta told nobody. One that came back has a new token.
    let been_here = connection.subscribed_at.is_some() || connection.token_version > 1;
    if been_here && (fresh || job.kind == KIND.name) {
        let look = conversations_reconcile::soon(connection.id, connection.organization_id);
        ledger.enqueue(&mut tx, vec![look.trace(job.trace_id.clone())]).await?;
    }
    let decision = decide(job, Outcome::Completed(json!({ "subscribed": true, "repaired": fresh })), now, 0.5);
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// The owner has disconnected the account while its webhooks were being switched on: Meta may have taken leave and greeting in
/// either order, so leave is taken again, with the token that is still in hand.
async fn left_meanwhile(
    ledger: &Ledger,
    connection: &connection::Model,
    token: &SecretString,
) -> Result<Finish, HandlerError> {
    let ctx = ledger.context();
    if connections::sharing(ctx.db.read(), connection).await?.is_empty() {
        let (asset, _) = place_of(connection);
        if let Err(error) = ctx.meta.unsubscribe(asset, token).await {
            tracing::warn!(connection = %connection.id, %error, "webhooks of a disconnected account may be on at Meta");
        }
    }
    Ok(skipped("disconnected"))
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
        return Ok(Finish::Outcome(understood.outcome(ledger.now(), None)));
    }
    let now = ledger.now();
    let classified = understood.classified;
    let decision = decide(job, understood.outcome(now, None), now, 0.5);
    let mut tx = ledger.context().db.begin().await?;
    still_held(&tx, [job]).await?;
    mark(ledger, &mut tx, connection, classified).await?;
    webhooks_off(ledger, &mut tx, connection).await?;
    settle(&tx, job, &decision, now).await?;
    tx.commit().await?;
    run::log(job, &decision);
    Ok(Finish::Settled)
}

/// An account whose webhooks cannot be switched on gets no messages: its owner is told, once for each time they were on.
async fn webhooks_off(ledger: &Ledger, tx: &mut Tx, connection: &connection::Model) -> Result<(), DbErr> {
    let now = connection::Entity::find_by_id(connection.id).one(tx.conn()).await?;
    let Some(connection) = now.filter(|row| matches!(row.status.as_str(), "active" | "over_plan")) else {
        return Ok(());
    };
    let text = format!("{} does not get messages at the moment: Meta does not deliver them to us.", connection.name);
    let ctx = ledger.context();
    let turn = connection.subscribed_at.unwrap_or(connection.token_version);
    let told = notifications::tell(tx, ctx, &connection, "webhooks_off", turn, &text).await?;
    tell(ledger, tx, told).await
}

fn given_up<'a>(
    ledger: &'a Ledger,
    tx: &'a mut Tx,
    job: &'a Job,
    failure: Option<&'a Failure>,
) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async move {
        let Ok(Payload { connection_id }) = payload(job) else { return Ok(()) };
        if failure.is_none() {
            // An operator ended it, which says nothing of the webhooks.
            return Ok(());
        }
        match connection::Entity::find_by_id(connection_id).one(tx.conn()).await? {
            Some(connection) => webhooks_off(ledger, tx, &connection).await,
            None => Ok(()),
        }
    })
}
