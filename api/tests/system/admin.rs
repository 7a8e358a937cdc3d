//! What an operator's commands refuse, and what a rotation of keys leaves behind.

use crate::process::PROGRAM;
use domain::audit;
use domain::clock::{Clock as _, DAY, SystemClock, rfc3339};
use domain::db::Db;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use testbed::Database;

const K0: &str = "k0:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const K1: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "k2:CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

/// An admin command with these keys and this on its standard input.
fn admin(database: &Database, keys: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("admin")
        .args(arguments)
        .env_clear()
        .envs(database.settings())
        .env("TOKEN_ENCRYPTION_KEYS", keys)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refused its arguments reads nothing.
    let _refused = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn rotate(database: &Database, keys: &str) -> (bool, Value, String) {
    let output = admin(database, keys, &["rotate-keys", "--json"], "");
    let told = String::from_utf8(output.stderr).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for secret in [K0, K1, K2] {
        let secret = &secret[3..];
        assert!(!told.contains(secret) && !said.contains(secret), "{told}{said}");
    }
    (output.status.success(), serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{told}")), told)
}

#[test]
fn a_user_joins_an_organization_by_its_id_and_never_by_its_name() {
    let database = Database::new();
    let create = |email: &str, organization: &str| -> Output {
        Command::new(PROGRAM)
            .args(["admin", "create-user", "--email", email, "--organization", organization, "--json"])
            .env_clear()
            .envs(database.settings())
            .env("TOKEN_ENCRYPTION_KEYS", K1)
            .output()
            .unwrap()
    };
    let made = create("ann@shop.test", "Shop");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let id = made["organization"]["id"].as_str().unwrap();
    let refused = create("bob@shop.test", " Shop ");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains(id) && told.contains("another name"), "{told}");
    assert!(create("bob@shop.test", id).status.success());
}

#[test]
fn a_token_that_was_issued_elsewhere_has_the_age_it_is_given() {
    let database = Database::new();
    let admin = |arguments: &[&str], token: &str| admin(&database, K1, &[arguments, &["--json"]].concat(), token);
    let user = ["create-user", "--email", "ann@shop.test", "--organization", "Shop", "--plan", "pro"];
    let user: Value = serde_json::from_slice(&admin(&user, "").stdout).unwrap();
    let owner = user["organization"]["id"].as_str().unwrap();
    let create = |id: &str, age: &[&str]| {
        let account = ["create-connection", "--organization", owner, "--platform", "instagram", "--external-id", id];
        let arguments: Vec<_> =
            account.iter().chain(&["--name", "Shop", "--token-stdin"]).chain(age).copied().collect();
        admin(&arguments, "IGAAsecret")
    };
    let began = SystemClock.now();
    let is_days_off = |made: &Output, name: &str, days: i64| {
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
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

#[tokio::test]
async fn a_rotation_seals_everything_again_and_says_which_keys_may_go() {
    let database = Database::new();
    let shop = admin(&database, K1, &["create-user", "--email", "a@shop.test", "--organization", "S", "--json"], "");
    let shop: Value = serde_json::from_slice(&shop.stdout).unwrap();
    let organization = shop["organization"]["id"].as_str().unwrap();
    let plan = admin(&database, K1, &["set-plan", "--organization", organization, "--plan", "enterprise"], "");
    assert!(plan.status.success());
    let connect = |keys: &str, id: &str| {
        let arguments = ["create-connection", "--organization", organization, "--platform", "facebook", "--name", "S"];
        let output =
            admin(&database, keys, &[&arguments[..], &["--external-id", id, "--token-stdin"]].concat(), "EAAx");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    connect(K1, "1");
    connect(K1, "2");

    let two = format!("{K2},{K1}");
    let (well, said, _) = rotate(&database, &two);
    let expected = json!({
        "sealingKey": "k2", "tokens": 2, "logins": 0, "unreadable": 0,
        "keys": [{ "id": "k2", "tokens": 2, "logins": 0 }], "olderKeys": ["k1"], "olderKeysRemovable": true,
    });
    assert!(well);
    assert_eq!(said, expected);
    let again = admin(&database, &two, &["rotate-keys"], "");
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && told.contains("0 tokens") && told.contains("k1 may be removed"), "{told}");
    let (well, said, _) = rotate(&database, K2);
    assert!(well && said["olderKeys"] == json!([]) && said["unreadable"] == 0, "{said}");

    // A key that was taken away too early.
    connect(K0, "3");
    let (well, said, told) = rotate(&database, &two);
    assert!(!well && said["unreadable"] == 1 && said["olderKeysRemovable"] == false, "{said}");
    assert!(told.contains("lacks the key k0") && told.contains("append it again"), "{told}");
    let (well, said, _) = rotate(&database, &format!("{two},{K0}"));
    assert!(well && said["tokens"] == 1 && said["olderKeys"] == json!(["k1", "k0"]), "{said}");

    let db = Db::open(database.url()).await.unwrap();
    let trail = audit::of_everybody(db.read(), None, 100).await.unwrap();
    let rotations: Vec<_> = trail.iter().filter(|entry| entry.action == "keys.rotated").collect();
    assert_eq!(rotations.len(), 5, "those that failed are told, too");
    let last: Value = serde_json::from_str(rotations[0].details.as_deref().unwrap()).unwrap();
    assert_eq!(last, json!({ "sealingKey": "k2", "tokens": 1, "logins": 0, "unreadable": 0 }));
    assert!(rotations.iter().all(|entry| entry.actor == "command line" && entry.organization_id.is_none()));
    db.close().await.unwrap();
}

#[test]
fn the_help_of_a_rotation_teaches_its_order() {
    let help = Command::new(PROGRAM).args(["admin", "rotate-keys", "--help"]).env_clear().output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let places: Vec<_> = ["  1. ", "  2. ", "  3. ", "  4. "].iter().map(|step| help.find(step)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{help}");
}
