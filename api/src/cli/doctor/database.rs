//! The database: that it is there, takes a write, has this program's schema, and tells the time that we do.
//! It is opened as it is: nothing is made or brought up to date by looking.

use super::clock::{self, Limits};
use super::report::Finding;
use super::{WITHIN, within};
use crate::settings::Settings;
use crate::telemetry::database::{self, Schema};
use domain::clock::{Clock as _, SECOND, SystemClock};
use domain::db::Db;
use domain::plans;
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};
use secrecy::ExposeSecret as _;

const NAME: &str = "database";
const MIGRATE: &str = "run `retail-assist migrate`, or start the service, which does it too";

/// Opens it, or says why not.
pub async fn open(settings: &Settings) -> Result<Db, Finding> {
    let opening = Db::open_existing(settings.database_url.expose_secret());
    let unreachable = |why: &str| {
        Finding::problem(
            NAME,
            format!(
                "{why}; correct DATABASE_URL or start the database, and if it is a file that is not there yet, \
                 `retail-assist migrate` makes it"
            ),
        )
    };
    match tokio::time::timeout(WITHIN, opening).await {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(unreachable(&error.to_string())),
        Err(_late) => Err(unreachable(&format!("there was no answer within {} s", WITHIN.as_secs()))),
    }
}

pub async fn check(settings: &Settings, db: &Db) -> Vec<Finding> {
    let checks = async {
        let schema = database::schema(db.read()).await;
        let mut found = vec![Finding::ok(NAME, "it answers, and keeps what it commits"), of_schema(&schema)];
        // Without the schema there is no table to ask.
        if schema.is_ok_and(|schema| schema.pending == 0) {
            found.push(of_write(db).await);
            found.extend(of_plan(settings, db).await);
        }
        found.extend(of_clock(db).await);
        found
    };
    within(NAME, checks, |late| vec![late]).await
}

fn of_schema(schema: &Result<Schema, DbErr>) -> Finding {
    const NAME: &str = "migrations";
    match schema {
        Ok(Schema { pending: 0, unknown: 0 }) => Finding::ok(NAME, "the schema is this program's"),
        Ok(Schema { pending: 0, unknown }) => Finding::warning(
            NAME,
            format!(
                "{unknown} changes of the schema are not known to this program; a newer version was here: run that one"
            ),
        ),
        Ok(Schema { pending, .. }) => {
            Finding::problem(NAME, format!("{pending} changes of the schema are missing; {MIGRATE}"))
        }
        Err(error) => Finding::problem(NAME, format!("there is no schema that can be read ({error}); {MIGRATE}")),
    }
}

async fn of_write(db: &Db) -> Finding {
    const NAME: &str = "database-write";
    match database::write(db, SystemClock.now()).await {
        Ok(()) => Finding::ok(NAME, "it takes a write"),
        Err(error) => Finding::problem(
            NAME,
            format!("it takes no write ({error}); look for a full disk, missing rights, or a standby server"),
        ),
    }
}

/// The catalogue is data, so this setting can be checked only here; a service with a wrong one does not start.
async fn of_plan(settings: &Settings, db: &Db) -> Option<Finding> {
    const NAME: &str = "settings";
    let plan = settings.domain.signup_plan.as_deref()?;
    match plans::find(db.read(), plan).await {
        Ok(Some(_)) => None,
        Ok(None) => Some(Finding::problem(
            NAME,
            "SIGNUP_PLAN is not a plan of the catalogue; use starter, pro, team, enterprise or closed",
        )),
        Err(error) => Some(Finding::problem(NAME, format!("SIGNUP_PLAN cannot be looked up: {error}"))),
    }
}

/// A file has no clock of its own.
async fn of_clock(db: &Db) -> Option<Finding> {
    const NAME: &str = "database-clock";
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";
    const LIMITS: Limits = Limits { warning: 2 * SECOND, problem: 30 * SECOND };
    if db.backend() != DbBackend::Postgres {
        return None;
    }
    let before = SystemClock.now();
    let row = db.read().query_one_raw(Statement::from_string(DbBackend::Postgres, NOW)).await;
    let ours = before.midpoint(SystemClock.now());
    let theirs = row.and_then(|row| row.map(|row| row.try_get::<i64>("", "now")).transpose());
    Some(match theirs {
        Ok(Some(theirs)) => clock::judge(NAME, "the database's", ours.saturating_sub(theirs), &LIMITS),
        Ok(None) => Finding::problem(NAME, "the database tells no time"),
        Err(error) => Finding::problem(NAME, format!("the database tells no time: {error}")),
    })
}
