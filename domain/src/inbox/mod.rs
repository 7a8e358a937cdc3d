//! The inbox: what contacts and shops wrote to each other. Storing and reading have a file each.

pub mod threads;
