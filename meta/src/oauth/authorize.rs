//! The address a person's browser is sent to, and the code that comes back from there.
//! Nothing secret is in it: app id, redirect address, scopes, and a state that only we can read.

use reqwest::Url;

use super::{App, Asks, Login};
use crate::client::MetaClient;

impl MetaClient {
    /// Where the person logs in and consents. `state` comes back with the answer, unchanged.
    pub fn authorize_url(&self, asks: Asks, app: &App, redirect_uri: &str, state: &str) -> String {
        let settings = self.settings();
        let address = match asks.login() {
            Login::Instagram => format!("{}/oauth/authorize", settings.instagram_web_url),
            Login::Facebook => format!("{}/{}/dialog/oauth", settings.facebook_web_url, settings.graph_version),
        };
        let scopes: Vec<&str> = asks.scopes().iter().map(|scope| scope.name).collect();
        let scope = scopes.join(",");
        let mut parameters = vec![
            ("client_id", app.id.as_str()),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", &scope),
            ("state", state),
        ];
        if asks.login() == Login::Facebook {
            // Without it Facebook does not ask again for what was declined once.
            parameters.push(("auth_type", "rerequest"));
        }
        match Url::parse_with_params(&address, parameters) {
            Ok(url) => url.into(),
            // The base was parsed when the client was built, and a path and pairs can be added to every such address.
            Err(_) => unreachable!("a checked base address can be continued"),
        }
    }
}

/// A code without the fragment that Instagram (`#_`) and Facebook (`#_=_`) put behind it (§1.1). Browsers keep fragments
/// to themselves; people and programs that copy an address do not.
pub fn clean_code(code: &str) -> &str {
    let code = code.trim();
    code.strip_suffix("#_=_").or_else(|| code.strip_suffix("#_")).unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Settings;

    fn app() -> App {
        App { id: "100200300".into(), secret: "app-secret".to_owned().into() }
    }

    #[test]
    fn each_login_has_its_address() {
        let client = MetaClient::new(Settings::default()).unwrap();
        let url = client.authorize_url(Asks::InstagramMessages, &app(), "https://a.test/cb?x=1&y", "s.t-a_te");
        assert_eq!(
            url,
            "https://www.instagram.com/oauth/authorize?client_id=100200300&redirect_uri=https%3A%2F%2Fa.test%2Fcb%3Fx%3D1%26y\
             &response_type=code&scope=instagram_business_basic%2Cinstagram_business_manage_messages&state=s.t-a_te"
        );
        for asks in [Asks::PageMessages, Asks::InstagramThroughPages] {
            let url = client.authorize_url(asks, &app(), "https://a.test/cb", "s");
            assert!(url.starts_with("https://www.facebook.com/v25.0/dialog/oauth?client_id=100200300&"), "{url}");
            assert!(!url.contains("app-secret"));
        }
    }

    #[test]
    fn the_tail_of_a_code_is_no_part_of_it() {
        for (given, code) in
            [("AQB_x", "AQB_x"), ("AQB_x#_", "AQB_x"), ("AQB#_=_", "AQB"), (" a#b ", "a#b"), ("#_", "")]
        {
            assert_eq!(clean_code(given), code, "{given}");
        }
    }
}
