//! Signing in as a test does it: the dialog's address, the consent, the calls that follow.
//! Addresses and parameters are written out, since they are what is tested.

use serde_json::{Value, json};

use crate::harness::{Harness, Reply};

pub const IG_ID: &str = "200000000000002";
pub const IG_SECRET: &str = "sandbox-instagram-app-secret";
pub const FB_ID: &str = "100000000000001";
pub const FB_SECRET: &str = "sandbox-meta-app-secret";
pub const BACK: &str = "http://127.0.0.1:9/back";

pub const IG_SCOPE: &str = "instagram_business_basic,instagram_business_manage_messages";
pub const FB_SCOPE: &str = "pages_show_list,pages_messaging,pages_manage_metadata,pages_read_engagement,instagram_basic,\
                            instagram_manage_messages";

/// What stands between `code=` and the next separator.
pub fn code_in(url: &str) -> String {
    let (_, rest) = url.split_once("code=").unwrap();
    rest.split(['&', '#']).next().unwrap().to_owned()
}

impl Harness {
    pub fn ig_dialog(&self) -> String {
        format!(
            "{}/instagram-web/oauth/authorize?client_id={IG_ID}&redirect_uri={BACK}&response_type=code&scope={IG_SCOPE}\
             &state=s1",
            self.base
        )
    }

    pub fn fb_dialog(&self) -> String {
        format!(
            "{}/facebook-web/v25.0/dialog/oauth?client_id={FB_ID}&redirect_uri={BACK}&response_type=code\
             &scope={FB_SCOPE}&state=s1",
            self.base
        )
    }

    /// Decides on a dialog; `more` is added to the request.
    pub async fn consent(&self, dialog: &str, more: Value) -> Value {
        let mut body = json!({"authUrl": dialog});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("consent", body).await
    }

    pub async fn ig_code(&self) -> String {
        self.consent(&self.ig_dialog(), json!({})).await["code"].as_str().unwrap().to_owned()
    }

    pub async fn fb_code(&self) -> String {
        self.consent(&self.fb_dialog(), json!({})).await["code"].as_str().unwrap().to_owned()
    }

    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut url = reqwest::Url::parse("http://x/").unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        let request = self.http.post(format!("{}/{path}", self.base)).body(url.query().unwrap_or_default().to_owned());
        self.raw(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    /// A GET of a Graph host.
    pub async fn graph(&self, path: &str) -> Reply {
        self.raw(self.http.get(format!("{}/{path}", self.base))).await
    }

    pub async fn ig_exchange(&self, code: &str) -> Reply {
        let fields = [
            ("client_id", IG_ID),
            ("client_secret", IG_SECRET),
            ("grant_type", "authorization_code"),
            ("redirect_uri", BACK),
            ("code", code),
        ];
        self.form("instagram-api/oauth/access_token", &fields).await
    }

    pub async fn ig_long(&self, short: &str) -> Reply {
        let path = format!("grant_type=ig_exchange_token&client_secret={IG_SECRET}&access_token={short}");
        self.graph(&format!("instagram-graph/access_token?{path}")).await
    }

    pub async fn ig_refresh(&self, token: &str) -> Reply {
        let path = format!("instagram-graph/refresh_access_token?grant_type=ig_refresh_token&access_token={token}");
        self.graph(&path).await
    }

    pub async fn fb_exchange(&self, code: &str) -> Reply {
        let path = format!("client_id={FB_ID}&client_secret={FB_SECRET}&redirect_uri={BACK}&code={code}");
        self.graph(&format!("facebook-graph/v25.0/oauth/access_token?{path}")).await
    }

    pub async fn fb_long(&self, short: &str) -> Reply {
        let path = format!(
            "grant_type=fb_exchange_token&client_id={FB_ID}&client_secret={FB_SECRET}&fb_exchange_token={short}"
        );
        self.graph(&format!("facebook-graph/v25.0/oauth/access_token?{path}")).await
    }

    /// A long-lived Instagram token of whoever comes first.
    pub async fn ig_token(&self) -> String {
        let short = self.ig_exchange(&self.ig_code().await).await.token();
        self.ig_long(&short).await.token()
    }

    /// A long-lived user token; `more` is added to the consent.
    pub async fn fb_token(&self, more: Value) -> String {
        let code = self.consent(&self.fb_dialog(), more).await["code"].as_str().unwrap().to_owned();
        let short = self.fb_exchange(&code).await.token();
        self.fb_long(&short).await.token()
    }

    pub async fn days(&self, days: u64) {
        self.post("clock", json!({"advanceSeconds": days * 86_400})).await;
    }

    pub async fn oauth(&self) -> Value {
        self.counters().await["oauth"].clone()
    }
}

impl Reply {
    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body["access_token"].as_str().unwrap().to_owned()
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}
