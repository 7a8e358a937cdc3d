//! The Graph API as far as messaging needs it.
//! Hosts, tokens, sends and reads each have a file.

pub(crate) mod versions;
