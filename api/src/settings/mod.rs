//! The operator's settings, read from the table's sources and checked as a whole: a program that starts has valid settings,
//! and one that does not says everything that is wrong in one go.

mod inbox;
pub mod problem;
pub mod source;
pub mod table;
pub mod value;

use crate::telemetry::log;
use domain::clock::Millis;
use domain::settings::Mail;
use domain::vault::{Vault, VaultKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jobs::LedgerSettings;
use meta::Login;
use meta::signature::AppSecrets;
use problem::Problems;
use secrecy::{SecretBox, SecretString};
use sha2::Sha256;
use source::Source;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a command needs; what it does not need may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The database.
    Database,
    /// The rules: database, vault, Meta.
    Rules,
    /// Everything, including what answers Meta.
    Service,
}

/// Valid settings.
#[derive(Debug)]
pub struct Settings {
    /// Opens the database; may hold a password.
    pub database_url: SecretString,
    /// Connections to Postgres at most.
    pub database_connections: u32,
    /// Where to listen.
    pub bind_addr: SocketAddr,
    /// How others reach us, without a slash at the end.
    pub public_url: String,
    /// The part the rules read.
    pub domain: domain::settings::Settings,
    /// How to speak to Meta.
    pub meta: meta::client::Settings,
    /// The chat model, where one is set.
    pub ai: Option<ai::Client>,
    /// Further `host:port` that files are read from.
    pub media_hosts: Vec<String>,
    /// Seals tokens; empty where the command does not need it.
    pub vault: Option<Vault>,
    /// Authenticates list cursors; follows the first encryption key, so every process has the same.
    pub cursor_key: SecretBox<[u8; 32]>,
    /// How jobs run.
    pub ledger: LedgerSettings,
    /// Connections at once.
    pub max_connections: usize,
    /// `pretty` or `json`.
    pub log_format: String,
    /// Which log lines are written.
    pub log_filter: String,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Settings {
    /// Reads and checks the settings of this process.
    pub fn load(need: Need) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let source = Source::read(&mut problems);
        Self::check(&source, need, problems)
    }

    /// The settings of this process with whatever is wrong with them, for a command that looks at the rest all the same: what
    /// is wrong has no or some valid value in it.
    pub fn examine(need: Need) -> (Self, Problems) {
        let mut problems = Problems::default();
        let source = Source::read(&mut problems);
        let settings = Self::of(&source, need, &mut problems);
        (settings, problems)
    }

