//! Asks the service on this machine whether it is well: for containers and scripts, without any other tool.

use super::output;
use crate::settings::{Need, Settings};
use anyhow::{Context as _, bail};
use clap::Args;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct Healthcheck {
    /// Ask whether work gets done, not only whether the process answers.
    #[arg(long)]
    ready: bool,
}

impl Healthcheck {
    pub fn run(self) -> anyhow::Result<()> {
        let address = reachable(Settings::load(Need::Database)?.bind_addr);
        let path = if self.ready { "/readyz" } else { "/healthz" };
        let answer = ask(address, path)
            .context("the service does not answer; is it running, and is BIND_ADDR the one it was started with?")?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            bail!("the service answers {path} with {status}; its log says why");
        }
        Ok(output::text("ok")?)
    }
}

/// An address that means "every address" is asked by the local one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_asked_locally() {
        assert_eq!(reachable("0.0.0.0:8080".parse().unwrap()).to_string(), "127.0.0.1:8080");
        assert_eq!(reachable("[::]:8080".parse().unwrap()).to_string(), "[::1]:8080");
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()).to_string(), "192.0.2.1:1");
    }
}
