//! The HTTP client that carries webhooks: keep-alive connections to several API processes, and for every failure the answer to
//! the one question that matters, whether bytes had been sent. Other clients try again silently, and so could not tell.

use crate::log::Outcome;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long Meta waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A server on this machine either lets one in at once or is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// For a question about its health.
const HEALTH_WITHIN: Duration = Duration::from_secs(1);

type Connection = SendRequest<Full<Bytes>>;

/// One API process, as a balancing proxy sees it.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
    ready: AtomicBool,
}

/// Why there is no answer.
enum Failure {
    /// Nothing had been sent.
    Unsent,
    /// Something had.
    CutOff(String),
}

impl Target {
    /// Not known to be ready yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default(), ready: AtomicBool::new(false) }
    }

    /// Whether it was ready when it was last asked, and has refused nothing since.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Asks /readyz and remembers the answer.
    pub async fn look(&self) {
        let asked = self.exchange(Method::GET, "/readyz", None, Bytes::new());
        let ready = matches!(tokio::time::timeout(HEALTH_WITHIN, asked).await, Ok(Ok(StatusCode::OK)));
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Delivers a webhook.
    pub async fn deliver(&self, path: &str, signature: &str, body: Bytes) -> Outcome {
        let exchange = self.exchange(Method::POST, path, Some(signature), body);
        match tokio::time::timeout(ANSWER_WITHIN, exchange).await {
            Ok(Ok(status)) => Outcome::Status(status.as_u16()),
            Ok(Err(Failure::CutOff(how))) => Outcome::CutOff(how),
            Ok(Err(Failure::Unsent)) => {
                self.ready.store(false, Ordering::Relaxed);
                Outcome::NotConnected
            }
            Err(_elapsed) => Outcome::TimedOut,
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        signature: Option<&str>,
        body: Bytes,
    ) -> Result<StatusCode, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Failure::Unsent)?;
        let headers = [
            ("host", Some(self.address.to_string())),
            ("user-agent", Some("facebookexternalua".to_owned())),
            ("content-type", Some("application/json".to_owned())),
            ("x-hub-signature-256", signature.map(str::to_owned)),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                request.headers_mut().insert(name, value);
            }
        }
        loop {
            let kept = self.take();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.try_send_request(request).await {
                Ok(response) => return self.read(response, connection).await,
                Err(mut error) => match error.take_message() {
                    // It had been closed while it was kept, before anything was sent on it: another one will do.
                    Some(unsent) if is_kept => request = unsent,
                    Some(_) => return Err(Failure::Unsent),
                    None => return Err(Failure::CutOff(error.into_error().to_string())),
                },
            }
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|connection| connection.is_ready())
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let stream = match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(self.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return Err(Failure::Unsent),
        };
        let _without_it_only_slower = stream.set_nodelay(true);
        let (mut connection, driver) = handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Unsent)?;
        tokio::spawn(async move {
            // What goes wrong with a request is told where the request was made.
            let _told_there = driver.await;
        });
        connection.ready().await.map_err(|_| Failure::Unsent)?;
        Ok(connection)
    }

    /// Reads the rest of the answer and keeps the connection, unless the other side has announced its end.
    async fn read(&self, response: Response<Incoming>, mut connection: Connection) -> Result<StatusCode, Failure> {
        let (status, closes) = (response.status(), response.headers().get("connection").is_some_and(|v| v == "close"));
        let body = response.into_body().collect().await;
        body.map_err(|error| Failure::CutOff(format!("in the middle of the answer: {error}")))?;
        if !closes && connection.ready().await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(status)
    }
}