    /// Checks settings already read; `problems` are those of reading them.
    pub fn check(source: &Source, need: Need, mut problems: Problems) -> Result<Self, Problems> {
        let settings = Self::of(source, need, &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    fn of(source: &Source, need: Need, p: &mut Problems) -> Self {
        let database_url = database_url(source, p);
        let (vault, cursor_key) = keys(source, need, p);
        let public_url = base_url(source, "PUBLIC_URL", p);
        let settings = Self {
            database_url,
            database_connections: number(source, "DATABASE_CONNECTIONS", 4..=1_000, p),
            bind_addr: parsed(source, "BIND_ADDR", "must be an address and port like 127.0.0.1:8080", p)
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            domain: domain_settings(source, &public_url, need, p),
            public_url,
            meta: meta_settings(source, p),
            ai: inbox::ai(source, p),
            media_hosts: inbox::media_hosts(source, p),
            vault,
            cursor_key,
            ledger: ledger(source, p),
            max_connections: number(source, "MAX_CONNECTIONS", 1..=100_000, p) as usize,
            log_format: source.get("LOG_FORMAT").unwrap_or_default().to_owned(),
            log_filter: log_filter(source, p),
            trusted_proxies: proxies(source, p),
        };
        one_of(source, "INSTAGRAM_LOGIN", &["instagram", "facebook"], p);
        one_of(source, "LOG_FORMAT", &["pretty", "json"], p);
        one_of(source, "HUMAN_AGENT", &["on", "off"], p);
        one_of(source, "MEDIA_PREVIEWS", &["on", "off"], p);
        settings
    }

    /// The scheme, host and port browsers know us by.
    pub fn origin(&self) -> String {
        value::origin(&self.public_url).unwrap_or_else(|| self.public_url.clone())
    }

    /// Cookies travel on https only.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

fn database_url(source: &Source, p: &mut Problems) -> SecretString {
    let url = source.get("DATABASE_URL").unwrap_or_default();
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        p.add(
            "DATABASE_URL",
            "must begin with sqlite:// and name a file, or look like postgres://user:password@host:5432/database",
        );
    }
    SecretString::from(url)
}

fn keys(source: &Source, need: Need, p: &mut Problems) -> (Option<Vault>, SecretBox<[u8; 32]>) {
    const NAME: &str = "TOKEN_ENCRYPTION_KEYS";
    let none = || (None, SecretBox::new(Box::new([0; 32])));
    let Some(text) = source.get(NAME) else {
        if need >= Need::Rules {
            p.add(
                NAME,
                "is not set, and tokens are never stored unsealed; make one with: echo k1:$(openssl rand -base64 32)",
            );
        }
        return none();
    };
    let mut vault_keys = Vec::new();
    let mut cursor_key = None;
    for entry in text.split(',').filter(|entry| !entry.trim().is_empty()) {
        match value::key(entry) {
            Ok((id, bytes)) => {
                cursor_key.get_or_insert_with(|| derive(&bytes));
                match VaultKey::new(&id, *bytes) {
                    Ok(key) => vault_keys.push(key),
                    Err(error) => p.add(NAME, format!("has a bad key: {error}")),
                }
            }
            Err(form) => return (p.add(NAME, form), none()).1,
        }
    }
    match Vault::new(vault_keys) {
        Ok(vault) => (Some(vault), cursor_key.unwrap_or_else(|| SecretBox::new(Box::new([0; 32])))),
        Err(error) => (p.add(NAME, format!("cannot be used: {error}")), none()).1,
    }
}

/// A key of its own for cursors, so that no key serves two purposes.
fn derive(key: &[u8; 32]) -> SecretBox<[u8; 32]> {
    // A key of any length is accepted, so this branch is never taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return SecretBox::new(Box::new([0; 32])) };
    mac.update(b"retail-assist list cursors 1");
    SecretBox::new(Box::new(mac.finalize().into_bytes().into()))
}

fn domain_settings(source: &Source, public_url: &str, need: Need, p: &mut Problems) -> domain::settings::Settings {
    let list = |name: &str| -> Vec<SecretString> {
        let split = |text: &str| -> Vec<SecretString> {
            text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(SecretString::from).collect()
        };
        source.get(name).map(split).unwrap_or_default()
    };
    let mut meta: Vec<_> = source.secret("META_APP_SECRET").into_iter().collect();
    meta.extend(list("META_PREVIOUS_APP_SECRETS"));
    let mut instagram: Vec<_> = source.secret("INSTAGRAM_APP_SECRET").into_iter().collect();
    instagram.extend(list("INSTAGRAM_PREVIOUS_APP_SECRETS"));
    instagram.extend(meta.iter().cloned());
    if need == Need::Service && instagram.is_empty() {
        p.add(
            "META_APP_SECRET",
            "and INSTAGRAM_APP_SECRET are both not set, so every webhook would be refused; set the one of your app",
        );
    }
    domain::settings::Settings {
        public_url: public_url.to_owned(),
        signup_plan: signup_plan(source, p),
        app_ids: ["META_APP_ID", "INSTAGRAM_APP_ID"]
            .into_iter()
            .filter_map(|name| source.get(name).filter(|id| !id.is_empty()).map(str::to_owned))
            .collect(),
        webhook_verify_token: source.secret("META_WEBHOOK_VERIFY_TOKEN"),
        instagram_webhook_secrets: AppSecrets::new(instagram),
        facebook_webhook_secrets: AppSecrets::new(meta),
        instagram_login: match source.get("INSTAGRAM_LOGIN") {
            Some("facebook") => Login::Facebook,
            _ => Login::Instagram,
        },
        redirect_uri: redirect_uri(source, "META_REDIRECT_URI", public_url, p),
        redirect_instagram_uri: redirect_uri(source, "META_REDIRECT_INSTAGRAM_URI", public_url, p),
        refresh_ahead: refresh_ahead(source, p),
        human_agent: source.get("HUMAN_AGENT") == Some("on"),
        media_previews: source.get("MEDIA_PREVIEWS") == Some("on"),
        mail: mail(source, p),
    }
}

/// Byte for byte what is registered at Meta, so nothing is added to it or taken away.
fn redirect_uri(source: &Source, name: &str, public_url: &str, p: &mut Problems) -> String {
    let text = source.get(name).unwrap_or_default().replace("{PUBLIC_URL}", public_url);
    let address = text.split('?').next().unwrap_or_default();
    if source.is_set(name) && (value::base_url(address).is_err() || text.contains('#')) {
        p.add(name, "must be an address like https://shop.example.com/api/meta/callback, as registered at Meta");
    }
    text
}

fn refresh_ahead(source: &Source, p: &mut Problems) -> Millis {
    let ahead = duration(source, "REFRESH_AHEAD", Duration::from_secs(7 * 86_400), p);
    Millis::try_from(ahead.as_millis()).unwrap_or(Millis::MAX)
}

fn mail(source: &Source, p: &mut Problems) -> Option<Mail> {
    let url = source.get("SMTP_URL").filter(|url| !url.is_empty())?;
    let mail = Mail { url: SecretString::from(url), from: source.get("MAIL_FROM").unwrap_or_default().to_owned() };
    for (name, problem) in jobs::jobs::notification_mail::problems(&mail) {
        p.add(name, problem);
    }
    Some(mail)
}

/// Whether there is such a plan, only the database knows; what cannot be one is told with the rest.
fn signup_plan(source: &Source, p: &mut Problems) -> Option<String> {
    const NAME: &str = "SIGNUP_PLAN";
    let plan = source.get(NAME).unwrap_or_default();
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if !(1..=40).contains(&plan.len()) || !plan.bytes().all(letter) {
        p.add(NAME, "must be the id of a plan, like starter, pro, team or enterprise, or closed");
    }
    (plan != "closed").then(|| plan.to_owned())
}

/// Which log lines are written; the demo and the sandbox, which need no other setting, read it too.
pub fn log_filter(source: &Source, p: &mut Problems) -> String {
    const NAME: &str = "RUST_LOG";
    let filter = source.get(NAME).unwrap_or_default();
    if !log::is_filter(filter) {
        p.add(NAME, "must be a level (error, warn, info, debug, trace) or a list like info,jobs=debug");
    }
    filter.to_owned()
}

fn proxies(source: &Source, p: &mut Problems) -> Vec<IpAddr> {
    const NAME: &str = "TRUSTED_PROXIES";
    let entries = source.get(NAME).unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty());
    match entries.map(str::parse).collect() {
        Ok(addresses) => addresses,
        Err(_) => (p.add(NAME, "must be IP addresses separated by commas, like 10.0.0.2,fd00::2"), Vec::new()).1,
    }
}

fn meta_settings(source: &Source, p: &mut Problems) -> meta::client::Settings {
    let graph_version = source.get("META_GRAPH_VERSION").unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let version = graph_version.strip_prefix('v').and_then(|v| v.split_once('.'));
    if !version.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
        p.add("META_GRAPH_VERSION", "must look like v25.0");
    }
    meta::client::Settings {
        facebook_web_url: base_url(source, "FACEBOOK_WEB_URL", p),
        facebook_graph_url: base_url(source, "FACEBOOK_GRAPH_URL", p),
        instagram_web_url: base_url(source, "INSTAGRAM_WEB_URL", p),
        instagram_api_url: base_url(source, "INSTAGRAM_API_URL", p),
        instagram_graph_url: base_url(source, "INSTAGRAM_GRAPH_URL", p),
        graph_version: graph_version.to_owned(),
        meta_app_id: source.get("META_APP_ID").map(str::to_owned),
        meta_app_secret: source.secret("META_APP_SECRET"),
        instagram_app_id: source.get("INSTAGRAM_APP_ID").map(str::to_owned),
        instagram_app_secret: source.secret("INSTAGRAM_APP_SECRET"),
        ..meta::client::Settings::default()
    }
}

