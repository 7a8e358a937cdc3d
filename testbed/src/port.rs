//! A free port for a server that must have the same one again after it was killed.
//! So it is not one of those that the kernel gives to whoever connects to something: such a one would be taken meanwhile.

use anyhow::{Context as _, bail};
use std::net::{Ipv4Addr, TcpListener};

/// Below what Linux (32768) and the others (49152) give to outgoing connections.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// One that nobody listens on at this moment.
pub fn free() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let random = getrandom::u32().context("no random number")? % u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(random)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port from {} to {}", PORTS.start, PORTS.end)
}
