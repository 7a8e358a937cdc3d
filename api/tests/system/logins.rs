//! The running program, its consent pages and its clock: connecting as a browser does, and ninety days of tokens.

use crate::process::Process;
use crate::system::{Session, System};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::NamedTempFile;

/// A browser without scripts: it keeps our cookies, fills in Meta's forms, and is sent from page to page.
pub struct Browser<'a> {
    session: Session<'a>,
    http: Client,
}

/// A form of a page: where it goes, and what is in it.
#[derive(Debug)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    let value = rest.split('"').next()?;
    Some(value.replace("&amp;", "&").replace("&quot;", "\"").replace("&#39;", "'").replace("&#x27;", "'"))
}

/// Reads the first form of a page as a browser would send it, but for its buttons.
fn form(page: &str) -> Form {
    let form = page.split_once("<form").unwrap_or_else(|| panic!("no form in {page}")).1;
    let form = form.split("</form>").next().unwrap();
    let head = form.split('>').next().unwrap();
    let mut fields = Vec::new();
    for tag in form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let is_box = attribute(tag, "type").as_deref() == Some("checkbox");
        if let Some(name) = attribute(tag, "name").filter(|_| !is_box || tag.contains(" checked")) {
            fields.push((name, attribute(tag, "value").unwrap_or_default()));
        }
    }
    for select in form.split("<select").skip(1) {
        let name = attribute(select.split('>').next().unwrap(), "name").unwrap();
        let options: Vec<&str> = select.split("</select>").next().unwrap().split("<option").skip(1).collect();
        let chosen =
            options.iter().find(|tag| tag.split('>').next().unwrap().contains(" selected")).or(options.first());
        fields.push((name, attribute(chosen.unwrap(), "value").unwrap()));
    }
    Form { action: attribute(head, "action").unwrap_or_default(), fields }
}

impl<'a> Browser<'a> {
    pub async fn of(system: &'a System) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none()).timeout(Duration::from_secs(30));
        Self { session: system.sign_in().await, http: http.build().unwrap() }
    }

