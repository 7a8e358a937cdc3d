//! Refuses changes that a page of another site sent. Browsers name the page's origin on every change; programs name none,
//! and have no cookie that could be abused.

use crate::app::App;
use crate::problem::{Code, Problem};
use http::header::{HOST, ORIGIN};
use poem::Request;
use std::net::{IpAddr, Ipv4Addr};

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
/// caller's own words.
pub fn address(request: &Request) -> IpAddr {
    let address = request.remote_addr().as_socket_addr();
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
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
}
