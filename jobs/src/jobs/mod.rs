//! The list of job kinds, and what a kind is. Each kind has a file of its own with payload, policy, handler and tests; a kind
//! that is not in this list does not exist.

pub mod accounts_check_due;
pub mod accounts_disconnect;
pub mod accounts_save;
pub mod accounts_subscribe;
pub mod attachment_fetch;
mod connect_flow;
pub mod conversations_reconcile;
pub mod conversations_reconcile_due;
pub mod data_delete;
pub mod ledger_prune;
pub mod message_reconcile;
pub mod message_send;
pub mod message_send_scheduled;
pub mod meta_answer;
pub mod notification_mail;
pub mod oauth_exchange_code;
pub mod oauth_expire;
pub mod oauth_fetch_accounts;
mod one_connection;
mod one_message;
pub mod profile_fetch;
pub mod reply_auto;
pub mod token_refresh;
pub mod token_refresh_due;
pub mod webhook_process;

use crate::ledger::Ledger;
use crate::ledger::settle::SettleError;
use crate::outcome::{Decision, Failure, Outcome};
use crate::policy::Policy;
use crate::queue::Queue;
use domain::clock::{DAY, HOUR, Millis};
use domain::db::Tx;
use entities::job::Model as Job;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use uuid::Uuid;

/// What a program can run, and what recurs in it.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    /// Every kind.
    pub kinds: &'static [&'static Kind],
    /// What recurs, and how often.
    pub schedules: &'static [(&'static Kind, Millis)],
}

/// The product's kinds.
pub const CATALOGUE: Catalogue = Catalogue {
    kinds: &[
        &webhook_process::KIND,
        &reply_auto::KIND,
        &message_send::KIND,
        &message_send_scheduled::KIND,
        &message_reconcile::KIND,
        &profile_fetch::KIND,
        &attachment_fetch::KIND,
        &conversations_reconcile::KIND,
        &conversations_reconcile_due::KIND,
        &oauth_exchange_code::KIND,
        &oauth_fetch_accounts::KIND,
        &oauth_expire::KIND,
        &accounts_save::KIND,
        &accounts_subscribe::KIND,
        &accounts_subscribe::CHECK,
        &accounts_check_due::KIND,
        &accounts_disconnect::KIND,
        &token_refresh_due::KIND,
        &token_refresh::KIND,
        &notification_mail::KIND,
        &data_delete::KIND,
        &ledger_prune::KIND,
    ],
    schedules: &[
        (&token_refresh_due::KIND, DAY),
        (&accounts_check_due::KIND, accounts_check_due::EVERY),
        (&conversations_reconcile_due::KIND, conversations_reconcile_due::EVERY),
        (&ledger_prune::KIND, HOUR),
    ],
};

impl Catalogue {
    /// The kind of this name.
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.iter().copied().find(|kind| kind.name == name)
    }
}

/// A kind of job.
#[derive(Debug)]
pub struct Kind {
    /// As stored and shown, e.g. `webhook.process`.
    pub name: &'static str,
    /// Where its jobs wait.
    pub queue: Queue,
    /// How often and how long it is tried.
    pub policy: Policy,
    /// What it does.
    pub run: Run,
    /// What follows when its worker died.
    pub on_lapse: LapseFn,
    /// What it leaves behind when it is discarded or cancelled, and will not run again by itself.
    pub on_given_up: GivenUpFn,
}

/// A handler of one job.
pub type RunOne = for<'a> fn(&'a Ledger, &'a Job) -> BoxFuture<'a, Result<Finish, HandlerError>>;
/// A handler of many jobs at once: settles what it can in the transactions of their effects, and returns the outcomes of
/// the jobs that it has not settled.
pub type RunBatch = for<'a> fn(&'a Ledger, &'a [Job]) -> BoxFuture<'a, Vec<(Uuid, Outcome)>>;
/// Decides on a lapsed job, with effects in the transaction given.
pub type LapseFn = for<'a> fn(&'a Ledger, &'a mut Tx, &'a Job) -> BoxFuture<'a, Result<Lapse, DbErr>>;

/// Puts in order what a job that was given up leaves behind, in the transaction that ends it.
pub type GivenUpFn =
    for<'a> fn(&'a Ledger, &'a mut Tx, &'a Job, Option<&'a Failure>) -> BoxFuture<'a, Result<(), DbErr>>;

/// How a kind runs.
#[derive(Debug)]
pub enum Run {
    /// Each job by itself.
    One(RunOne),
    /// Many at once.
    Batch(RunBatch),
}

/// What a handler has done.
#[derive(Debug)]
pub enum Finish {
    /// Settled the job itself, in the transaction of its effects.
    Settled,
    /// Had no effects of its own (or has committed them): settle it so.
    Outcome(Outcome),
}

/// Why a handler did not finish.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Its transaction could not settle the job.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// Anything else: the job is tried again.
    #[error("{}", .0.message)]
    Failure(Failure),
}

impl HandlerError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Failure(failure) => failure.clone(),
            Self::Settle(error) => Failure::new("database", error.to_string()),
        }
    }
}

impl From<DbErr> for HandlerError {
    fn from(error: DbErr) -> Self {
        Self::Settle(error.into())
    }
}

/// What follows a lapsed lease.
#[derive(Debug)]
pub enum Lapse {
    /// Run it again; three lapses while alone make it poison.
    RunAgain,
    /// Final as decided.
    Settle(Box<Decision>),
}

/// For kinds whose effects are all in their settling transaction.
pub fn run_again<'a>(_: &'a Ledger, _: &'a mut Tx, _: &'a Job) -> BoxFuture<'a, Result<Lapse, DbErr>> {
    Box::pin(async { Ok(Lapse::RunAgain) })
}

/// For kinds that leave nothing behind.
pub fn leave<'a>(_: &'a Ledger, _: &'a mut Tx, _: &'a Job, _: Option<&'a Failure>) -> BoxFuture<'a, Result<(), DbErr>> {
    Box::pin(async { Ok(()) })
}

/// A payload this program cannot read will not become readable by waiting.
pub(crate) fn payload<T: serde::de::DeserializeOwned>(job: &Job) -> Result<T, Unreadable> {
    serde_json::from_str(&job.payload).map_err(|error| Unreadable(error.to_string()))
}

/// Why a payload could not be read.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl From<Unreadable> for Finish {
    fn from(Unreadable(error): Unreadable) -> Self {
        let failure = Failure::new("internal", format!("The payload cannot be read: {error}"));
        Self::Outcome(Outcome::Discard(failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let kinds = CATALOGUE.kinds;
        for (at, one) in kinds.iter().enumerate() {
            assert_eq!(CATALOGUE.kind(one.name).map(|k| k.name), Some(one.name));
            assert!(kinds[at + 1..].iter().all(|other| other.name != one.name));
        }
        assert!(CATALOGUE.kind("nonsense").is_none());
    }
}
