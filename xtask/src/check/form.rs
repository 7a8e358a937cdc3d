//! The form of a page as a browser would fill it in and send it: what is hidden, chosen and ticked, and the button pressed.
//! Only what the local Meta's pages are made of is understood, so that a page that changes is noticed.

use anyhow::{Context as _, bail, ensure};
use std::collections::HashMap;

/// A form.
#[derive(Debug, Default)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    hidden: Vec<(String, String)>,
    selects: Vec<Select>,
    boxes: Vec<Tick>,
    buttons: Vec<Button>,
}

#[derive(Debug)]
struct Select {
    name: String,
    /// Value and text.
    options: Vec<(String, String)>,
    chosen: Option<String>,
}

#[derive(Debug)]
struct Tick {
    name: String,
    value: String,
    ticked: bool,
    disabled: bool,
}

#[derive(Debug)]
struct Button {
    id: String,
    name: String,
    value: String,
    disabled: bool,
}

impl Form {
    /// The one form of a page.
    pub fn of(page: &str) -> anyhow::Result<Self> {
        let start = page.find("<form").context("the page has no form")?;
        let end = page[start..].find("</form>").context("the page's form has no end")? + start;
        let mut form = Self::default();
        let mut rest = &page[start..end];
        while let Some(open) = rest.find('<') {
            let close = rest[open..].find('>').context("a tag of the page has no end")? + open;
            let (tag, after) = (&rest[open + 1..close], &rest[close + 1..]);
            let text = after.split('<').next().unwrap_or_default();
            form.take(tag, text)?;
            rest = after;
        }
        ensure!(!form.action.is_empty(), "the page's form goes nowhere");
        Ok(form)
    }

    fn take(&mut self, tag: &str, text: &str) -> anyhow::Result<()> {
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let all = attributes_of(attributes);
        let get = |name: &str| all.get(name).cloned().unwrap_or_default();
        let has = |name: &str| all.contains_key(name);
        match (name, get("type").as_str()) {
            ("form", _) => {
                ensure!(get("method") == "post", "the page's form is sent by {:?}", get("method"));
                self.action = get("action");
            }
            ("input", "hidden") => self.hidden.push((get("name"), get("value"))),
            ("input", "checkbox") => self.boxes.push(Tick {
                name: get("name"),
                value: get("value"),
                ticked: has("checked"),
                disabled: has("disabled"),
            }),
            ("input", other) => bail!("the page has an input of the unknown type {other:?}"),
            ("select", _) => self.selects.push(Select { name: get("name"), options: Vec::new(), chosen: None }),
            ("option", _) => {
                let select = self.selects.last_mut().context("an option outside of a select")?;
                select.options.push((get("value"), unescaped(text)));
                // As in a browser, the first one until another is marked.
                if select.chosen.is_none() || has("selected") {
                    select.chosen = Some(get("value"));
                }
            }
            ("button", _) => self.buttons.push(Button {
                id: get("id"),
                name: get("name"),
                value: get("value"),
                disabled: has("disabled"),
            }),
            _ => {}
        }
        Ok(())
    }

    /// Chooses an option by its value or its text.
    pub fn choose(&mut self, name: &str, wanted: &str) -> anyhow::Result<()> {
        let select = self.selects.iter_mut().find(|select| select.name == name);
        let select = select.with_context(|| format!("the page has no choice of {name}"))?;
        let found = select.options.iter().find(|(value, text)| value == wanted || text == wanted);
        select.chosen = Some(found.with_context(|| format!("{wanted} is not among the choices of {name}"))?.0.clone());
        Ok(())
    }

    /// What is chosen.
    pub fn chosen(&self, name: &str) -> Option<&str> {
        self.selects.iter().find(|select| select.name == name)?.chosen.as_deref()
    }

    /// What a hidden field says.
    pub fn hidden(&self, name: &str) -> Option<&str> {
        self.hidden.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The values of the boxes of this name that are ticked.
    pub fn ticked(&self, name: &str) -> Vec<&str> {
        let ticked = self.boxes.iter().filter(|one| one.name == name && one.ticked);
        ticked.map(|one| one.value.as_str()).collect()
    }

    /// What a browser sends when this button is pressed.
    pub fn pressed(self, id: &str) -> anyhow::Result<Vec<(String, String)>> {
        let button = self.buttons.into_iter().find(|button| button.id == id);
        let button = button.with_context(|| format!("the page has no button {id}"))?;
        ensure!(!button.disabled, "the button {id} cannot be pressed");
        let chosen = self.selects.into_iter().filter_map(|select| Some((select.name, select.chosen?)));
        let ticked = self.boxes.into_iter().filter(|one| one.ticked && !one.disabled).map(|one| (one.name, one.value));
        Ok(self.hidden.into_iter().chain(chosen).chain(ticked).chain([(button.name, button.value)]).collect())
    }
}

fn attributes_of(text: &str) -> HashMap<String, String> {
    let mut all = HashMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let end = quoted.find('"').unwrap_or(quoted.len());
            value = unescaped(&quoted[..end]);
            rest = quoted.get(end + 1..).unwrap_or_default();
        }
        all.insert(name, value);
        rest = rest.trim_start_matches(['=', ' ']);
    }
    all
}

fn unescaped(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    // Last, or what was escaped twice would be unescaped twice.
    plain.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<p><form method="post" action="/oauth/authorize"><input type="hidden" name="state" value="a&amp;lt;b&quot;">
        <select id="account" name="account"><option value="1">@one</option><option value="2" selected>Two &amp; Co</option></select>
        <input type="checkbox" name="accounts" value="10" checked> <input type="checkbox" name="accounts" value="11">
        <input type="checkbox" name="scopes" value="basic" checked disabled>
        <button id="deny" name="decision" value="deny">Cancel</button>
        <button id="allow" name="decision" value="allow" disabled>Allow</button></form>"#;

    #[test]
    fn a_form_is_sent_as_a_browser_does() {
        let form = Form::of(PAGE).unwrap();
        assert_eq!((form.action.as_str(), form.chosen("account")), ("/oauth/authorize", Some("2")));
        assert_eq!(form.ticked("accounts"), ["10"]);
        let mut other = Form::of(PAGE).unwrap();
        other.choose("account", "@one").unwrap();
        assert!(other.choose("account", "@three").is_err());
        let sent = other.pressed("deny").unwrap();
        let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(sent, [("state", "a&lt;b\""), ("account", "1"), ("accounts", "10"), ("decision", "deny")]);
        assert!(form.pressed("allow").unwrap_err().to_string().contains("cannot be pressed"));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(Form::of("<p>Sorry</p>").is_err());
        assert!(Form::of(r#"<form method="get" action="/x"></form>"#).is_err());
        assert!(Form::of(r#"<form method="post" action="/x"><input type="radio"></form>"#).is_err());
    }
}
