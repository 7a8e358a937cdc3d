//! Servers whose owner is killed: they end by themselves, and their directories go with them.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testbed::{Postgres, Redis};

const OWNER: &str = "TESTBED_OWNER";

/// What the test does when it is the process that the test has started.
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn wait_to_be_killed() {
    let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
    println!("pids {} {}", postgres.pid().unwrap(), redis.pid().unwrap());
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn no_server_outlives_an_owner_that_was_killed() {
    if std::env::var_os(OWNER).is_some() {
        return wait_to_be_killed();
    }
    let dir = tempfile::tempdir().unwrap();
    // The server's user must be able to come in.
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "left_behind::no_server_outlives_an_owner_that_was_killed", "--nocapture"])
        .env(OWNER, "1")
        .env("TMPDIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("pids ")?.1.to_owned())).unwrap();
    let pids: Vec<Pid> = line.split(' ').map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect();
    assert!(pids.iter().all(|pid| test_kill_process(*pid).is_ok()));
    kill_process(Pid::from_child(&owner), Signal::KILL).unwrap();
    owner.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let left = || std::fs::read_dir(dir.path()).unwrap().count();
    while left() > 0 || pids.iter().any(|pid| runs(*pid)) {
        assert!(Instant::now() < deadline, "{} directories left, processes {pids:?}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Not one that only waits for somebody to ask how it ended.
fn runs(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