    async fn get(&mut self, path: &str) -> (u16, Value, String) {
        let url = format!("{}{path}", self.session.system.api);
        let answer = self.http.get(url).header("cookie", &self.session.cookie).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location, mark) = (answer.status().as_u16(), header("location"), header("set-cookie"));
        if !mark.is_empty() {
            self.session.cookie = format!("{}; {}", self.session.cookie, mark.split(';').next().unwrap());
        }
        (status, answer.json().await.unwrap_or_default(), location)
    }

    /// Goes to Meta's page, changes what is in its form, presses a button, and comes back; returns where it ends up.
    pub async fn log_in(&mut self, start: &str, press: &str, change: impl Fn(&mut Vec<(String, String)>)) -> String {
        let (status, started, _) = self.get(start).await;
        assert_eq!(status, 200, "{started}");
        let address = Url::parse(started["authUrl"].as_str().unwrap()).unwrap();
        let page = self.http.get(address.clone()).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let mut form = form(&page.text().await.unwrap());
        change(&mut form.fields);
        form.fields.push(("decision".to_owned(), press.to_owned()));
        let target = address.join(&form.action).unwrap();
        let answer = self.http.post(target).form(&form.fields).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
        let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let path = format!("{}?{}", back.path(), back.query().unwrap_or_default());
        let (status, _, location) = self.get(&path).await;
        assert_eq!(status, 303);
        location
    }

    /// A whole login, with what is secret about it: code, state, handle, and the connections made.
    pub async fn watched(&mut self, start: &str, platform: &str) -> (String, String, String, Value) {
        let (code, state, location) = self.seen(start).await;
        let handle = location.split("_token=").nth(1).unwrap_or_else(|| panic!("{location}"));
        let handle = handle.split('&').next().unwrap().to_owned();
        let made = self.choose(&location, platform, 1).await;
        (code, state, handle, json!(made))
    }

    /// A login that ends in an error.
    pub async fn failing(&mut self, start: &str) -> (String, String) {
        let (code, state, location) = self.seen(start).await;
        assert!(location.contains("_error="), "{location}");
        (code, state)
    }

    async fn seen(&mut self, start: &str) -> (String, String, String) {
        let (_, started, _) = self.get(start).await;
        let system = self.session.system;
        let consent = system.control("/sandbox/consent", json!({ "authUrl": started["authUrl"] })).await;
        let back = Url::parse(consent["redirectTo"].as_str().unwrap()).unwrap();
        let part = |name: &str| back.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let path = format!("{}?{}", back.path(), back.query().unwrap_or_default());
        let (_, _, location) = self.get(&path).await;
        (part("code"), part("state"), location)
    }

    pub fn cookie(&self, name: &str) -> String {
        let start = format!("{name}=");
        let found = self.session.cookie.split("; ").find_map(|part| part.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no cookie {name}")).to_owned()
    }

    pub fn csrf(&self) -> &str {
        &self.session.csrf
    }

    /// What stands behind a handle, and the connections that a choice of it leads to.
    async fn choose(&mut self, location: &str, platform: &str, count: usize) -> Vec<Value> {
        let handle =
            location.split("_token=").nth(1).unwrap_or_else(|| panic!("{location}")).split('&').next().unwrap();
        let (status, found, _) = self.get(&format!("/api/meta/pages?token={handle}")).await;
        assert_eq!(status, 200, "{found}");
        let ids: Vec<&Value> = found["accounts"].as_array().unwrap().iter().map(|one| &one["id"]).take(count).collect();
        let body = json!({ "token": handle, "platform": platform, "selectedPageIds": ids });
        let (status, made) = self.session.send(Method::POST, "/api/meta/pages", body).await;
        assert_eq!(status, 200, "{made}");
        made["connections"].as_array().unwrap().clone()
    }
}

async fn account(system: &System, platform: &str, login: &str) -> String {
    let body = json!({ "platform": platform, "login": login, "subscribed": false });
    system.control("/sandbox/accounts", body).await["id"].as_str().unwrap().to_owned()
}

