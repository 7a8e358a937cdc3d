//! The addresses that browsers and Meta reach us by. Meta lets nobody ask which redirect URIs are registered, so the exact
//! strings are told, to be compared with its dashboard letter by letter.

use super::is_wanted;
use super::report::Finding;
use crate::settings::Settings;
use crate::settings::problem::Problems;
use crate::settings::value::origin;
use http::Uri;
use meta::Login;
use std::net::IpAddr;

const FACEBOOK_FORM: &str = "Facebook Login > Settings > Valid OAuth Redirect URIs";
const INSTAGRAM_FORM: &str =
    "Instagram > API setup with Instagram login > Business login settings > OAuth redirect URIs";

pub fn check(settings: &Settings, problems: &Problems) -> Vec<Finding> {
    let mut found = Vec::new();
    let public = &settings.public_url;
    if !problems.concern("PUBLIC_URL") {
        found.push(of_public_url(public));
    }
    if settings.domain.webhook_verify_token.is_none() {
        found.push(Finding::warning(
            "webhook-token",
            "META_WEBHOOK_VERIFY_TOKEN is not set, so Meta's handshake is refused: choose a word, set it, and type the same \
             into the webhook form of Meta's dashboard",
        ));
    }
    let through_facebook = settings.domain.instagram_login == Login::Facebook;
    let facebook = is_wanted(settings, Login::Facebook);
    let instagram = if through_facebook { facebook } else { is_wanted(settings, Login::Instagram) };
    let redirects = [
        (facebook, "META_REDIRECT_URI", "redirect-facebook", "/api/meta/callback", FACEBOOK_FORM),
        (
            instagram,
            "META_REDIRECT_INSTAGRAM_URI",
            "redirect-instagram",
            "/api/meta/instagram/callback",
            if through_facebook { FACEBOOK_FORM } else { INSTAGRAM_FORM },
        ),
    ];
    for (wanted, setting, name, route, form) in redirects {
        // Made of PUBLIC_URL unless it is set by itself.
        let unusable = problems.concern(setting) || problems.concern("PUBLIC_URL");
        if wanted && !unusable {
            let uri = match setting {
                "META_REDIRECT_URI" => &settings.domain.redirect_uri,
                _ => &settings.domain.redirect_instagram_uri,
            };
            found.push(of_redirect(name, setting, uri, public, route, form));
        }
    }
    found
}

fn of_public_url(public: &str) -> Finding {
    const NAME: &str = "public-url";
    match (public.starts_with("https://"), is_loopback(public)) {
        (true, _) => Finding::ok(NAME, format!("{public} is on https")),
        (false, true) => Finding::ok(NAME, format!("{public} is this machine alone; Meta cannot reach it")),
        (false, false) => Finding::warning(
            NAME,
            format!(
                "{public} is not on https: passwords and cookies travel in the open, and Meta delivers no webhook to it; put \
                 a proxy with TLS in front and set PUBLIC_URL to its https address"
            ),
        ),
    }
}

fn of_redirect(name: &'static str, setting: &str, uri: &str, public: &str, route: &str, form: &str) -> Finding {
    let Some(path) = uri.parse::<Uri>().ok().filter(|uri| uri.host().is_some()).map(|uri| uri.path().to_owned()) else {
        return Finding::problem(
            name,
            format!("{setting} is not an address; unset it, or write it as {public}{route}"),
        );
    };
    if !uri.starts_with("https://") && !is_loopback(uri) {
        return Finding::problem(
            name,
            format!("{uri} is not on https, and Meta takes no other; set PUBLIC_URL or {setting} to an https address"),
        );
    }
    if !path.ends_with(route) {
        return Finding::problem(
            name,
            format!("{uri} does not lead to {route}, where logins are taken; unset {setting}, or let it end so"),
        );
    }
    let register = format!("register exactly {uri} in Meta's dashboard under {form}");
    if origin(uri) != origin(public) {
        return Finding::warning(
            name,
            format!(
                "{uri} is on another host than PUBLIC_URL, and the browser's cookies stay behind at a login; set both to the \
                 same host, and {register}"
            ),
        );
    }
    if uri != format!("{public}{route}") {
        return Finding::warning(
            name,
            format!(
                "{uri} is not PUBLIC_URL with {route}; if a proxy does not map it there, unset {setting}; {register}"
            ),
        );
    }
    Finding::ok(name, format!("Meta lets nobody ask for it, so see yourself: {register}"))
}

fn is_loopback(address: &str) -> bool {
    let host = address.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_lowercase)).unwrap_or_default();
    let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::report::Report;
    use super::*;

    fn told(finding: Finding) -> String {
        Report::of(finding).text()
    }

    #[test]
    fn the_public_address() {
        assert!(told(of_public_url("https://a.example")).starts_with("ok"));
        for local in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"] {
            assert!(told(of_public_url(local)).starts_with("ok"), "{local}");
        }
        assert!(told(of_public_url("http://a.example")).starts_with("warning"));
    }

    #[test]
    fn redirect_addresses() {
        let judge = |uri: &str, public: &str| told(of_redirect("r", "META_X", uri, public, "/cb", "Form"));
        let good = judge("https://a.example/cb", "https://a.example");
        assert!(
            good.starts_with("ok")
                && good.contains("register exactly https://a.example/cb in")
                && good.ends_with("Form")
        );
        assert!(judge("http://127.0.0.1:1/cb", "http://127.0.0.1:1").starts_with("ok"));
        assert!(judge("https://a.example/x/cb", "https://a.example/x").starts_with("ok"));
        for (uri, public, status) in [
            ("http://a.example/cb", "http://a.example", "problem"),
            ("https://a.example/cb/", "https://a.example", "problem"),
            ("https://a.example", "https://a.example", "problem"),
            ("/cb", "https://a.example", "problem"),
            ("https://b.example/cb", "https://a.example", "warning"),
            ("https://a.example/x/cb", "https://a.example", "warning"),
        ] {
            assert!(judge(uri, public).starts_with(status), "{uri}");
        }
    }
}
