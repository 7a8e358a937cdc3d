//! The checker as Meta: what webhooks it makes, how they look on the wire, and the client that carries them to the API.

pub mod body;
pub mod client;
pub mod plan;
