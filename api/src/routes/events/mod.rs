//! What changes in the caller's organization, as it happens: a stream of server-sent events for pages that show the inbox.
//! It tells what to show and never what to remember; after a break, pages read again what they show.

mod look;
mod stream;

use super::Tag;
use super::connections::Connection;
use super::conversations::Conversation;
use super::messages::Message;
use crate::app::App;
use crate::auth::Shop;
use crate::problem::{Code, Problem};
use crate::server::Line;
use domain::api_keys::Scope;
use domain::feed::Full;
use futures::stream::BoxStream;
use poem::web::Data;
use poem::web::sse::Event;
use poem_openapi::payload::EventStream;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{ApiResponse, Object, OpenApi, Union};
use std::sync::Arc;
use std::time::Duration;

/// Proxies and browsers hear that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// For whoever comes too many.
const TRY_AGAIN_SECONDS: i64 = 30;

/// How many streams, and how often callers are looked at again.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Of one organization, in this process.
    pub most: usize,
    /// Between two looks at whether the caller's session or key still holds.
    pub check: Duration,
}

impl Default for Streams {
    fn default() -> Self {
        Self { most: 100, check: Duration::from_secs(10) }
    }
}

/// The route of this file.
#[derive(Clone, Copy, Debug)]
pub struct EventRoutes;

/// The stream has begun: read now what is to be shown, and what changes from now on is told.
#[derive(Object)]
struct StreamReady {
    /// The server's time.
    at: String,
}

/// Something may have been missed, or too much has changed at once: read again what is shown.
#[derive(Object)]
struct StreamResync {
    /// `many`, `removed`, `lagging`, `reconnected`, `interrupted`, `shared`, …: for people who look for causes.
    reason: String,
}

/// A scheduled message is new, or has changed.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ScheduledMessageEvent {
    /// `sch_…`
    id: String,
    /// `cnv_…`
    conversation_id: String,
    /// `scheduled`, `released`, `cancelled` or `failed`.
    status: String,
    due_at: String,
    /// `msg_…` of the message it has become.
    message_id: Option<String>,
}

/// The data of an event. Its name says which it is: `ready`, `message`, `conversation`, `connection`, `scheduledMessage`
/// or `resync`.
#[derive(Union)]
enum StreamEvent {
    Ready(StreamReady),
    Message(Box<Message>),
    Conversation(Box<Conversation>),
    Connection(Box<Connection>),
    ScheduledMessage(ScheduledMessageEvent),
    Resync(StreamResync),
}

impl StreamEvent {
    fn resync(reason: &str) -> Self {
        Self::Resync(StreamResync { reason: reason.to_owned() })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "ready",
            Self::Message(_) => "message",
            Self::Conversation(_) => "conversation",
            Self::Connection(_) => "connection",
            Self::ScheduledMessage(_) => "scheduledMessage",
            Self::Resync(_) => "resync",
        }
    }
}

#[derive(ApiResponse)]
enum Opened {
    /// Events, until somebody ends it. An event without a line `event:` is a `message`.
    #[oai(status = 200)]
    Stream(EventStream<BoxStream<'static, StreamEvent>>),
}

#[OpenApi(prefix_path = "/api/events", tag = "Tag::Inbox")]
impl EventRoutes {
    /// What changes from now on: messages with their status, conversations, connections and scheduled messages.
    ///
    /// Each is shown as its own route shows it. The first event is `ready`; after it and after each `resync`, read again what is
    /// shown. Comments keep a quiet stream alive. A key needs the scope `inbox:read`, and `connections:read` to hear of
    /// connections. The stream ends with the session or the key, and when the server stops: connect again. 429
    /// `too_many_requests` when the organization has a hundred open.
    #[oai(path = "/", method = "get", operation_id = "streamEvents")]
    async fn stream(&self, app: Data<&Arc<App>>, line: Data<&Line>, shop: Shop) -> Result<Opened, Problem> {
        shop.require(Scope::InboxRead)?;
        let (most, organization) = (app.streams.most, shop.organization());
        let subscription = app.ctx.db.feed().subscribe(organization, most).await.map_err(|Full| {
            let detail = format!("Your organization has {most} streams open already; close one.");
            Problem::with(Code::TooManyRequests, detail).retry_after(TRY_AGAIN_SECONDS)
        })?;
        let events = stream::open(&app, &line, &shop, subscription);
        let shown = |event: StreamEvent| Event::message(event.to_json_string()).event_type(event.name());
        Ok(Opened::Stream(EventStream::new(events).keep_alive(HEARTBEAT).to_event(shown)))
    }
}
