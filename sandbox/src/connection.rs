//! A listener whose connections can be cut: a client whose answer is lost must see a reset or an early end.
//! An error from a handler would still be an HTTP answer, so the cut is made on the socket itself.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use poem::{
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// RST: the client reads "connection reset by peer".
    Reset,
    /// FIN: the client reads an early end.
    Close,
}

impl Cut {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        if text == Some("close") { Self::Close } else { Self::Reset }
    }
}

#[derive(Debug, Default)]
struct Switch {
    mute: AtomicBool,
    reset: AtomicBool,
    /// The client has hung up; the server itself lets a handler run on.
    gone: watch::Sender<bool>,
}

/// The open connections by the client's address.
#[derive(Debug, Default, Clone)]
pub(crate) struct Connections(Arc<Mutex<HashMap<SocketAddr, Arc<Switch>>>>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Switch>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is written to that client; the next attempt ends the connection.
    pub(crate) fn cut(&self, peer: Option<SocketAddr>, how: Cut) {
        self.end_with(peer, how);
        if let Some(switch) = peer.and_then(|peer| self.lock().get(&peer).cloned()) {
            switch.mute.store(true, Ordering::Release);
        }
    }

    /// Resolves when that client hangs up; never for a connection nobody knows.
    pub(crate) async fn hung_up(&self, peer: Option<SocketAddr>) {
        let switch = peer.and_then(|peer| self.lock().get(&peer).cloned());
        let Some(switch) = switch else { return std::future::pending().await };
        // The sender is in our hands, so waiting cannot fail.
        let _ = switch.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// When this connection ends, it ends this way.
    pub(crate) fn end_with(&self, peer: Option<SocketAddr>, how: Cut) {
        if let Some(switch) = peer.and_then(|peer| self.lock().get(&peer).cloned()) {
            switch.reset.store(how == Cut::Reset, Ordering::Release);
        }
    }
}

/// Accepts connections and keeps their switches.
#[derive(Debug)]
pub(crate) struct CuttableListener {
    listener: TcpListener,
    addr: SocketAddr,
    connections: Connections,
}

impl CuttableListener {
    pub(crate) async fn bind(addr: SocketAddr, connections: Connections) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, connections })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Acceptor for CuttableListener {
    type Io = Cuttable;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![LocalAddr(self.addr.into())]
    }

    async fn accept(&mut self) -> io::Result<(Cuttable, LocalAddr, RemoteAddr, Scheme)> {
        let (stream, peer) = self.listener.accept().await?;
        // Latency only; a socket that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        let switch = Arc::new(Switch::default());
        self.connections.lock().insert(peer, Arc::clone(&switch));
        let io = Cuttable { stream, peer, switch, connections: self.connections.clone() };
        Ok((io, LocalAddr(self.addr.into()), RemoteAddr(peer.into()), Scheme::HTTP))
    }
}

/// A connection with a switch.
#[derive(Debug)]
pub(crate) struct Cuttable {
    stream: TcpStream,
    peer: SocketAddr,
    switch: Arc<Switch>,
    connections: Connections,
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        if self.switch.reset.load(Ordering::Acquire) {
            // Without lingering the kernel sends RST instead of FIN; if it refuses, FIN is a lost answer too.
            let _ = self.stream.set_zero_linger();
        }
        let mut open = self.connections.lock();
        // The same address may already belong to a newer connection.
        if open.get(&self.peer).is_some_and(|switch| Arc::ptr_eq(switch, &self.switch)) {
            open.remove(&self.peer);
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let room = buf.remaining() > 0;
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let over = match &read {
            Poll::Ready(Ok(())) => room && buf.filled().len() == before,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if over {
            self.switch.gone.send_replace(true);
        }
        read
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.switch.mute.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.switch.reset.load(Ordering::Acquire) {
            // A FIN first would let the client take the end for an orderly one.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
