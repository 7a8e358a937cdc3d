//! The table of settings: every name with its default and a sentence. Help texts and documentation are drawn from it, and
//! reading goes through it, so that a setting that is not in the table does not exist.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As in the environment and, in either case, in the file.
    pub name: &'static str,
    /// What holds when it is not set; empty when nothing does.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Never shown, not even in part.
    pub secret: bool,
}

const fn plain(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { name, default, help, secret: false }
}

const fn secret(name: &'static str, help: &'static str) -> Setting {
    Setting { name, default: "", help, secret: true }
}

/// Names the file of settings; itself only read from the environment.
pub const CONFIG_FILE: &str = "RETAIL_ASSIST_CONFIG";

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "DATABASE_URL",
        default: "sqlite://retail-assist.db?mode=rwc",
        help: "Where everything is kept: sqlite://<file>?mode=rwc, or postgres://<user>:<password>@<host>:<port>/<database>",
        secret: true,
    },
    plain(
        "DATABASE_CONNECTIONS",
        "16",
        "Connections of this process to Postgres at most, and one more to be rung by; all processes together must stay under its max_connections",
    ),
    secret(
        "REDIS_URL",
        "Rings the workers of other processes, so that they need not wait for JOB_TICK: redis://host:6379/0, or rediss:// for TLS; \
         nothing is lost without it",
    ),
    plain("BIND_ADDR", "127.0.0.1:8080", "Address and port to listen on"),
    plain(
        "PUBLIC_URL",
        "http://127.0.0.1:8080",
        "How browsers and Meta reach this service; https turns on secure cookies",
    ),
    plain("META_APP_ID", "", "App id of the Meta app (Facebook Login)"),
    secret("META_APP_SECRET", "App secret of the Meta app; signs webhooks of Pages"),
    plain("INSTAGRAM_APP_ID", "", "App id of the Instagram Login product"),
    secret("INSTAGRAM_APP_SECRET", "App secret of the Instagram Login product; signs webhooks of Instagram accounts"),
    secret("META_PREVIOUS_APP_SECRETS", "Former Meta app secrets, separated by commas, accepted while rotating"),
    secret(
        "INSTAGRAM_PREVIOUS_APP_SECRETS",
        "Former Instagram app secrets, separated by commas, accepted while rotating",
    ),
    secret(
        "META_WEBHOOK_VERIFY_TOKEN",
        "The token you typed into Meta's webhook form; without it the handshake is refused",
    ),
    plain("META_REDIRECT_URI", "{PUBLIC_URL}/api/meta/callback", "Redirect URI registered for Facebook Login"),
    plain(
        "META_REDIRECT_INSTAGRAM_URI",
        "{PUBLIC_URL}/api/meta/instagram/callback",
        "Redirect URI registered for Instagram Login",
    ),
    plain(
        "INSTAGRAM_LOGIN",
        "instagram",
        "How Instagram accounts are connected: instagram, or facebook (through their Page)",
    ),
    plain("META_GRAPH_VERSION", "v25.0", "Version of the Graph API"),
    plain("FACEBOOK_WEB_URL", "https://www.facebook.com", "Where people log in to Facebook"),
    plain("FACEBOOK_GRAPH_URL", "https://graph.facebook.com", "Graph API of Pages"),
    plain("INSTAGRAM_WEB_URL", "https://www.instagram.com", "Where people log in to Instagram"),
    plain("INSTAGRAM_API_URL", "https://api.instagram.com", "Code exchange of Instagram Login"),
    plain("INSTAGRAM_GRAPH_URL", "https://graph.instagram.com", "Graph API of Instagram accounts"),
    secret(
        "TOKEN_ENCRYPTION_KEYS",
        "id:base64 of 32 bytes[,older…]; the first seals tokens, all open them; make one with: echo k1:$(openssl rand -base64 32)",
    ),
    plain("SIGNUP_PLAN", "starter", "Plan of organizations that register themselves; closed turns registration off"),
    plain("REFRESH_AHEAD", "7d", "Tokens that end within this time are refreshed by the daily run"),
    plain(
        "AI_BASE_URL",
        "",
        "Where an OpenAI-compatible interface is, such as https://api.example.com/v1; without it replies are templates only",
    ),
    secret("AI_API_KEY", "Sent to it as a bearer token; local models need none"),
    plain("AI_MODEL", "", "Name of the model that writes automatic replies"),
    plain("AI_TIMEOUT", "20s", "How long the model may take, 1s to 25s; then the account's own text is sent"),
    plain(
        "HUMAN_AGENT",
        "off",
        "on when Meta has granted the app its Human Agent feature: what a person types may then be sent for seven days",
    ),
    plain(
        "MEDIA_PREVIEWS",
        "on",
        "on keeps a small copy of pictures that customers send until they are unsent or deleted; off keeps the links only",
    ),
    plain(
        "MEDIA_HOSTS",
        "",
        "Further host:port, separated by commas, that files may be read from; for a local Meta only, leave it empty otherwise",
    ),
    secret(
        "SMTP_URL",
        "Mail server that sends notifications to owners: smtps://user:password@host:465, or smtp://host:25; without it they \
         are shown in the page only",
    ),
    plain("MAIL_FROM", "", "Sender of those mails, such as Retail Assist <assist@shop.example>"),
    plain("JOB_LEASE", "60s", "How long a worker holds a job without a sign of life"),
    plain(
        "JOB_TICK",
        "1s",
        "How often workers look for due jobs when nothing rings: retries and what is for later start up to this late",
    ),
    plain("RETAIN_COMPLETED_JOBS", "24h", "How long completed jobs are kept"),
    plain("RETAIN_FAILED_JOBS", "30d", "How long discarded and cancelled jobs are kept"),
    plain("RETAIN_DELIVERY_BODIES", "24h", "How long the body of a delivery is kept at most"),
    plain("RETAIN_DELIVERIES", "7d", "How long the hash and the outcomes of a delivery are kept"),
    plain("MAX_CONNECTIONS", "4096", "Connections served at once; more wait"),
    plain(
        "TRUSTED_PROXIES",
        "",
        "IP addresses of proxies in front, separated by commas; failed sign-ins then count by the last X-Forwarded-For",
    ),
    plain("LOG_FORMAT", "pretty", "pretty for people, json for machines"),
    plain("RUST_LOG", "info", "Which log lines are written, e.g. info,jobs=debug"),
];

/// The row of a name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}

/// The table as text, for `--help`.
pub fn help() -> String {
    let mut text = format!(
        "Settings, from the environment or from the TOML file that {CONFIG_FILE} names (the environment wins):\n"
    );
    for Setting { name, default, help, .. } in SETTINGS {
        text.push_str(&format!("\n  {name}\n      {help}"));
        if !default.is_empty() {
            text.push_str(&format!(" [default: {default}]"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_explained() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(!setting.help.is_empty(), "{}", setting.name);
            assert!(SETTINGS[..at].iter().all(|other| other.name != setting.name), "{}", setting.name);
            assert!(help().contains(setting.name));
        }
    }
}
