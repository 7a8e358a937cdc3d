//! The account side of the rules against a real SQLite file: sign-in, sessions, keys, plans, connections, reading.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod bench;
mod connecting;
mod letting_go;
mod logins;
mod people;
mod races;
mod reading;
mod sealing;
mod signing_in;
