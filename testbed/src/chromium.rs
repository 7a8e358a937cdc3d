//! A browser without a window, driven by its own driver (WebDriver): what people see is looked at with what people use.

use crate::port;
use crate::server::{Server, Start};
use anyhow::Context as _;
use rustix::process::Signal;
use std::net::TcpStream;
use std::process::Command;
use tempfile::TempDir;

const PROGRAM: &str = "chromedriver";

/// A running driver; browsers it has started end with it.
#[derive(Debug)]
pub struct Chromium {
    // Ended before its directory is removed.
    _server: Server,
    port: u16,
    _dir: TempDir,
}

impl Chromium {
    /// What would be started, e.g. `ChromeDriver 140.0.…`; an error where there is none.
    pub fn installed() -> anyhow::Result<String> {
        let told = Command::new(PROGRAM).arg("--version").output().context("no chromedriver in PATH")?;
        let told = String::from_utf8_lossy(&told.stdout);
        Ok(told.split(" (").next().unwrap_or_default().trim().to_owned())
    }

    /// Starts the driver.
    pub fn start() -> anyhow::Result<Self> {
        let dir = TempDir::with_prefix("testbed-chromium-")?;
        let port = port::free()?;
        let mut command = Command::new(PROGRAM);
        // Profiles of browsers go with the directory.
        command.arg(format!("--port={port}")).env("TMPDIR", dir.path()).env("HOME", dir.path());
        let start = Start { command, dir: dir.path(), quick: Signal::TERM };
        let server = Server::start(start, |_| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { _server: server, port, _dir: dir })
    }

    /// Where it is driven.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a browser is started with: no window, and no sandbox of its own, which root cannot have.
    pub fn arguments() -> [&'static str; 4] {
        ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"]
    }
}
