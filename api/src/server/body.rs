//! The body of a request: at most 1 MiB however it is framed, within 10 seconds, and never compressed.
//! It is read here, once, so that no route can forget its limit.

use crate::problem::{Code, Problem};
use http::header::CONTENT_ENCODING;
use poem::error::ReadBodyError;
use poem::{Body, Request};
use std::time::Duration;

/// Largest body.
pub const LIMIT: usize = 1 << 20;
/// The body is there by then.
const WITHIN: Duration = Duration::from_secs(10);

/// Replaces the request's stream by its bytes.
pub async fn read(request: &mut Request) -> Result<(), Problem> {
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let read = tokio::time::timeout(WITHIN, request.take_body().into_bytes_limit(LIMIT)).await;
    match read {
        Ok(Ok(bytes)) => {
            request.set_body(Body::from_bytes(bytes));
            Ok(())
        }
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(Problem::new(Code::PayloadTooLarge)),
        // The caller went away or broke the framing; nobody is likely to read the answer.
        Ok(Err(_)) => Err(Problem::with(Code::InvalidRequest, "The body of the request broke off.")),
        Err(_elapsed) => Err(Problem::new(Code::RequestTimeout)),
    }
}
