//! Meta's interfaces: webhook payloads and signatures, signed requests, the Send API, errors and their classes.
//! This crate knows Meta and nothing of the product, so that everything Meta may change stands in one place.

mod json;
mod redact;

pub mod accounts;
pub mod app;
pub mod class;
pub mod client;
pub mod error;
pub mod media;
pub mod messaging;
pub mod oauth;
pub mod signature;
pub mod signed_request;
pub mod usage;
pub mod webhook;

pub use accounts::{Asset, Cursor, InstagramAccount, LinkedInstagram, Page};
pub use app::{AppIdentity, AppSubscription, Probe, VersionEnd, version_end};
pub use class::{Classified, DEAD_TOKEN, ErrorClass, Operation, classify, is_not_offered};
pub use client::{MetaClient, Settings, SettingsError, Timeouts};
pub use error::{Cause, GraphError};
pub use media::{Media, MediaClient, MediaError};
pub use messaging::{
    Content, ConversationMessage, ListedConversation, Profile, Route, SendError, SendRequest, Sent, Tag, TextLimit,
    text_limit,
};
pub use oauth::{App, Asks, CodeToken, Login, LongLivedToken, clean_code};
pub use signature::{AppSecrets, SignatureError, appsecret_proof};
pub use signed_request::{SignedRequest, SignedRequestError};
pub use usage::{BusinessUsage, Usage};
pub use webhook::{Delivery, Event, EventBody, MalformedBody, Message, MessageKind, Object};
