//! The session cookie: out of reach of scripts, sent by our own pages only, and on https bound to this very host.

use domain::sessions::{ABSOLUTE, SessionToken};
use poem::Request;

/// Its name; the prefix makes browsers insist on `Secure`, no `Domain` and `Path=/`.
pub fn name(secure: bool) -> &'static str {
    if secure { "__Host-ra_session" } else { "ra_session" }
}

/// The header that signs a browser in.
pub fn set(token: &SessionToken, secure: bool) -> String {
    header(token.expose(), ABSOLUTE / 1_000, secure)
}

/// The header that makes a browser forget.
pub fn clear(secure: bool) -> String {
    header("", 0, secure)
}

fn header(value: &str, max_age: i64, secure: bool) -> String {
    let name = name(secure);
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")
}

/// The token a request carries.
pub fn read(request: &Request, secure: bool) -> Option<SessionToken> {
    let cookie = request.cookie().get(name(secure))?;
    SessionToken::parse(cookie.value_str())
}
