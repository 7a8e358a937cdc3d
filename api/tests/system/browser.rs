//! Connecting accounts in a real browser: its cookies, its redirects, its clicks on Meta's consent pages.

use crate::system::System;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::Chromium;

async fn open(driver: &Chromium) -> Client {
    let options = json!({ "goog:chromeOptions": { "args": Chromium::arguments() } });
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(options.as_object().unwrap().clone());
    builder.connect(&driver.url()).await.unwrap()
}

/// Calls the API as a page of ours would: with the browser's own cookies.
async fn call(browser: &Client, system: &System, method: &str, path: &str, csrf: &str, body: Value) -> Value {
    // Of our pages only this one may call anybody at all.
    browser.goto(&format!("{}/docs", system.api)).await.unwrap();
    let script = "const [method, path, csrf, body, done] = arguments;
        fetch(path, { method, headers: { 'content-type': 'application/json', 'x-csrf-token': csrf },
                      body: method === 'GET' ? undefined : JSON.stringify(body) })
            .then(answer => answer.json()).then(done, error => done({ error: String(error) }));";
    browser.execute_async(script, vec![json!(method), json!(path), json!(csrf), body]).await.unwrap()
}

/// Starts a login; returns where Meta's page is.
async fn start(browser: &Client, system: &System, path: &str) -> String {
    let started = call(browser, system, "GET", path, "", Value::Null).await;
    started["authUrl"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned()
}

async fn press(browser: &Client, id: &str) {
    browser.find(Locator::Id(id)).await.unwrap().click().await.unwrap();
}

/// Where the browser is when it has come back to us, fragment and all.
async fn landed(browser: &Client) -> Url {
    for _ in 0..300 {
        let url = browser.current_url().await.unwrap();
        if url.path() == "/dashboard/integrations" {
            return url;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the browser is at {}", browser.current_url().await.unwrap());
}

/// Chooses everything that the login found.
async fn choose(browser: &Client, system: &System, csrf: &str, url: &Url, platform: &str) -> Value {
    let handle = url.query_pairs().find(|(key, _)| key.ends_with("_token")).unwrap_or_else(|| panic!("{url}")).1;
    let path = format!("/api/meta/pages?token={handle}");
    let found = call(browser, system, "GET", &path, csrf, Value::Null).await;
    let ids: Vec<&Value> =
        found["accounts"].as_array().unwrap_or_else(|| panic!("{found}")).iter().map(|one| &one["id"]).collect();
    let body = json!({ "token": handle, "platform": platform, "selectedPageIds": ids });
    let made = call(browser, system, "POST", "/api/meta/pages", csrf, body).await;
    made["connections"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_clicks_through_the_consent_pages() {
    let system = System::start().await;
    let made = json!({ "platform": "instagram", "login": "instagram", "subscribed": false });
    let instagram = system.control("/sandbox/accounts", made).await["id"].clone();
    let mut pages = Vec::new();
    for _ in 0..3 {
        let made = json!({ "platform": "facebook", "login": "facebook", "subscribed": false });
        pages.push(system.control("/sandbox/accounts", made).await["id"].as_str().unwrap().to_owned());
    }
    let driver = Chromium::start().unwrap();
    let browser = open(&driver).await;
    let body = json!({ "email": "ann@shop.test", "password": system.password });
    let signed_in = call(&browser, &system, "POST", "/api/auth/login", "", body).await;
    let csrf = signed_in["csrfToken"].as_str().unwrap_or_else(|| panic!("{signed_in}"));

    let address = start(&browser, &system, "/api/meta/instagram/oauth").await;
    browser.goto(&address).await.unwrap();
    press(&browser, "deny").await;
    assert_eq!(landed(&browser).await.query(), Some("ig_error=access_denied"));

    let address = start(&browser, &system, "/api/meta/instagram/oauth").await;
    browser.goto(&address).await.unwrap();
    press(&browser, "allow").await;
    let url = landed(&browser).await;
    assert!(url.query().unwrap().starts_with("ig_success=true&ig_token="), "{url}");
    let made = choose(&browser, &system, csrf, &url, "instagram").await;
    assert_eq!((&made[0]["externalId"], &made[0]["status"]), (&instagram, &json!("active")));

    // One of the three Pages is not given to the app.
    let address = start(&browser, &system, "/api/meta/oauth").await;
    browser.goto(&address).await.unwrap();
    press(&browser, &format!("account-{}", pages[1])).await;
    press(&browser, "allow").await;
    let url = landed(&browser).await;
    assert!(url.query().unwrap().ends_with("&fb_accounts=2"), "{url}");
    let made = choose(&browser, &system, csrf, &url, "facebook").await;
    let ids: Vec<&str> = made.as_array().unwrap().iter().map(|one| one["externalId"].as_str().unwrap()).collect();
    assert!(ids.len() == 2 && !ids.contains(&pages[1].as_str()), "{made}");
    let listed = call(&browser, &system, "GET", "/api/meta/connections", csrf, Value::Null).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);

    browser.close().await.unwrap();
}