fn ledger(source: &Source, p: &mut Problems) -> LedgerSettings {
    let defaults = LedgerSettings::default();
    let lease = duration(source, "JOB_LEASE", defaults.lease, p);
    let tick = duration(source, "JOB_TICK", defaults.tick, p);
    if tick >= lease {
        p.add("JOB_TICK", "must be shorter than JOB_LEASE");
    }
    LedgerSettings {
        lease,
        tick,
        redis_url: redis_url(source, p),
        keep_completed: duration(source, "RETAIN_COMPLETED_JOBS", defaults.keep_completed, p),
        keep_discarded: duration(source, "RETAIN_FAILED_JOBS", defaults.keep_discarded, p),
        keep_bodies: duration(source, "RETAIN_DELIVERY_BODIES", defaults.keep_bodies, p),
        keep_deliveries: duration(source, "RETAIN_DELIVERIES", defaults.keep_deliveries, p),
        ..defaults
    }
}

/// With any database: processes may share a SQLite file, too.
fn redis_url(source: &Source, p: &mut Problems) -> Option<SecretString> {
    const NAME: &str = "REDIS_URL";
    let url = source.get(NAME).filter(|url| !url.is_empty())?;
    if let Some(problem) = jobs::bell::address_problem(url) {
        p.add(NAME, problem);
    }
    Some(SecretString::from(url))
}

