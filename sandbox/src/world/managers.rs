//! People with a Facebook login: which Pages they manage, and what they have granted to the app.
//! One who may do everything exists as long as nobody has made another, so that a demo needs no set-up.

use serde_json::{Value, json};

use super::{World, accounts::Platform};

/// Everything one can do on a Page.
const ALL_TASKS: [&str; 6] = ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MESSAGING", "MODERATE", "MANAGE"];

/// A Page in someone's hands.
#[derive(Debug, Clone)]
pub(crate) struct Managed {
    pub(crate) page: usize,
    pub(crate) tasks: Vec<String>,
    /// Reached only through a business portfolio.
    pub(crate) portfolio_only: bool,
    /// In that portfolio it is a client's Page, not an owned one.
    pub(crate) client_page: bool,
    /// The person lacks the right to a token.
    pub(crate) without_token: bool,
}

impl Managed {
    pub(crate) fn all_tasks() -> Vec<String> {
        ALL_TASKS.map(str::to_owned).to_vec()
    }

    /// That Page with every right.
    fn fully(page: usize) -> Self {
        Self { page, tasks: Self::all_tasks(), portfolio_only: false, client_page: false, without_token: false }
    }

    pub(crate) fn may(&self, task: &str) -> bool {
        self.tasks.iter().any(|own| own == task)
    }
}

/// What a person has granted to the app.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) scopes: Vec<String>,
    pub(crate) declined: Vec<String>,
    pub(crate) pages: Vec<usize>,
    pub(crate) at: i64,
}

/// A Facebook person.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The id the app sees.
    pub(crate) app_scoped_id: String,
    pub(crate) business_id: String,
    /// None: every Page there is.
    pub(crate) pages: Option<Vec<Managed>>,
    pub(crate) grant: Option<Grant>,
    /// Made because there was nobody.
    pub(crate) stand_in: bool,
}

impl World {
    /// Someone to sign in, made if there is nobody.
    pub(crate) fn ensure_manager(&mut self) {
        if self.managers.is_empty() {
            let mut person = self.new_manager(None);
            person.stand_in = true;
            self.managers.push(person);
        }
    }

    fn new_manager(&mut self, id: Option<String>) -> Manager {
        Manager {
            id: id.unwrap_or_else(|| self.free_manager_id()),
            name: "Robin Sandbox".to_owned(),
            app_scoped_id: self.ids.manager_scoped(),
            business_id: self.ids.business(),
            pages: None,
            grant: None,
            stand_in: false,
        }
    }

    fn free_manager_id(&mut self) -> String {
        loop {
            let id = self.ids.manager();
            if self.manager(&id).is_none() {
                return id;
            }
        }
    }

    /// Adds a person. A stand-in that nobody has used makes room.
    pub(crate) fn add_manager(&mut self, id: Option<String>) -> usize {
        let unused = self.managers.iter().position(|person| person.stand_in && person.grant.is_none());
        let unused = unused.filter(|index| !self.tokens.known().any(|(_, token)| token.person == Some(*index)));
        let person = self.new_manager(id);
        match unused {
            Some(index) => {
                self.managers[index] = person;
                index
            }
            None => {
                self.managers.push(person);
                self.managers.len() - 1
            }
        }
    }

    /// The person with that id, or with that id as the app sees it.
    pub(crate) fn manager(&self, id: &str) -> Option<usize> {
        self.managers.iter().position(|person| person.id == id || person.app_scoped_id == id)
    }

    /// The Pages a person manages.
    pub(crate) fn managed(&self, person: usize) -> Vec<Managed> {
        if let Some(pages) = &self.managers[person].pages {
            return pages.clone();
        }
        let all = self.accounts.all().iter().enumerate();
        all.filter(|(_, account)| account.platform == Platform::Facebook)
            .map(|(page, _)| Managed::fully(page))
            .collect()
    }

    /// That Page, if the person manages it.
    pub(crate) fn managed_page(&self, person: usize, page: usize) -> Option<Managed> {
        // Every call with a Page token comes here, so the list of all Pages is not made for it.
        match &self.managers[person].pages {
            Some(pages) => pages.iter().find(|managed| managed.page == page).cloned(),
            None => Some(Managed::fully(page)),
        }
    }

    /// The Pages a person manages and has granted to the app.
    pub(crate) fn granted(&self, person: usize) -> Vec<Managed> {
        let granted = self.managers[person].grant.as_ref().map(|grant| grant.pages.clone()).unwrap_or_default();
        self.managed(person).into_iter().filter(|managed| granted.contains(&managed.page)).collect()
    }

    /// The person as the control interface shows them.
    pub(crate) fn manager_json(&self, person: usize) -> Value {
        let pages: Vec<Value> = self
            .managed(person)
            .iter()
            .map(|managed| {
                json!({
                    "id": self.accounts.get(managed.page).id, "tasks": managed.tasks,
                    "portfolioOnly": managed.portfolio_only, "clientPage": managed.client_page,
                    "withoutToken": managed.without_token,
                })
            })
            .collect();
        let person = &self.managers[person];
        json!({
            "id": person.id, "name": person.name, "appScopedId": person.app_scoped_id, "businessId": person.business_id,
            "everyPage": person.pages.is_none(), "pages": pages,
            "grantedScopes": person.grant.as_ref().map(|grant| &grant.scopes),
        })
    }
}
