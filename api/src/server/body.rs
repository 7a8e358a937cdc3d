//! The body of a request: at most 1 MiB however it is framed, within 10 seconds, and never compressed.
//! It is read here, once, so that no route can forget its limit.

use super::head::TwoLengths;
use crate::problem::{Code, Problem};
use futures::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use poem::{Body, Request};
use std::time::Duration;

/// Largest body.
const LIMIT: usize = 1 << 20;
/// What is read and thrown away beyond it, so that the caller is done sending and reads our refusal.
const DISCARD: usize = 32 << 20;
/// The body is there by then.
const WITHIN: Duration = Duration::from_secs(10);

/// Replaces the request's stream by its bytes.
pub async fn read(request: &mut Request) -> Result<(), Problem> {
    if request.data::<TwoLengths>().is_some() {
        return Err(Problem::new(Code::BadFraming).closing());
    }
    // More than would be read is not waited for.
    if declared(request).is_some_and(|length| length > DISCARD as u64) {
        return Err(Problem::new(Code::PayloadTooLarge).closing());
    }
    let compressed = request.headers().contains_key(CONTENT_ENCODING);
    let limit = if compressed { 0 } else { LIMIT };
    let read = tokio::time::timeout(WITHIN, collect(request.take_body(), limit)).await;
    match read {
        _ if compressed => Err(Problem::new(Code::UnsupportedMediaType)),
        Ok(Ok(bytes)) => {
            request.set_body(Body::from_vec(bytes));
            Ok(())
        }
        Ok(Err(problem)) => Err(problem),
        Err(_elapsed) => Err(Problem::new(Code::RequestTimeout)),
    }
}

fn declared(request: &Request) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut discarded) = (Vec::new(), 0_usize);
    let mut stream = std::pin::pin!(body.into_bytes_stream());
    while let Some(part) = stream.next().await {
        // The caller went away or broke the framing; nobody is likely to read the answer.
        let part = part.map_err(|_| Problem::with(Code::InvalidRequest, "The body of the request broke off."))?;
        if discarded == 0 && bytes.len() + part.len() <= limit {
            bytes.extend_from_slice(&part);
            continue;
        }
        bytes = Vec::new();
        discarded += part.len();
        if discarded > DISCARD {
            break;
        }
    }
    if discarded > 0 { Err(Problem::new(Code::PayloadTooLarge)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    async fn code(mut request: Request) -> Option<Code> {
        read(&mut request).await.err().map(|problem| problem.code())
    }

    fn of_parts(parts: Vec<Vec<u8>>) -> Request {
        let parts = stream::iter(parts.into_iter().map(Ok::<_, std::io::Error>));
        Request::builder().body(Body::from_bytes_stream(parts))
    }

    #[tokio::test]
    async fn the_limit_is_counted_as_bytes_come() {
        let half = vec![b'x'; LIMIT / 2];
        assert_eq!(code(of_parts(vec![half.clone(), half.clone()])).await, None);
        assert_eq!(code(of_parts(vec![half.clone(), half, b"x".to_vec()])).await, Some(Code::PayloadTooLarge));
        assert_eq!(code(of_parts(vec![vec![0; LIMIT]; 100])).await, Some(Code::PayloadTooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let stream = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = Request::builder().body(Body::from_bytes_stream(stream));
        assert_eq!(code(request).await, Some(Code::RequestTimeout));
    }

    #[tokio::test]
    async fn compressed_bodies_are_refused() {
        let request = Request::builder().header("Content-Encoding", "gzip").body("x");
        assert_eq!(code(request).await, Some(Code::UnsupportedMediaType));
    }
}
