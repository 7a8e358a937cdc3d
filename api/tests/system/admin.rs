//! What an operator's commands refuse.

use crate::process::PROGRAM;
use domain::clock::{Clock as _, DAY, SystemClock, rfc3339};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use testbed::Database;

const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn a_user_joins_an_organization_by_its_id_and_never_by_its_name() {
    let database = Database::new();
    let create = |email: &str, organization: &str| -> Output {
        Command::new(PROGRAM)
            .args(["admin", "create-user", "--email", email, "--organization", organization, "--json"])
            .env_clear()
            .envs(database.settings())
            .env("TOKEN_ENCRYPTION_KEYS", KEYS)
            .output()
            .unwrap()
    };
    let made = create("ann@shop.test", "Shop");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let id = made["organization"]["id"].as_str().unwrap();
    let refused = create("bob@shop.test", " Shop ");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains(id) && told.contains("another name"), "{told}");
    assert!(create("bob@shop.test", id).status.success());
}

#[test]
fn a_token_that_was_issued_elsewhere_has_the_age_it_is_given() {
    let database = Database::new();
    let admin = |arguments: &[&str], token: &str| -> Output {
        let mut child = Command::new(PROGRAM)
            .arg("admin")
            .args(arguments)
            .arg("--json")
            .env_clear()
            .envs(database.settings())
            .env("TOKEN_ENCRYPTION_KEYS", KEYS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refused its arguments reads nothing.
        let _refused = child.stdin.take().unwrap().write_all(token.as_bytes());
        child.wait_with_output().unwrap()
    };
    let user = ["create-user", "--email", "ann@shop.test", "--organization", "Shop", "--plan", "pro"];
    let user: serde_json::Value = serde_json::from_slice(&admin(&user, "").stdout).unwrap();
    let owner = user["organization"]["id"].as_str().unwrap();
    let create = |id: &str, age: &[&str]| {
        let account = ["create-connection", "--organization", owner, "--platform", "instagram", "--external-id", id];
        let arguments: Vec<_> =
            account.iter().chain(&["--name", "Shop", "--token-stdin"]).chain(age).copied().collect();
        admin(&arguments, "IGAAsecret")
    };
    let began = SystemClock.now();
    let is_days_off = |made: &Output, name: &str, days: i64| {
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        let (from, to) = (rfc3339(began + days * DAY), rfc3339(SystemClock.now() + days * DAY));
        let at = made[name].as_str().unwrap();
        assert!((from.as_str()..=to.as_str()).contains(&at), "{name} is {at}, expected between {from} and {to}");
    };
    let old = create("1784", &["--expires-in-days", "5", "--issued-days-ago", "55"]);
    is_days_off(&old, "tokenIssuedAt", -55);
    is_days_off(&old, "tokenExpiresAt", 5);
    is_days_off(&create("1785", &[]), "tokenIssuedAt", 0);
    let refused = create("1786", &["--issued-days-ago=-1"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--issued-days-ago"), "{refused:?}");
    assert!(!refused.status.success());
}
