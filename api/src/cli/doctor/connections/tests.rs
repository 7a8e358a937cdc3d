//! What is said of stored accounts: each fault with its cure, and nothing of those that are well.

use super::super::report::Report;
use super::*;
use domain::vault::VaultKey;

fn row(n: u128, status: &str, scopes: &str, ends: Option<Millis>) -> Model {
    Model {
        id: Uuid::from_u128(n),
        platform: "instagram".to_owned(),
        login_route: "instagram_login".to_owned(),
        status: status.to_owned(),
        token_expires_at: ends,
        scopes: scopes.to_owned(),
        ..Model::default()
    }
}

fn text(findings: Vec<Finding>) -> String {
    let mut report = Report::default();
    report.add(findings);
    report.text()
}

#[test]
fn accounts_that_wait_for_their_owners_are_named() {
    let rows = [row(1, "active", "[]", None), row(2, "needs_reconnect", "[]", None), row(3, "restricted", "[]", None)];
    let told = text(vec![of_status(&rows, 300)]);
    assert!(
        told.starts_with("warning") && told.contains("300 accounts") && told.contains("3 were looked at"),
        "{told}"
    );
    assert!(told.contains("2 wait") && !told.contains(&IdOf(1).to_string()), "{told}");
    assert!(text(vec![of_status(&rows[..1], 1)]).starts_with("ok"));
}

struct IdOf(u128);

impl std::fmt::Display for IdOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&domain::id::IdKind::Connection.show(Uuid::from_u128(self.0)))
    }
}

#[test]
fn permissions_that_lack_are_told_apart_from_those_not_known() {
    let all = r#"["instagram_business_basic","instagram_business_manage_messages"]"#;
    let rows = [
        row(1, "active", all, None),
        row(2, "active", r#"["instagram_business_basic"]"#, None),
        row(3, "active", "[]", None),
    ];
    let told = text(of_scopes(&rows));
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("problem") && lines[0].contains("lack instagram_business_manage_messages"), "{told}");
    assert!(lines[0].ends_with(&IdOf(2).to_string()) && lines[1].ends_with(&IdOf(3).to_string()), "{told}");
    assert!(lines[1].starts_with("warning") && text(of_scopes(&rows[..1])).starts_with("ok"), "{told}");
}

#[test]
fn a_token_that_the_daily_run_has_missed_is_a_warning_and_one_that_has_ended_a_problem() {
    let ends = |end| text(vec![of_ends(&[row(1, "active", "[]", end)], 7 * DAY, 100 * DAY)]);
    assert!(ends(None).starts_with("ok") && ends(Some(105 * DAY + 1)).starts_with("ok"));
    assert!(ends(Some(105 * DAY)).starts_with("warning") && ends(Some(105 * DAY)).contains("within 5 days"));
    assert!(ends(Some(100 * DAY)).starts_with("problem"));
    let waiting = text(vec![of_ends(&[row(1, "needs_reconnect", "[]", Some(0))], 7 * DAY, DAY)]);
    assert!(waiting.starts_with("ok"), "its owner was told: {waiting}");
}

#[test]
fn a_token_that_does_not_open_is_told_with_the_key_it_needs() {
    let vault = |id: &str, byte| Vault::new(vec![VaultKey::new(id, [byte; 32]).unwrap()]).unwrap();
    let sealed = |by: &Vault, n| {
        let mut row = row(n, "active", "[]", None);
        row.token_sealed = Some(by.seal(token_place(&row), &"IGAAgeheim".to_owned().into()).unwrap());
        row
    };
    let ours = vault("k1", 1);
    let rows = vec![
        sealed(&ours, 1),
        sealed(&vault("k0", 1), 2),
        sealed(&vault("k1", 2), 3),
        row(4, "active", "[]", None),
        row(5, "needs_reconnect", "[]", None),
    ];
    let (opened, findings) = open(&ours, rows);
    let told = text(findings);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].contains("need the key k0") && lines[0].ends_with(&IdOf(2).to_string()), "{told}");
    assert!(lines[1].contains("right key") && lines[1].ends_with(&IdOf(3).to_string()), "{told}");
    assert!(lines[2].contains("no token") && lines[2].ends_with(&IdOf(4).to_string()), "{told}");
    assert_eq!(opened.iter().filter(|account| account.token.is_some()).count(), 1);
    assert!(!told.contains("geheim"));
}
