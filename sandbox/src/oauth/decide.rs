//! A person has decided: what they granted is noted, a code made, and the address to send them to built.
//! The page's form and the control interface both end here, so neither can do what the other cannot.

use crate::{
    faults::{Fired, Group},
    world::{World, accounts::Login, managers::Grant},
};

use super::{
    codes::{Code, Subject},
    request::Asked,
    scopes,
};

/// What was decided; what is not said is taken as on a fresh page.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub(crate) allow: bool,
    /// The Facebook person.
    pub(crate) person: Option<String>,
    /// The Instagram account.
    pub(crate) account: Option<String>,
    /// The Pages, by id.
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) scopes: Option<Vec<String>>,
}

/// Where it leads.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) redirect_to: String,
    pub(crate) code: Option<String>,
}

/// Why it cannot be done.
#[derive(Debug)]
pub(crate) enum Impossible {
    UnknownPerson(String),
    UnknownAccount(String),
    Invalid(&'static str),
}

/// The accounts of Instagram Login.
pub(crate) fn instagram_accounts(world: &World) -> Vec<usize> {
    let all = world.accounts.all().iter().enumerate();
    all.filter(|(_, account)| account.is_instagram() && account.logins.contains(&Login::Instagram))
        .map(|(index, _)| index)
        .collect()
}

/// Does it.
pub(crate) fn decide(world: &mut World, asked: &Asked, decision: &Decision) -> Result<Done, Impossible> {
    let subject = subject(world, asked.product, decision)?;
    let pages = pages(world, subject, decision)?;
    if !decision.allow {
        world.counters.oauth.denied += 1;
        return Ok(Done { redirect_to: denied(asked), code: None });
    }
    let (granted, declined) = split(asked, decision);
    world.counters.oauth.allowed += 1;
    if let Subject::Person(person) = subject {
        let at = world.clock.now();
        world.managers[person].grant = Some(Grant { scopes: granted.clone(), declined, pages, at });
    }
    let ids = world.subject_ids(subject);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    if let Some(fault) = world.faults.fire_any(Group::Dialog, &ids, &[], &mut world.rng) {
        return Ok(Done { redirect_to: broken(asked, &fault), code: None });
    }
    let text = world.ids.code(&mut world.rng);
    let code = Code {
        product: asked.product,
        subject,
        redirect_uri: asked.redirect_uri.clone(),
        scopes: granted,
        issued_at: world.clock.now(),
        used: false,
    };
    world.codes.insert(text.clone(), code);
    world.counters.oauth.codes_issued += 1;
    let redirect_to = back(asked, &[("code", &text)], true);
    Ok(Done { redirect_to, code: Some(text) })
}

fn subject(world: &mut World, product: Login, decision: &Decision) -> Result<Subject, Impossible> {
    if product == Login::Facebook {
        world.ensure_manager();
        let chosen = match &decision.person {
            Some(id) => world.manager(id).ok_or_else(|| Impossible::UnknownPerson(id.clone()))?,
            None => 0,
        };
        return Ok(Subject::Person(chosen));
    }
    let choices = instagram_accounts(world);
    let chosen = match &decision.account {
        Some(id) => {
            let index = world.accounts.find(id).ok_or_else(|| Impossible::UnknownAccount(id.clone()))?;
            choices.into_iter().find(|choice| *choice == index)
        }
        None => choices.first().copied(),
    };
    match chosen {
        Some(account) => Ok(Subject::Account(account)),
        // One can cancel without having an account.
        None if !decision.allow => Ok(Subject::Account(0)),
        None => Err(Impossible::Invalid("there is no such account of Instagram Login to sign in with")),
    }
}

fn pages(world: &World, subject: Subject, decision: &Decision) -> Result<Vec<usize>, Impossible> {
    let Subject::Person(person) = subject else { return Ok(Vec::new()) };
    let managed: Vec<usize> = world.managed(person).iter().map(|managed| managed.page).collect();
    let Some(wanted) = &decision.accounts else { return Ok(managed) };
    let mut pages = Vec::new();
    for id in wanted {
        let page = world.accounts.find(id).ok_or_else(|| Impossible::UnknownAccount(id.clone()))?;
        if !managed.contains(&page) {
            return Err(Impossible::Invalid("accounts must be Pages that the person manages"));
        }
        pages.push(page);
    }
    Ok(pages)
}

/// What is granted of what was asked for, and what is not.
fn split(asked: &Asked, decision: &Decision) -> (Vec<String>, Vec<String>) {
    let wanted = |name: &&String| decision.scopes.as_ref().is_none_or(|scopes| scopes.contains(name));
    let (mut granted, mut declined): (Vec<&String>, Vec<&String>) = asked.scopes.iter().partition(wanted);
    if asked.all_or_nothing && !declined.is_empty() {
        declined.append(&mut granted);
    }
    let mut granted: Vec<String> = granted.into_iter().cloned().collect();
    if asked.product == Login::Facebook && !granted.iter().any(|name| name == scopes::PUBLIC_PROFILE) {
        granted.push(scopes::PUBLIC_PROFILE.to_owned());
    }
    (granted, declined.into_iter().cloned().collect())
}

fn denied(asked: &Asked) -> String {
    match asked.product {
        Login::Instagram => {
            let said = [
                ("error", "access_denied"),
                ("error_reason", "user_denied"),
                ("error_description", "The user denied your request"),
            ];
            back(asked, &said, false)
        }
        Login::Facebook => {
            let said = [
                ("error", "access_denied"),
                ("error_code", "200"),
                ("error_description", "Permissions error"),
                ("error_reason", "user_denied"),
            ];
            back(asked, &said, true)
        }
    }
}

fn broken(asked: &Asked, fault: &Fired) -> String {
    if fault.name == "callback_without_code" {
        return back(asked, &[], true);
    }
    let error = fault.text("error").unwrap_or("server_error");
    let description = "Sorry, something went wrong.";
    match asked.product {
        Login::Instagram => back(asked, &[("error", error), ("error_description", description)], true),
        Login::Facebook => {
            let said = [("error", error), ("error_code", "1"), ("error_description", description)];
            back(asked, &said, true)
        }
    }
}

/// The redirect address with these parameters, the state, and the tail browsers keep to themselves.
fn back(asked: &Asked, parameters: &[(&str, &str)], tail: bool) -> String {
    let state = asked.state.as_deref().map(|state| ("state", state));
    let query = encode(parameters.iter().copied().chain(state));
    let uri = &asked.redirect_uri;
    let join = match query.is_empty() {
        true => "",
        false if uri.contains('?') => "&",
        false => "?",
    };
    let tail = match (tail, asked.product) {
        (false, _) => "",
        (true, Login::Instagram) => "#_",
        (true, Login::Facebook) => "#_=_",
    };
    format!("{uri}{join}{query}{tail}")
}

fn encode<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let Ok(mut url) = reqwest::Url::parse("http://sandbox/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(parameters);
    url.query().unwrap_or_default().to_owned()
}
