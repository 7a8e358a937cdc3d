//! The Pages a person has a role on, each with its own token, and the Instagram accounts linked to them (fact sheet §3.1, §3.2).
//! Pages held by a business portfolio may be missing in the plain list, and are then looked for there.

use std::collections::HashSet;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};

use crate::class::{Operation, is_not_offered};
use crate::client::{Host, MetaClient};
use crate::error::GraphError;
use crate::json::{self, Fields};

const FIELDS: &str =
    "id,name,access_token,category,tasks,instagram_business_account{id,username,name,profile_picture_url}";

/// A Page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The id that webhooks carry as `entry.id`.
    pub id: String,
    /// Shown to people.
    pub name: Option<String>,
    /// The Page's own token; absent when the person lacks the right to it. Never the person's token.
    pub token: Option<SecretString>,
    /// What the person may do there, where Meta says so.
    pub tasks: Option<Vec<String>>,
    /// The Instagram professional account linked to it.
    pub instagram: Option<LinkedInstagram>,
}

/// An Instagram account, as its Page tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedInstagram {
    /// The id that webhooks carry as `entry.id`.
    pub id: String,
    /// Without `@`.
    pub username: Option<String>,
    /// Shown to people.
    pub name: Option<String>,
    /// An address that expires.
    pub picture_url: Option<String>,
}

impl Page {
    /// False when Meta says what the person may do, and either its messages or its webhooks are not among it (§3.1).
    pub fn may_message(&self) -> bool {
        let Some(tasks) = self.tasks.as_ref().filter(|tasks| !tasks.is_empty()) else { return true };
        let has = |name: &str| tasks.iter().any(|task| task == name);
        has("MESSAGING") && (has("MODERATE") || has("MANAGE"))
    }
}

impl MetaClient {
    /// Every Page the token reaches, each once. `portfolios` says that the person has let us look into business portfolios:
    /// then an empty list is followed by a look there.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadAccounts, …)`.
    pub async fn pages(&self, token: &SecretString, portfolios: bool) -> Result<Vec<Page>, GraphError> {
        let parameters = [("fields", FIELDS), ("limit", "100")];
        let read = |fields: &Fields<'_>| page(fields, token);
        let host = Host::FacebookGraph;
        let mut pages = self.list(host, "me/accounts", token, &parameters, read).await?;
        if pages.is_empty() && portfolios {
            let all = [("fields", "id"), ("limit", "100")];
            let businesses = match self.list(host, "me/businesses", token, &all, |fields| fields.id("id")).await {
                Err(error) if is_barred(&error) => Vec::new(),
                found => found?,
            };
            for business in businesses {
                for edge in ["owned_pages", "client_pages"] {
                    match self.list(host, &format!("{business}/{edge}"), token, &parameters, read).await {
                        Ok(found) => pages.extend(found),
                        Err(error) if is_barred(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            for page in pages.iter_mut().filter(|page| page.token.is_none()) {
                page.token = match self.page_token(&page.id, token).await {
                    Err(error) if is_barred(&error) => None,
                    asked => asked?,
                };
            }
        }
        let mut seen = HashSet::new();
        pages.retain(|page| seen.insert(page.id.clone()));
        Ok(pages)
    }

    /// The token of one Page, if the person may have it.
    async fn page_token(&self, page: &str, token: &SecretString) -> Result<Option<SecretString>, GraphError> {
        let call = self.request(Method::GET, Host::FacebookGraph, page, token).query(&[("fields", "access_token")]);
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        Ok(own_token(&Fields::parse(&answer.body).unwrap_or_default(), token))
    }

    /// The app-scoped id of the person a token of Facebook Login speaks for.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadAccounts, …)`.
    pub async fn facebook_person(&self, token: &SecretString) -> Result<String, GraphError> {
        let call = self.request(Method::GET, Host::FacebookGraph, "me", token).query(&[("fields", "id")]);
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        Fields::parse(&answer.body)
            .and_then(|fields| fields.id("id"))
            .ok_or_else(|| answer.lacks("the answer has no id"))
    }
}

/// What this person may not read, or what Meta does not have: the other Pages are there all the same.
fn is_barred(error: &GraphError) -> bool {
    is_not_offered(Operation::ReadAccounts, error) || matches!(error.code, Some(10 | 200..=299))
}

fn page(fields: &Fields<'_>, person: &SecretString) -> Option<Page> {
    // It becomes part of addresses.
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let id = fields.id("id").filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(letter))?;
    Some(Page {
        id,
        name: fields.text("name"),
        token: own_token(fields, person),
        tasks: fields.get("tasks").and_then(json::elements).map(|all| all.into_iter().filter_map(json::text).collect()),
        instagram: fields.object("instagram_business_account").and_then(|fields| linked(&fields)),
    })
}

/// A person's token in the place of a Page's would answer for every Page of that person.
fn own_token(fields: &Fields<'_>, person: &SecretString) -> Option<SecretString> {
    let token = fields.text("access_token").filter(|text| !text.trim().is_empty())?;
    (token != person.expose_secret()).then(|| SecretString::from(token))
}

fn linked(fields: &Fields<'_>) -> Option<LinkedInstagram> {
    Some(LinkedInstagram {
        id: fields.id("id")?,
        username: fields.text("username"),
        name: fields.text("name"),
        picture_url: fields.text("profile_picture_url"),
    })
}
