//! A person's browser: it keeps the service's cookies, goes where it is sent one step at a time, and sends forms. It never
//! follows a redirect by itself, for where it is sent is what is looked at.

use super::form::Form;
use super::journey::text;
use super::service::Caller;
use anyhow::{Context as _, ensure};
use reqwest::{Client, Response, Url, redirect};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Where a login ends.
const INTEGRATIONS: &str = "/dashboard/integrations";

/// A browser in which somebody is signed in.
#[derive(Debug)]
pub struct Browser {
    http: Client,
    service: Url,
    jar: BTreeMap<String, String>,
    csrf: String,
}

/// Where a request has led.
#[derive(Debug)]
struct Page {
    status: u16,
    location: Option<String>,
    text: String,
}

impl Browser {
    /// A new browser of somebody who has signed in.
    pub fn of(caller: Caller, service: &str) -> anyhow::Result<Self> {
        let Caller::Person { cookie, csrf } = caller else { anyhow::bail!("only a person has a browser") };
        let (name, value) = cookie.split_once('=').context("the sign-in set no cookie")?;
        let jar = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(Duration::from_secs(30));
        Ok(Self { http: http.build()?, service: Url::parse(service)?, jar, csrf })
    }

    /// Who uses it, for requests that a page would make.
    pub fn caller(&self) -> Caller {
        Caller::Person { cookie: self.cookies(), csrf: self.csrf.clone() }
    }

    /// A login from its start to the address it ends at: returns what that says. `fill` fills in the consent page's form and
    /// names the button to press.
    pub async fn log_in(
        &mut self,
        start: &str,
        fill: impl FnOnce(&mut Form) -> anyhow::Result<&'static str>,
    ) -> anyhow::Result<HashMap<String, String>> {
        let started = self.get(self.service.join(start)?).await?;
        ensure!(started.status == 200, "{start}: expected 200, got {} {}", started.status, started.text);
        let started: Value = serde_json::from_str(&started.text)?;
        ensure!(started["scopes"].as_array().is_some_and(|scopes| !scopes.is_empty()), "no scopes in {started}");
        let dialog = Url::parse(&text(&started, "authUrl")?)?;

        let page = self.get(dialog.clone()).await?;
        ensure!(page.status == 200, "the consent page: expected 200, got {} {}", page.status, page.text);
        let mut form = Form::of(&page.text)?;
        let button = fill(&mut form)?;
        let action = dialog.join(&form.action)?;
        let sent = self.read(self.http.post(action).form(&form.pressed(button)?).send().await?).await?;
        ensure!(sent.status == 302, "the consent form: expected 302, got {} {}", sent.status, sent.text);
        let callback = Url::parse(&sent.location.context("the consent form led nowhere")?)?;
        ensure!(
            callback.origin() == self.service.origin(),
            "Meta sent the browser to {}",
            callback.origin().ascii_serialization()
        );

        let back = self.get(callback).await?;
        ensure!(back.status == 303, "the callback: expected 303, got {} {}", back.status, back.text);
        let end = self.service.join(&back.location.context("the callback led nowhere")?)?;
        ensure!(
            end.origin() == self.service.origin() && end.path() == INTEGRATIONS,
            "the callback led to {}",
            end.path()
        );
        Ok(end.query_pairs().into_owned().collect())
    }

    async fn get(&mut self, url: Url) -> anyhow::Result<Page> {
        let ours = url.origin() == self.service.origin();
        let request = self.http.get(url);
        let request = if ours { request.header("cookie", self.cookies()) } else { request };
        let answer = request.send().await?;
        if ours {
            self.keep(&answer);
        }
        self.read(answer).await
    }

    async fn read(&self, answer: Response) -> anyhow::Result<Page> {
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        Ok(Page { status: answer.status().as_u16(), location, text: answer.text().await? })
    }

    fn keep(&mut self, answer: &Response) {
        let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let pairs = set.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
        self.jar.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    fn cookies(&self) -> String {
        let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }
}
