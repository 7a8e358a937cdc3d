//! The cookie that marks a browser: a login that one browser began is not finished by another. It says nothing of who uses
//! the browser, and outlives sessions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem::Request;

/// How long a browser keeps it.
const MAX_AGE: i64 = 365 * 24 * 3_600;

/// Its name; the prefix makes browsers insist on `Secure`, no `Domain` and `Path=/`.
fn name(secure: bool) -> &'static str {
    if secure { "__Host-ra_browser" } else { "ra_browser" }
}

/// The mark a request carries; anything but 32 bytes in base64url is none.
pub fn read(request: &Request, secure: bool) -> Option<String> {
    let cookie = request.cookie().get(name(secure))?;
    let mark = cookie.value_str();
    let fits = URL_SAFE_NO_PAD.decode(mark).is_ok_and(|bytes| bytes.len() == 32);
    fits.then(|| mark.to_owned())
}

/// A fresh mark; `None` when the operating system gives no randomness.
pub fn mark() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The header that sets it.
pub fn set(mark: &str, secure: bool) -> String {
    let name = name(secure);
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={mark}; Path=/; HttpOnly; SameSite=Lax; Max-Age={MAX_AGE}{secure}")
}
