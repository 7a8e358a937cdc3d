//! For tests only: Postgres and Redis servers of our own, and a fresh database for each test on the set-up that was asked for.
//! It knows nothing of the product, so that what a test sees of a database is not seen through the code under test.

mod chromium;
mod database;
mod dump;
mod port;
mod postgres;
mod programs;
mod psql;
mod redis;
mod server;
mod setup;

pub use chromium::Chromium;
pub use database::Database;
pub use port::free as free_port;
pub use postgres::Postgres;
pub use redis::Redis;
pub use setup::{POSTGRES_URL, REDIS_URL, SETUP, Setup};
