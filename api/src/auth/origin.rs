//! Refuses changes that a page of another site sent. Browsers name the page's origin on every change; programs name none,
//! and have no cookie that could be abused.

use crate::app::App;
use crate::problem::{Code, Problem};
use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use poem::Request;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const FORWARDED_FOR: &str = "X-Forwarded-For";

/// An origin, when present, is that of PUBLIC_URL or of the host the request came by.
pub fn check(request: &Request, app: &App) -> Result<(), Problem> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if origin.to_str().is_ok_and(|origin| fits(origin, &app.origin, host)) {
        return Ok(());
    }
    metrics::counter!("retail_assist_refused_total", "why" => "origin").increment(1);
    Err(Problem::new(Code::BadOrigin))
}

fn fits(origin: &str, ours: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    origin.eq_ignore_ascii_case(ours)
        || matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

/// Where the request came from, for counting failures. The address of the connection: headers that name another are the
/// caller's own words, unless a proxy of the operator's wrote them.
pub fn address(request: &Request, app: &App) -> IpAddr {
    let peer = request.remote_addr().as_socket_addr();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip().to_canonical());
    let is_proxy = app.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == peer);
    if is_proxy { forwarded_for(request.headers()).unwrap_or(peer) } else { peer }
}

/// The last address is the one that the proxy itself saw; those before it came with the request.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim();
    let with_port = || last.parse().ok().map(|address: SocketAddr| address.ip());
    last.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_fit() {
        let ours = "https://shop.example";
        assert!(fits("https://shop.example", ours, None));
        assert!(fits("http://127.0.0.1:8080", ours, Some("127.0.0.1:8080")));
        for foreign in ["null", "https://shop.example.evil.test", "https://evil.test", "shop.example", ""] {
            assert!(!fits(foreign, ours, Some("shop.example")), "{foreign}");
        }
    }

    #[test]
    fn the_last_address_is_the_proxys_word() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            forwarded_for(&headers).map(|address| address.to_string())
        };
        assert_eq!(of(&["1.1.1.1, 2.2.2.2"]).as_deref(), Some("2.2.2.2"));
        assert_eq!(of(&["1.1.1.1", "::ffff:3.3.3.3"]).as_deref(), Some("3.3.3.3"));
        assert_eq!(of(&["[fd00::1]:443"]).as_deref(), Some("fd00::1"));
        for bad in [&[][..], &[""], &["1.1.1.1,"], &["1.1.1.1, unknown"]] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
