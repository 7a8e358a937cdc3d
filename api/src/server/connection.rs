//! One connection: a head that arrives in time, answers, and an end when nothing more comes.
//! The bytes pass through a counter of time, for hyper's own limit cannot tell a slow head from a quiet connection.

use super::accept::Limits;
use super::head::{Head, TwoLengths};
use super::phase::{Line, Phase};
use http::header::{CONNECTION, HeaderValue};
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::endpoint::BoxEndpoint;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint as _, IntoResponse as _, Request, Response};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// While stopping: how long a head that is on its way is waited for.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// How the server ends, in two steps.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Answers say that their connection closes.
    pub announced: CancellationToken,
    /// Quiet connections are closed.
    pub begun: CancellationToken,
}

/// Serves a connection to its end.
pub async fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    endpoint: Arc<BoxEndpoint<'static>>,
    limits: Limits,
    ending: Ending,
    crowded: Arc<Notify>,
) {
    let local = stream.local_addr().unwrap_or(remote);
    let (phase, phases) = watch::channel(Phase::Head(Instant::now() + limits.head));
    let (phase, mut heads) = (Arc::new(phase), phases.clone());
    let two_lengths = Arc::new(AtomicBool::new(false));
    let io = Timed { stream, phase: phase.clone(), limits, head: Head::default(), two_lengths: two_lengths.clone() };
    let announced = ending.announced.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (endpoint, phase, announced) = (endpoint.clone(), phase.clone(), announced.clone());
        let two_lengths = two_lengths.swap(false, Ordering::Relaxed);
        async move {
            phase.send_replace(Phase::Busy);
            let line = Line { phase: phase.clone(), quiet: limits.quiet, stopping: announced.clone() };
            let addresses = (LocalAddr(local.into()), RemoteAddr(remote.into()));
            let mut request = Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
            request.set_data(line);
            if two_lengths {
                request.set_data(TwoLengths);
            }
            let mut response: Response = match endpoint.call(request).await {
                Ok(response) => response,
                Err(error) => crate::problem::from_poem(&error).into_response(),
            };
            if announced.is_cancelled() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            phase.send_if_modified(|phase| {
                // Unless the answer stays open.
                let is_over = *phase == Phase::Busy;
                if is_over {
                    *phase = Phase::Quiet(Instant::now() + limits.quiet);
                }
                is_over
            });
            Ok::<_, Infallible>(hyper::Response::from(response))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = overdue(phases) => return tracing::debug!("a connection was closed: nothing came in time"),
        () = unwanted(&crowded, heads.clone()) => {
            // Its last answer may still be on its way out, and is not cut off.
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.head, &mut connection).await {
                Ok(served) => served,
                Err(_elapsed) => return tracing::debug!("a connection was closed: its place was wanted"),
            }
        }
        () = ending.begun.cancelled() => {
            // Who has just connected, or is sending a head, is let in: hyper would hang up on both.
            let arrived = tokio::time::timeout(LAST_HEAD, async {
                // The guard is dropped here: it must not live across a pause.
                let _busy_or_over = heads.wait_for(|phase| !matches!(phase, Phase::Head(_))).await.map(drop);
            });
            tokio::select! {
                served = &mut connection => served,
                _arrived_or_never = arrived => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = served {
        // Broken framing, or a caller that went away; the answer, if one was possible, has been given.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Returns when a phase has lasted too long.
async fn overdue(mut phases: watch::Receiver<Phase>) {
    loop {
        let phase = *phases.borrow_and_update();
        let until = phase.deadline();
        let expired = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => return,
            changed = phases.changed() => if changed.is_err() {
                // The connection itself is over; its own future says so.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Returns when somebody waits for a place while this connection is between requests.
async fn unwanted(crowded: &Notify, phases: watch::Receiver<Phase>) {
    loop {
        crowded.notified().await;
        if matches!(*phases.borrow(), Phase::Quiet(_)) {
            return;
        }
    }
}

/// A stream that notices when a head begins to arrive, and what it says of its length.
struct Timed {
    stream: TcpStream,
    phase: Arc<watch::Sender<Phase>>,
    limits: Limits,
    head: Head,
    two_lengths: Arc<AtomicBool>,
}

impl Timed {
    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        self.phase.send_if_modified(|phase| phase.wrote(polled, self.limits.stuck));
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            let until = Instant::now() + self.limits.head;
            let begins = self.phase.send_if_modified(|phase| {
                let begins = matches!(phase, Phase::Quiet(_));
                if begins {
                    *phase = Phase::Head(until);
                }
                begins
            });
            if begins {
                self.head = Head::default();
            }
            if self.phase.borrow().reads_heads() {
                self.head.read(&buf.filled()[before..]);
                self.two_lengths.store(self.head.has_two_lengths(), Ordering::Relaxed);
            }
        }
        polled
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
