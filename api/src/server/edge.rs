//! What every request passes through: an id, a deadline, the body's limits, a net for panics, one shape for every refusal,
//! the headers of every answer, one log line and the figures.

use super::body;
use super::headers;
use super::paths::Paths;
use crate::problem::{Code, Problem, from_poem};
use futures::FutureExt as _;
use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};
use poem::{Endpoint, IntoResponse as _, PathPattern, Request, Response};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;
use uuid::Uuid;

/// From the head of a request to its answer.
const WHOLE: Duration = Duration::from_secs(15);

/// Wraps the routes.
pub struct Edge<E> {
    inner: E,
    paths: Arc<Paths>,
}

impl<E: Endpoint> Edge<E> {
    /// Around these routes.
    pub fn new(inner: E, paths: Arc<Paths>) -> Self {
        Self { inner, paths }
    }

    /// The answer, and the pattern of the route that gave it.
    async fn answer(&self, request: Request) -> (Response, Option<PathPattern>) {
        let path = request.uri().path().to_owned();
        let called = async {
            let mut request = request;
            body::read(&mut request).await?;
            self.inner.call(request).await
        };
        match tokio::time::timeout(WHOLE, AssertUnwindSafe(called).catch_unwind()).await {
            Ok(Ok(Ok(response))) => {
                let response = response.into_response();
                let pattern = response.data::<PathPattern>().cloned();
                (response, pattern)
            }
            Ok(Ok(Err(error))) => {
                let pattern = error.data::<PathPattern>().cloned();
                (self.refused(&error, &path), pattern)
            }
            Ok(Err(panic)) => {
                tracing::error!(panic = panic_text(panic.as_ref()), "a request's handler panicked");
                (Problem::new(Code::Internal).into_response(), None)
            }
            Err(_elapsed) => {
                tracing::warn!("a request took too long");
                (Problem::new(Code::Unavailable).retry_after(5).into_response(), None)
            }
        }
    }

    fn refused(&self, error: &poem::Error, path: &str) -> Response {
        let mut response = from_poem(error).into_response();
        if response.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Some(allow) = self.paths.allow(path).and_then(|methods| HeaderValue::from_str(&methods).ok())
        {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let (began, id) = (Instant::now(), Uuid::now_v7().simple().to_string());
        let method = known(request.method());
        // Lines of the handler carry the request's id, and so can be found from the answer's header.
        let span = tracing::info_span!("request", request_id = id);
        let (mut response, pattern) = self.answer(request).instrument(span).await;
        let route = self.paths.name(pattern.as_ref().map(|pattern| pattern.0.as_ref()));
        headers::add(&mut response, &route, &id);
        let (status, took) = (response.status().as_u16(), began.elapsed());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(target: "access", method, route, status, duration_ms, request_id = id, "request");
        metrics::counter!("retail_assist_http_requests_total",
            "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
        metrics::histogram!("retail_assist_http_request_seconds", "route" => route).record(took.as_secs_f64());
        Ok(response)
    }
}

/// A method anybody made up is neither logged nor counted by its name.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::endpoint::make;

    async fn of(inner: impl Endpoint) -> Response {
        let edge = Edge::new(inner, Arc::new(Paths::default()));
        edge.call(Request::default()).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_a_problem() {
        #[expect(unreachable_code, reason = "the handler's type needs a value")]
        let response = of(make(|_| async {
            panic!("geheim");
            Ok::<_, poem::Error>(Response::default())
        }))
        .await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert!(!response.into_body().into_string().await.unwrap().contains("geheim"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_does_not_end_is_given_up() {
        let response = of(make(|_| std::future::pending::<poem::Result<Response>>())).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
