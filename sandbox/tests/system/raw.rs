//! A client on a bare socket: what really arrives when a connection is cut.
//! An HTTP library would retry or rephrase it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Debug)]
pub struct Seen {
    pub bytes: Vec<u8>,
    /// How it ended: an orderly end, or the error.
    pub end: Result<(), std::io::ErrorKind>,
}

/// Sends one request and reads until the end.
pub async fn exchange(addr: SocketAddr, path: &str, token: &str, body: &str) -> Seen {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
        match read.expect("the connection was not ended") {
            Ok(0) => break Ok(()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error.kind()),
        }
    };
    Seen { bytes, end }
}
