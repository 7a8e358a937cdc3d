//! Files as Meta's own servers give them out: small, real, and behind links that may end.
//! Some names misbehave on purpose, because whoever fetches what a stranger sent must survive it.

pub(crate) mod files;
pub(crate) mod links;

use std::{io::Cursor, sync::Arc};

use poem::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode},
};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;

use crate::{
    faults::Group,
    graph::{call::pairs, waiting::hang},
    world::Shared,
};

use self::files::File;

/// The size of `huge.png`, more than any attachment of a message may have.
const HUGE: u64 = 30 * 1024 * 1024;
/// How long `slow.png` hangs.
const SLOW_MS: u64 = 30_000;

/// Answers a request below `/media`.
pub(crate) async fn answer(shared: &Arc<Shared>, request: &Request) -> Response {
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        return text(StatusCode::METHOD_NOT_ALLOWED, "Files are read.");
    }
    let uri = request.original_uri();
    let query = pairs(uri.query().unwrap_or_default());
    let (fault, now) = shared.read(|world| {
        world.counters.media_reads += 1;
        (world.faults.fire_any(Group::MediaRead, &[], &[], &mut world.rng), world.clock.now())
    });
    if fault.is_some() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable");
    }
    if let Some(why) = over(&query, now) {
        return text(StatusCode::FORBIDDEN, why);
    }
    let name = uri.path().strip_prefix("/media/").unwrap_or_default();
    match (name, files::named(name)) {
        ("missing.png", _) | (_, None) => text(StatusCode::NOT_FOUND, "Not found"),
        ("redirect.png", _) => redirect(&query),
        ("huge.png", Some(file)) => huge(file),
        ("slow.png", Some(file)) => {
            // Whoever hung up gets nothing either way.
            let _ = hang(shared, request.remote_addr().as_socket_addr().copied(), SLOW_MS).await;
            whole(file)
        }
        (_, Some(file)) => whole(file),
    }
}

/// Why a link is not good any more: `oe` is its end, in hexadecimal seconds. Without one it has none.
fn over(query: &Map<String, Value>, now: i64) -> Option<&'static str> {
    let end = query.get("oe").and_then(Value::as_str)?;
    match i64::from_str_radix(end, 16) {
        Ok(end) => (now > end.saturating_mul(1000)).then_some("URL signature expired"),
        Err(_) => Some("Bad URL timestamp"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response {
    Response::builder().status(status).content_type("text/plain").body(text)
}

fn whole(file: &File) -> Response {
    Response::builder().content_type(file.mime).header("content-length", file.bytes.len()).body(file.bytes)
}

/// It begins like the picture it says it is, and goes on and on.
fn huge(file: &'static File) -> Response {
    let bytes = Cursor::new(file.bytes).chain(tokio::io::repeat(0)).take(HUGE);
    let body = Body::from_async_read(bytes);
    Response::builder().content_type(file.mime).header("content-length", HUGE).body(body)
}

fn redirect(query: &Map<String, Value>) -> Response {
    let to = query.get("to").and_then(Value::as_str).and_then(|to| HeaderValue::from_str(to).ok());
    match to {
        Some(to) => Response::builder().status(StatusCode::FOUND).header("location", to).finish(),
        None => text(StatusCode::BAD_REQUEST, "to must say where"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_end_by_the_clock() {
        let ends = |query: &str, now| over(&pairs(query), now).is_some();
        assert!(!ends("", i64::MAX));
        assert!(!ends("oe=6ab13b80&x=1", 0x6ab1_3b80_i64 * 1000));
        assert!(ends("oe=6ab13b80&x=1", 0x6ab1_3b80_i64 * 1000 + 1));
        assert!(ends("oe=soon", 0));
    }
}
