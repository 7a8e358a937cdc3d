//! The built programs as processes of their own, spoken to over HTTP and judged by what the sandbox counted.

mod crashes;
mod disk;
mod journey;
mod process;
mod system;
mod webhooks;
