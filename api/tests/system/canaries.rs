//! Planted secrets, looked for everywhere they must not be: the log at its most talkative, every row, every key of Redis, every
//! answer. Each is looked for as it is, in base64, hexadecimal and percent encoding, and backwards.

use crate::logins::{Browser, Clocks};
use crate::system::System;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// A secret and where it comes from.
struct Canary {
    name: &'static str,
    value: String,
}

/// How a secret may be written.
fn written(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex = hex::encode(value);
    let percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form: String = url_encoded(value);
    let mut ways = vec![
        ("raw", value.to_owned()),
        ("base64", STANDARD.encode(value)),
        ("base64 without padding", STANDARD_NO_PAD.encode(value)),
        ("base64url", URL_SAFE_NO_PAD.encode(value)),
        ("hexadecimal", hex.clone()),
        ("upper hexadecimal", hex.to_uppercase()),
        ("percent, every byte", percent.clone()),
        ("percent, lower case", percent.to_lowercase()),
        ("percent", form),
        ("JSON", serde_json::to_string(value).unwrap().trim_matches('"').to_owned()),
        ("backwards", value.chars().rev().collect()),
    ];
    ways.dedup_by(|a, b| a.1 == b.1);
    ways.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

fn url_encoded(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Where a canary is found, and as what.
fn sightings(canaries: &[Canary], place: &str, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for canary in canaries {
        assert!(canary.value.len() >= 8, "{}: too short to look for", canary.name);
        for (way, needle) in written(&canary.value) {
            if let Some(at) = memmem::find(bytes, &needle) {
                let around = &bytes[at.saturating_sub(120)..bytes.len().min(at + 40)];
                let around = String::from_utf8_lossy(around);
                found.push(format!("{} ({way}) in {place}: …{around}…", canary.name));
            }
        }
    }
    found
}

#[test]
fn a_planted_secret_is_found_in_every_writing() {
    let value = "EAAG secret/token+with=signs".to_owned();
    let canaries = [Canary { name: "token", value: value.clone() }];
    for (way, bytes) in written(&value) {
        let text = [b"before ".as_slice(), &bytes, b" after"].concat();
        assert!(!sightings(&canaries, "here", &text).is_empty(), "{way}");
    }
    assert!(sightings(&canaries, "here", b"nothing of it").is_empty());
}

async fn tokens(system: &System) -> Vec<String> {
    let all = system.sandbox_says("/sandbox/tokens").await;
    all["items"].as_array().unwrap().iter().map(|one| one["token"].as_str().unwrap().to_owned()).collect()
}

/// A login that keeps what is secret about it: state, code and handle.
async fn login(system: &System, start: &str, platform: &str, canaries: &mut Vec<Canary>) -> Value {
    let mut browser = Browser::of(system).await;
    let (code, state, handle, made) = browser.watched(start, platform).await;
    canaries.push(Canary { name: "code", value: code });
    canaries.push(Canary { name: "state", value: state });
    canaries.push(Canary { name: "handle", value: handle });
    canaries.push(Canary { name: "session", value: browser.cookie("ra_session") });
    canaries.push(Canary { name: "browser", value: browser.cookie("ra_browser") });
    canaries.push(Canary { name: "CSRF token", value: browser.csrf().to_owned() });
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_log_rows_redis_or_answers() {
    let mut clocks = Clocks::new();
    let mut system = System::without_service(&[("RUST_LOG", "trace"), ("CLOCK_OFFSET_FILE", &clocks.file())]).await;
    system.serve(&[]).await;
    let mut canaries = vec![
        Canary { name: "password", value: system.password.clone() },
        Canary { name: "operator key", value: system.operator.clone() },
        Canary { name: "Meta app secret", value: "a-meta-secret-for-tests".to_owned() },
        Canary { name: "Instagram app secret", value: "an-instagram-secret-for-tests".to_owned() },
        Canary { name: "verify token", value: "a-verify-token".to_owned() },
        Canary { name: "encryption key", value: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned() },
    ];
    for (platform, start) in [("instagram", "/api/meta/instagram/oauth"), ("facebook", "/api/meta/oauth")] {
        let body = json!({ "platform": platform, "login": platform, "subscribed": false });
        system.control("/sandbox/accounts", body).await;
        login(&system, start, platform, &mut canaries).await;
    }
    // Trouble quotes more than success does: a refused code, a login that fails halfway, a dead token, a late send.
    for fault in ["code_exchange_used", "code_exchange_html_502", "identity_revoked"] {
        system.control("/sandbox/faults", json!({ "name": fault, "count": 1 })).await;
        let mut browser = Browser::of(&system).await;
        let (code, state) = browser.failing("/api/meta/instagram/oauth").await;
        canaries.extend([Canary { name: "code", value: code }, Canary { name: "state", value: state }]);
    }
    // A refreshed token is one more.
    clocks.turn(&system, 54).await;
    system.new_operator();
    canaries.push(Canary { name: "new operator key", value: system.operator.clone() });
    system
        .until("the refresh", || async {
            let jobs = system.jobs("token.refresh").await;
            if jobs.first().is_some_and(|job| job["state"] == "completed") { Ok(()) } else { Err(format!("{jobs:?}")) }
        })
        .await;
    let session = system.sign_in().await;
    let listed = session.get("/api/meta/connections").await;
    let account = listed["items"][0]["externalId"].clone();
    let path = format!("/api/meta/connections/{}/auto-reply", listed["items"][0]["id"].as_str().unwrap());
    session.send(Method::PUT, &path, json!({ "mode": "template", "text": "Thanks!" })).await;
    let dm = json!({ "accountId": account, "customerId": "900000000000001", "text": "hello" });
    system.control("/sandbox/messages", dm.clone()).await;
    system.until_sent(1).await;
    system.control("/sandbox/password-change", json!({ "accountId": account })).await;
    system.control("/sandbox/messages", dm).await;
    system
        .until("the mark", || async {
            let listed = session.get("/api/meta/connections").await;
            if listed["items"][0]["status"] == "needs_reconnect" { Ok(()) } else { Err(listed.to_string()) }
        })
        .await;
    let signed = system.control("/sandbox/deauthorize", json!({ "accountId": account })).await;
    canaries.push(Canary { name: "signed request", value: signed["signedRequest"].as_str().unwrap().to_owned() });
    canaries.extend(tokens(&system).await.into_iter().map(|value| Canary { name: "token", value }));
    let read = connections_of(&system);
    assert!(canaries.len() > 20 && !read.is_empty());

    let mut found = Vec::new();
    for path in [
        "/api/meta/connections",
        "/api/notifications",
        "/api/audit",
        "/api/plan",
        "/api/conversations",
        "/api/openapi.json",
        "/docs",
        "/metrics",
        "/healthz",
        "/readyz",
        "/dashboard/integrations",
    ] {
        let request = system.http.get(format!("{}{path}", system.api)).header("cookie", &session.cookie);
        let answer = request.send().await.unwrap();
        let headers = format!("{:?}", answer.headers());
        let body = answer.bytes().await.unwrap();
        found.extend(sightings(&canaries, path, &[headers.as_bytes(), &body].concat()));
    }
    for path in ["/api/admin/jobs?limit=100", "/api/admin/queues", "/api/admin/deliveries", "/api/admin/audit"] {
        let (_, body) = system.operator(Method::GET, path).await;
        found.extend(sightings(&canaries, path, body.to_string().as_bytes()));
    }
    for job in system.operator(Method::GET, "/api/admin/jobs?limit=100").await.1["items"].as_array().unwrap() {
        let job = system.job(job["id"].as_str().unwrap()).await;
        found.extend(sightings(&canaries, "a job", job.to_string().as_bytes()));
    }
    found.extend(sightings(&canaries, "the database", &system.database.dump().unwrap()));
    found.extend(sightings(&canaries, "Redis", &system.database.dump_redis().unwrap()));
    let log = system.service().log();
    assert!(log.contains("TRACE"), "the log is at its most talkative");
    found.extend(sightings(&canaries, "the log", log.as_bytes()));
    assert!(found.is_empty(), "{} sightings:\n{}", found.len(), found.join("\n"));
}

/// The tool that shows everything shows no token either.
fn connections_of(system: &System) -> String {
    let mut command = Command::new(crate::process::PROGRAM);
    command.args(["admin", "--help"]).env_clear().envs(system.environment.iter().cloned());
    let done = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}