async fn connect(system: &System, start: &str, platform: &str, count: usize) -> Vec<Value> {
    let mut browser = Browser::of(system).await;
    let location = browser.log_in(start, "allow", |_| {}).await;
    browser.choose(&location, platform, count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consent_page_leads_to_connected_accounts_by_every_route() {
    for route in ["instagram", "facebook"] {
        let mut system = System::without_service(&[("INSTAGRAM_LOGIN", route)]).await;
        system.serve(&[]).await;
        let instagram = account(&system, "instagram", route).await;
        for _ in 0..3 {
            account(&system, "facebook", "facebook").await;
        }
        let made = connect(&system, "/api/meta/instagram/oauth", "instagram", 1).await;
        assert_eq!((&made[0]["externalId"], &made[0]["status"]), (&json!(instagram), &json!("active")));
        // Two of the Pages: with the Instagram account that is all that Pro allows.
        let made = connect(&system, "/api/meta/oauth", "facebook", 2).await;
        assert_eq!(made.len(), 2);
        let listed = system.sign_in().await.get("/api/meta/connections").await;
        let active = listed["items"].as_array().unwrap().iter().filter(|one| one["status"] == "active").count();
        assert_eq!(active, 3, "{listed}");

        let organization = system.organization.clone();
        system.admin(&["set-plan", "--organization", &organization, "--plan", "enterprise"], "");
        let denied = Browser::of(&system).await.log_in("/api/meta/oauth", "deny", |_| {}).await;
        assert_eq!(denied, "/dashboard/integrations?fb_error=access_denied");
        let denied = Browser::of(&system).await.log_in("/api/meta/instagram/oauth", "deny", |_| {}).await;
        assert_eq!(denied, "/dashboard/integrations?ig_error=access_denied");
        // A box unticked at Meta is a Page that is not there.
        let fewer = |fields: &mut Vec<(String, String)>| {
            let last = fields.iter().rposition(|(name, _)| name == "accounts").unwrap();
            fields.remove(last);
        };
        let location = Browser::of(&system).await.log_in("/api/meta/oauth", "allow", fewer).await;
        let pages = if route == "facebook" { 4 } else { 3 };
        assert!(location.ends_with(&format!("fb_accounts={}", pages - 1)), "{location}");

        system.admin(&["set-plan", "--organization", &organization, "--plan", "starter"], "");
        let (status, refused, _) = Browser::of(&system).await.get("/api/meta/instagram/oauth").await;
        assert_eq!((status, &refused["code"]), (403, &json!("plan_required")));
        assert!(refused["detail"].as_str().unwrap().starts_with("Pro plan required"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_with_a_code_in_its_hand_does_not_try_it_again() {
    let mut system = System::without_service(&[]).await;
    system.serve(&[("FAILPOINTS", "oauth.code_exchanged=1*return(abort)")]).await;
    account(&system, "instagram", "instagram").await;
    let mut browser = Browser::of(&system).await;
    let (_, started, _) = browser.get("/api/meta/instagram/oauth").await;
    let consent = system.control("/sandbox/consent", json!({ "authUrl": started["authUrl"] })).await;
    let back = consent["redirectTo"].as_str().unwrap().trim_end_matches("#_");
    // The process answers nobody any more.
    let cut = browser.http.get(back).header("cookie", &browser.session.cookie).send().await;
    assert!(cut.is_err(), "{cut:?}");
    system.service().wait_for_end(Duration::from_secs(20)).await;
    system.serve(&[]).await;
    let job = system
        .until("the job's end", || async {
            let jobs = system.jobs("oauth.exchange_code").await;
            if jobs[0]["state"] == "discarded" { Ok(jobs[0].clone()) } else { Err(jobs[0].to_string()) }
        })
        .await;
    assert_eq!(job["error"]["class"], "lapsed", "{job}");
    assert_eq!(system.sandbox_says("/sandbox/counters").await["oauth"]["codeExchanges"], 1);
    // Starting again is all it takes.
    let made = connect(&system, "/api/meta/instagram/oauth", "instagram", 1).await;
    assert_eq!(made[0]["status"], "active");
}

/// Meta has made a new token and we have not stored it: the old one is kept, and the next try makes another.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_with_a_refreshed_token_refreshes_again() {
    let mut clocks = Clocks::new();
    let mut system = System::without_service(&[("CLOCK_OFFSET_FILE", &clocks.file()), ("JOB_TICK", "200ms")]).await;
    system.serve(&[("FAILPOINTS", "token.refreshed=1*return(abort)")]).await;
    let id = account(&system, "instagram", "instagram").await;
    connect(&system, "/api/meta/instagram/oauth", "instagram", 1).await;
    clocks.turn(&system, 54).await;
    system.service().wait_for_end(Duration::from_secs(20)).await;
    let refreshes = async |system: &System| {
        system.sandbox_says("/sandbox/counters?detail=true").await["refreshesByAccount"][&id].clone()
    };
    assert_eq!(refreshes(&system).await, 1);
    system.serve(&[]).await;
    // The operator's key ends like everything else.
    system.new_operator();
    let job = system
        .until("the second try", || async {
            let jobs = system.jobs("token.refresh").await;
            if jobs[0]["state"] == "completed" { Ok(jobs[0].clone()) } else { Err(jobs[0].to_string()) }
        })
        .await;
    assert_eq!(job["result"], json!({ "refreshed": true }), "{job}");
    assert_eq!(refreshes(&system).await, 2);
    let shown = system.sign_in().await.get("/api/meta/connections").await;
    assert_eq!(shown["items"][0]["status"], "active");
}

/// The program's clock and the sandbox's, turned together.
pub struct Clocks {
    file: NamedTempFile,
    days: i64,
}

impl Clocks {
    pub fn new() -> Self {
        Self { file: NamedTempFile::new().unwrap(), days: 0 }
    }

    /// What the program reads its clock's offset from.
    pub fn file(&self) -> String {
        self.file.path().to_str().unwrap().to_owned()
    }

    pub async fn turn(&mut self, system: &System, days: i64) {
        self.days += days;
        std::fs::write(self.file.path(), (self.days * 86_400_000).to_string()).unwrap();
        system.control("/sandbox/clock", json!({ "advanceSeconds": days * 86_400 })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_refresh_every_token_once_through_ninety_days() {
    let mut clocks = Clocks::new();
    let mut system = System::without_service(&[
        ("CLOCK_OFFSET_FILE", &clocks.file()),
        ("JOB_LEASE", "60s"),
        ("JOB_TICK", "200ms"),
        ("RUST_LOG", "warn"),
    ])
    .await;
    system.serve(&[]).await;
    let organization = system.organization.clone();
    system.admin(&["set-plan", "--organization", &organization, "--plan", "enterprise"], "");
    let mut accounts = Vec::new();
    for _ in 0..5 {
        let id = account(&system, "instagram", "instagram").await;
        let mut browser = Browser::of(&system).await;
        let mine = |fields: &mut Vec<(String, String)>| {
            fields.iter_mut().find(|(name, _)| name == "account").unwrap().1.clone_from(&id);
        };
        let location = browser.log_in("/api/meta/instagram/oauth", "allow", mine).await;
        browser.choose(&location, "instagram", 1).await;
        accounts.push(id);
    }
    let _others: Vec<Process> = (0..7).map(|_| system.role("worker", &[])).collect();
    for day in 1..=90 {
        clocks.turn(&system, 1).await;
        if day % 25 == 0 {
            // The operator's key ends like everything else.
            system.new_operator();
        }
        system
            .until("the day's work", || async {
                let due = system.jobs("token.refresh_due").await;
                let since = time_of_day(clocks.days);
                let done = due.first().is_some_and(|job| {
                    job["state"] == "completed" && job["createdAt"].as_str().unwrap() >= since.as_str()
                });
                let refreshes = system.jobs("token.refresh").await;
                let open = refreshes.iter().filter(|job| job["state"] != "completed").count();
                if done && open == 0 { Ok(()) } else { Err(format!("day {day}: {due:?} {refreshes:?}")) }
            })
            .await;
        let counters = system.sandbox_says("/sandbox/counters?detail=true").await;
        assert_eq!(counters["oauth"]["refreshesRefused"], 0, "day {day}: none early");
        for id in &accounts {
            let times = counters["refreshesByAccount"][id].as_u64().unwrap_or(0);
            assert_eq!(times, u64::from(day >= 53), "day {day}, account {id}: {counters}");
        }
    }
    let shown = system.sign_in().await.get("/api/meta/connections").await;
    assert!(shown["items"].as_array().unwrap().iter().all(|one| one["status"] == "active"), "{shown}");
    let tokens = system.sandbox_says("/sandbox/tokens").await;
    for id in &accounts {
        let ours = tokens["items"].as_array().unwrap().iter().filter(|one| one["accountId"] == *id);
        assert!(ours.clone().any(|one| one["valid"] == true && one["refreshedFrom"].is_string()), "{id}: none lost");
    }
}

/// The moment at which a day of the turned clock cannot yet have begun, as the API writes times.
fn time_of_day(days: i64) -> String {
    let turned = std::time::SystemTime::now() + Duration::from_secs(u64::try_from(days).unwrap() * 86_400 - 3_600);
    let millis = turned.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    domain::clock::rfc3339(i64::try_from(millis).unwrap())
}
