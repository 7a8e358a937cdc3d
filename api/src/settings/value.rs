//! Reads single values: durations, encryption keys, addresses. Each answers with a sentence that names the form wanted and
//! never repeats what it was given.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::time::Duration;
use zeroize::Zeroizing;

/// `500ms`, `60s`, `5m`, `24h`, `7d`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "must be a number with a unit: 500ms, 60s, 5m, 24h or 7d";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| FORM)?;
    let millis = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    match millis.and_then(|unit: u64| number.checked_mul(unit)) {
        Some(0) | None => Err(FORM),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

/// One `id:base64(32 bytes)`; either alphabet, with or without padding.
pub fn key(text: &str) -> Result<(String, Zeroizing<[u8; 32]>), &'static str> {
    const FORM: &str = "must be id:base64 of 32 bytes; make one with: echo k1:$(openssl rand -base64 32)";
    let (id, encoded) = text.trim().split_once(':').ok_or(FORM)?;
    let decoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(encoded.trim()).ok())
        .map(Zeroizing::new)
        .ok_or(FORM)?;
    let bytes: [u8; 32] = decoded.as_slice().try_into().map_err(|_| FORM)?;
    Ok((id.trim().to_owned(), Zeroizing::new(bytes)))
}

/// An http(s) address, possibly with a path, without a slash at the end.
pub fn base_url(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "must be an address like https://shop.example.com, without user, query or fragment";
    let url: http::Uri = text.parse().map_err(|_| FORM)?;
    let scheme = url.scheme_str().unwrap_or_default();
    let plain = matches!(scheme, "http" | "https")
        && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && url.query().is_none()
        && !text.contains('#');
    if plain { Ok(text.trim_end_matches('/').to_owned()) } else { Err(FORM) }
}

/// Scheme, host and port of a base address, as a browser writes an origin: default ports left out.
pub fn origin(base: &str) -> Option<String> {
    let url: http::Uri = base.parse().ok()?;
    let (scheme, host) = (url.scheme_str()?, url.host()?.to_lowercase());
    let default = if scheme == "https" { 443 } else { 80 };
    match url.port_u16().filter(|port| *port != default) {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("60s").unwrap(), Duration::from_secs(60));
        assert_eq!(duration("7d").unwrap(), Duration::from_secs(604_800));
        for bad in ["", "60", "s", "0s", "-1s", "1.5s", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys() {
        let encoded = STANDARD.encode([7_u8; 32]);
        assert_eq!(*key(&format!("k1:{encoded}")).unwrap().1, [7; 32]);
        assert_eq!(key(&format!("k1:{}", encoded.trim_end_matches('='))).unwrap().0, "k1");
        for bad in ["", "k1", "k1:", "k1:AAAA", &encoded] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_and_origins() {
        assert_eq!(base_url("https://a.example/").unwrap(), "https://a.example");
        assert_eq!(origin("https://A.example:443/x").as_deref(), Some("https://a.example"));
        assert_eq!(origin("http://127.0.0.1:8080").as_deref(), Some("http://127.0.0.1:8080"));
        for bad in ["", "a.example", "ftp://a", "https://u:p@a", "https://a?b", "https://a#b"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