fn duration(source: &Source, name: &str, default: Duration, p: &mut Problems) -> Duration {
    match source.get(name).map(value::duration) {
        Some(Ok(duration)) => duration,
        Some(Err(form)) => (p.add(name, form), default).1,
        None => default,
    }
}

fn base_url(source: &Source, name: &str, p: &mut Problems) -> String {
    match value::base_url(source.get(name).unwrap_or_default()) {
        Ok(url) => url,
        Err(form) => (p.add(name, form), String::new()).1,
    }
}

fn number(source: &Source, name: &str, allowed: RangeInclusive<u32>, p: &mut Problems) -> u32 {
    let number = source.get(name).and_then(|text| text.parse().ok()).filter(|number| allowed.contains(number));
    number.unwrap_or_else(|| {
        p.add(name, format!("must be a number from {} to {}", allowed.start(), allowed.end()));
        *allowed.start()
    })
}

fn parsed<T: std::str::FromStr>(source: &Source, name: &str, form: &str, p: &mut Problems) -> Option<T> {
    let value = source.get(name).and_then(|text| text.parse().ok());
    if value.is_none() {
        p.add(name, form);
    }
    value
}

fn one_of(source: &Source, name: &str, allowed: &[&str], p: &mut Problems) {
    if !source.get(name).is_some_and(|value| allowed.contains(&value)) {
        p.add(name, format!("must be one of: {}", allowed.join(", ")));
    }
}

/// Whether real credentials are set while Meta's addresses are the real ones: the sandbox never starts then.
pub fn has_real_credentials(source: &Source) -> bool {
    let secret = ["META_APP_SECRET", "INSTAGRAM_APP_SECRET"].iter().any(|name| source.is_set(name));
    let real = ["FACEBOOK_GRAPH_URL", "INSTAGRAM_GRAPH_URL", "INSTAGRAM_API_URL"]
        .iter()
        .any(|name| source.get(name) == table::find(name).map(|setting| setting.default));
    secret && real
}

#[cfg(test)]
mod tests;
