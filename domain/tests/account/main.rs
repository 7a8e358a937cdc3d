//! The account side of the rules against a real SQLite file: sign-in, sessions, keys, plans, connections, reading.

mod bench;
mod connecting;
mod reading;
mod signing_in;
