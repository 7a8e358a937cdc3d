//! What an operator's commands refuse.

use crate::process::PROGRAM;
use std::process::{Command, Output};
use testbed::Database;

#[test]
fn a_user_joins_an_organization_by_its_id_and_never_by_its_name() {
    let database = Database::new();
    let create = |email: &str, organization: &str| -> Output {
        Command::new(PROGRAM)
            .args(["admin", "create-user", "--email", email, "--organization", organization, "--json"])
            .env_clear()
            .envs(database.settings())
            .env("TOKEN_ENCRYPTION_KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
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
