//! What is refused, what is told, and that nothing told holds a value.

use super::*;
use secrecy::ExposeSecret as _;

const KEY: &str = "k1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn check(values: &[(&'static str, &str)], need: Need) -> Result<Settings, Problems> {
    Settings::check(&Source::of(values), need, Problems::default())
}

#[test]
fn defaults_are_valid_and_a_service_needs_its_secrets() {
    assert!(check(&[], Need::Database).is_ok());
    let told = check(&[], Need::Service).unwrap_err().to_string();
    assert!(told.contains("TOKEN_ENCRYPTION_KEYS") && told.contains("META_APP_SECRET"), "{told}");
    let settings = check(&[("TOKEN_ENCRYPTION_KEYS", KEY), ("META_APP_SECRET", "s")], Need::Service).unwrap();
    assert_eq!(settings.bind_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.domain.signup_plan.as_deref(), Some("starter"));
    assert!(!settings.is_secure());
}

#[test]
fn everything_wrong_is_told_at_once_and_no_value_with_it() {
    let values = [
        ("DATABASE_URL", "mysql://geheim"),
        ("REDIS_URL", "redis://user:geheim@"),
        ("BIND_ADDR", "geheim"),
        ("PUBLIC_URL", "geheim"),
        ("META_GRAPH_VERSION", "geheim"),
        ("FACEBOOK_GRAPH_URL", "https://user:geheim@x"),
        ("TOKEN_ENCRYPTION_KEYS", "k1:geheim"),
        ("JOB_LEASE", "geheim"),
        ("LOG_FORMAT", "geheim"),
        ("INSTAGRAM_LOGIN", "geheim"),
        ("MAX_CONNECTIONS", "0"),
        ("RUST_LOG", "info,jobs=geheim"),
        ("SIGNUP_PLAN", "Geheim geheim"),
        ("TRUSTED_PROXIES", "10.0.0.1,geheim"),
    ];
    let told = check(&values, Need::Service).unwrap_err().to_string();
    for (name, _) in values {
        assert!(told.contains(name), "{name} is missing in: {told}");
    }
    assert!(!told.contains("geheim"), "{told}");
}

#[test]
fn redis_is_wanted_only_where_it_is_named() {
    assert!(check(&[], Need::Database).unwrap().ledger.redis_url.is_none());
    for url in ["redis://localhost:6379/0", "rediss://user:p%40ss@redis.example.com"] {
        let settings = check(&[("REDIS_URL", url)], Need::Database).unwrap();
        assert_eq!(settings.ledger.redis_url.as_ref().map(|url| url.expose_secret()), Some(url));
        assert!(!format!("{settings:?}").contains("redis.example.com"));
    }
    let told = check(&[("REDIS_URL", "localhost:6379")], Need::Database).unwrap_err().to_string();
    assert!(told.contains("redis://host:6379/0"), "{told}");
}

#[test]
fn proxies_are_a_list() {
    assert_eq!(check(&[], Need::Database).unwrap().trusted_proxies, [] as [IpAddr; 0]);
    let settings = check(&[("TRUSTED_PROXIES", "10.0.0.2, fd00::2,")], Need::Database).unwrap();
    let shown: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.2", "fd00::2"]);
}

#[test]
fn keys_are_told_apart_and_a_cursor_key_follows_the_first() {
    let two = format!("{KEY},k1:CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=");
    assert!(check(&[("TOKEN_ENCRYPTION_KEYS", &two)], Need::Rules).unwrap_err().to_string().contains("same id"));
    let one = check(&[("TOKEN_ENCRYPTION_KEYS", KEY)], Need::Rules).unwrap();
    let again = check(&[("TOKEN_ENCRYPTION_KEYS", KEY)], Need::Rules).unwrap();
    assert_eq!(one.cursor_key.expose_secret(), again.cursor_key.expose_secret());
    assert_ne!(one.cursor_key.expose_secret(), &[7; 32]);
}

#[test]
fn registration_can_be_closed_and_secrets_are_shared_as_meta_does() {
    let settings = check(&[("SIGNUP_PLAN", "closed"), ("META_APP_SECRET", "m")], Need::Database).unwrap();
    assert_eq!(settings.domain.signup_plan, None);
    assert!(!settings.domain.instagram_webhook_secrets.is_empty());
    let settings = check(&[("INSTAGRAM_APP_SECRET", "i")], Need::Database).unwrap();
    assert!(settings.domain.facebook_webhook_secrets.is_empty());
}

#[test]
fn the_sandbox_sees_real_credentials() {
    assert!(has_real_credentials(&Source::of(&[("META_APP_SECRET", "s")])));
    assert!(!has_real_credentials(&Source::of(&[])));
    let elsewhere = "http://127.0.0.1:9";
    assert!(!has_real_credentials(&Source::of(&[
        ("META_APP_SECRET", "s"),
        ("FACEBOOK_GRAPH_URL", elsewhere),
        ("INSTAGRAM_GRAPH_URL", elsewhere),
        ("INSTAGRAM_API_URL", elsewhere),
    ])));
}

#[test]
fn debug_shows_no_secret() {
    let values = [
        ("TOKEN_ENCRYPTION_KEYS", KEY),
        ("META_APP_SECRET", "geheim"),
        ("INSTAGRAM_APP_SECRET", "geheim"),
        ("META_WEBHOOK_VERIFY_TOKEN", "geheim"),
        ("META_PREVIOUS_APP_SECRETS", "geheim,geheim"),
    ];
    let shown = format!("{:?}", check(&values, Need::Service).unwrap());
    assert!(!shown.contains("geheim") && !shown.contains("BwcH"), "{shown}");
}
