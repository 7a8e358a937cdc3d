//! How workers of other processes are rung. A bell that is away costs `JOB_TICK` and no job, so it is never worse than a
//! warning.

use super::report::Finding;
use crate::settings::Settings;
use secrecy::ExposeSecret as _;

const NAME: &str = "bell";

pub async fn check(settings: &Settings) -> Vec<Finding> {
    let finding = match &settings.ledger.redis_url {
        Some(url) => match jobs::bell::ping(url).await {
            Ok(()) => Finding::ok(NAME, "Redis answers; workers of all processes are rung through it"),
            Err(error) => Finding::warning(
                NAME,
                format!(
                    "the Redis of REDIS_URL does not answer ({error}): jobs begin up to JOB_TICK later, and none is lost; \
                     start it, or correct or unset REDIS_URL"
                ),
            ),
        },
        None if settings.database_url.expose_secret().starts_with("postgres") => {
            Finding::ok(NAME, "REDIS_URL is not set; processes ring each other by Postgres' NOTIFY")
        }
        None => Finding::ok(
            NAME,
            "REDIS_URL is not set; workers are rung inside their process, and other processes on this SQLite file find jobs \
             within JOB_TICK",
        ),
    };
    vec![finding]
}
