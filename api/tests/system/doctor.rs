//! What the doctor says of a shop that is well, and of one in which everything is wrong at once: each fault is found beside
//! the others, with its cure, and nothing secret is said with it.

use crate::process::PROGRAM;
use crate::system::{Account, System};
use serde_json::{Value, json};
use std::process::Command;
use testbed::Setup;

/// What no line may hold: the secrets of this system, right and wrong ones, and the begin of any token.
const SECRETS: [&str; 9] = [
    "a-meta-secret-for-tests",
    "an-instagram-secret-for-tests",
    "a-wrong-secret",
    "a-verify-token",
    "AAECAwQF",
    "BwcHBwcH",
    "geheim",
    "EAA",
    "IGAA",
];
const CHECKS: [&str; 18] = [
    "settings",
    "public-url",
    "redirect-facebook",
    "redirect-instagram",
    "database",
    "migrations",
    "database-write",
    "bell",
    "graph-version",
    "facebook-graph",
    "instagram-graph",
    "meta-clock",
    "facebook-app",
    "instagram-app",
    "webhooks-page",
    "webhooks-instagram",
    "connections",
    "connection-webhooks",
];

struct Told {
    well: bool,
    value: Value,
    text: String,
}

impl Told {
    /// The lines of one check, as `(status, message)`.
    fn of(&self, name: &str) -> Vec<(&str, &str)> {
        let checks = self.value["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name);
        checks.map(|check| (check["status"].as_str().unwrap(), check["message"].as_str().unwrap())).collect()
    }

    #[track_caller]
    fn has(&self, name: &str, status: &str, words: &str) {
        let lines = self.of(name);
        assert!(
            lines.iter().any(|(is, said)| *is == status && said.contains(words)),
            "{name}: {lines:?}\n{}",
            self.text
        );
    }
}

/// Both forms, with more in the environment.
fn doctor(system: &System, more: &[(&str, &str)]) -> Told {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        let command = command.args(arguments).env_clear().envs(system.environment.iter().cloned());
        let output = command.envs(more.iter().copied()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let all = format!("{said}{}", String::from_utf8(output.stderr).unwrap());
        assert!(SECRETS.iter().all(|secret| !all.contains(secret)), "{all}");
        (output.status.success(), said)
    };
    let (well, said) = run(&["doctor", "--json"]);
    let (also, text) = run(&["doctor"]);
    assert_eq!(well, also);
    let value: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    for line in text.lines() {
        assert!(["ok  ", "warning  ", "problem  "].iter().any(|status| line.starts_with(status)), "{line}");
    }
    Told { well, value, text }
}

/// A shop with an account of each platform, which the local Meta delivers for.
async fn shop() -> (System, Account, Account) {
    let system = System::without_service(&[]).await;
    let (instagram, page) = (system.account("instagram").await, system.account("facebook").await);
    (system, instagram, page)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_well_is_told_so() {
    let (system, ..) = shop().await;
    let told = doctor(&system, &[]);
    assert!(told.well, "{}", told.text);
    assert_eq!(
        (&told.value["ok"], &told.value["problems"], &told.value["warnings"]),
        (&json!(true), &json!(0), &json!(0))
    );
    for name in CHECKS {
        assert!(!told.of(name).is_empty(), "{name} is missing in:\n{}", told.text);
    }
    for check in told.value["checks"].as_array().unwrap() {
        let mut keys: Vec<_> = check.as_object().unwrap().keys().map(String::as_str).collect();
        keys.retain(|key| !matches!(*key, "count" | "connections"));
        assert_eq!(keys, ["message", "name", "status"], "{check}");
    }
    let redirect = format!("register exactly {}/api/meta/instagram/callback in", system.api);
    told.has("redirect-instagram", "ok", &redirect);
    told.has("facebook-app", "ok", "100000000000001, Sandbox app");
    told.has("instagram-app", "ok", "not checked");
    if system.database.setup() != Setup::Sqlite {
        told.has("database-clock", "ok", "agree");
    }
    if system.database.redis_url().is_some() {
        told.has("bell", "ok", "Redis answers");
    }
    told.has("connection-webhooks", "ok", "all 2 accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_told_at_once() {
    let (mut system, instagram, page) = shop().await;
    let keys = system.environment.iter().position(|(name, _)| name == "TOKEN_ENCRYPTION_KEYS").unwrap();
    let lost = "k0:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".to_owned();
    let kept = std::mem::replace(&mut system.environment[keys].1, lost);
    let sealed_elsewhere = system.account("facebook").await;
    system.environment[keys].1 = kept;
    system.control("/sandbox/unsubscribe", json!({ "accountId": instagram.id })).await;
    system.control("/sandbox/settings", json!({ "webhookUrlFacebook": null })).await;
    let redirect = ("META_REDIRECT_URI", "http://shop.example/api/meta/callback");
    let told = doctor(&system, &[("META_GRAPH_VERSION", "v18.0"), redirect]);
    assert!(!told.well && told.value["ok"] == false, "{}", told.text);
    told.has("redirect-facebook", "problem", "not on https");
    told.has("graph-version", "problem", "ended on 2026-01-26");
    told.has("facebook-graph", "problem", "asks for v18.0 and Meta answers with v21.0");
    told.has("webhooks-page", "problem", &format!("the callback URL is {}/api/webhooks/facebook", system.api));
    told.has("webhooks-instagram", "ok", "");
    told.has("connection-tokens", "problem", "need the key k0");
    told.has("connection-webhooks", "problem", "off at Meta");
    told.has("facebook-app", "ok", "");
    let named = |name: &str| {
        let checks = told.value["checks"].as_array().unwrap().iter();
        let check = checks.clone().find(|check| check["name"] == name && check["status"] == "problem").unwrap();
        (check["count"].as_u64(), check["connections"].clone())
    };
    assert_eq!(named("connection-tokens"), (Some(1), json!([sealed_elsewhere.connection])));
    assert_eq!(named("connection-webhooks"), (Some(1), json!([instagram.connection])));

    let told = doctor(&system, &[("META_APP_SECRET", "a-wrong-secret")]);
    told.has("facebook-app", "problem", "compare META_APP_ID and META_APP_SECRET");
    told.has("webhooks-page", "problem", "cannot be read");
    told.has("connection-webhooks", "problem", "check the app secret");
    assert!(told.text.contains(&page.connection), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_keeps_nothing_else_from_being_looked_at() {
    let (system, ..) = shop().await;
    let nowhere = system.database.url().replace("test.db", "gone/test.db").replace("/t_", "/gone_");
    let redis = ("REDIS_URL", "redis://user:geheim@127.0.0.1:9");
    let told = doctor(&system, &[("DATABASE_URL", &nowhere), redis, ("SIGNUP_PLAN", "Wrong Plan")]);
    assert!(!told.well);
    told.has("settings", "problem", "SIGNUP_PLAN must be");
    told.has("database", "problem", "correct DATABASE_URL");
    told.has("bell", "warning", "none is lost");
    told.has("facebook-app", "ok", "Sandbox app");
    told.has("webhooks-page", "ok", "");

    let meta = "http://127.0.0.1:9";
    let away = [("FACEBOOK_GRAPH_URL", meta), ("INSTAGRAM_GRAPH_URL", meta), ("TOKEN_ENCRYPTION_KEYS", "")];
    let told = doctor(&system, &away);
    told.has("settings", "problem", "TOKEN_ENCRYPTION_KEYS is not set");
    told.has("database-write", "ok", "");
    told.has("facebook-graph", "problem", "does not answer");
    told.has("facebook-app", "warning", "could not be asked");
    told.has("connections", "ok", "2 accounts");
    told.has("connection-tokens", "problem", "TOKEN_ENCRYPTION_KEYS cannot be used");
}

#[test]
fn it_makes_nothing_and_its_help_teaches() {
    let database = testbed::Database::new();
    let run = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(arguments).env_clear().envs(database.settings()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    for _ in 0..2 {
        let (well, said) = run(&["doctor"]);
        assert!(!well && said.contains("retail-assist migrate"), "still nothing is there: {said}");
    }
    let (well, help) = run(&["doctor", "--help"]);
    assert!(well && help.contains("exits 0 when there is no problem") && help.contains("META_GRAPH_VERSION"), "{help}");
}
