//! Pages and Instagram accounts: who they are, which tokens reach them, and whether webhooks reach us.
//! An Instagram account may be reached by Instagram Login, through a Page, or both.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::clock::rfc3339;

use super::{
    people::{Message, Person, Place},
    rate::Rate,
};

/// What kind of account this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Platform {
    Instagram,
    Facebook,
}

/// The product, and so the app, through which an account is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Login {
    Instagram,
    Facebook,
}

impl Login {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
        }
    }
}

impl Platform {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
        }
    }
}

/// One Page or Instagram account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) platform: Platform,
    pub(crate) logins: Vec<Login>,
    pub(crate) name: String,
    pub(crate) username: Option<String>,
    pub(crate) app_scoped_id: Option<String>,
    /// The token of Instagram Login, or a Page's own; Instagram through a Page uses the Page's.
    pub(crate) token: Option<String>,
    /// The Page an Instagram account is linked to.
    pub(crate) page: Option<usize>,
    /// The Instagram account linked to a Page.
    pub(crate) instagram: Option<usize>,
    /// `BUSINESS`, `MEDIA_CREATOR` or `PERSONAL`.
    pub(crate) account_type: &'static str,
    /// The address of its picture.
    pub(crate) picture: Option<String>,
    pub(crate) human_agent: bool,
    /// Another app owns its conversations: we only listen.
    pub(crate) standby: bool,
    pub(crate) subscribed: bool,
    pub(crate) subscribed_fields: Vec<String>,
    pub(crate) failing_since: Option<i64>,
    pub(crate) alerted_at: Option<i64>,
    pub(crate) disabled_at: Option<i64>,
    /// Graph calls so far, for the usage headers.
    pub(crate) calls: u64,
    /// Reads of conversations, for their limit.
    pub(crate) conversation_reads: Rate,
    pub(crate) people: Vec<Person>,
    people_by_id: HashMap<String, usize>,
    /// Indices into the list of everything sent.
    pub(crate) sent: Vec<usize>,
}

impl Account {
    pub(crate) fn new(id: String, platform: Platform) -> Self {
        Self {
            name: if platform == Platform::Facebook { "Page" } else { "Shop" }.to_owned(),
            id,
            platform,
            logins: Vec::new(),
            username: None,
            app_scoped_id: None,
            token: None,
            page: None,
            instagram: None,
            account_type: "BUSINESS",
            picture: None,
            human_agent: false,
            standby: false,
            subscribed: true,
            subscribed_fields: vec!["messages".to_owned()],
            failing_since: None,
            alerted_at: None,
            disabled_at: None,
            calls: 0,
            conversation_reads: Rate::default(),
            people: Vec::new(),
            people_by_id: HashMap::new(),
            sent: Vec::new(),
        }
    }

    pub(crate) fn is_instagram(&self) -> bool {
        self.platform == Platform::Instagram
    }

    /// The webhook object its events are in.
    pub(crate) fn object(&self) -> &'static str {
        if self.is_instagram() { "instagram" } else { "page" }
    }

    pub(crate) fn person(&self, id: &str) -> Option<usize> {
        self.people_by_id.get(id).copied()
    }

    /// The person with that id, made when there is none.
    pub(crate) fn person_or_new(&mut self, id: &str) -> usize {
        if let Some(index) = self.person(id) {
            return index;
        }
        let index = self.people.len();
        self.people.push(Person { id: id.to_owned(), ..Person::default() });
        self.people_by_id.insert(id.to_owned(), index);
        index
    }

    /// Turns webhooks on, which also ends what Meta did about failures.
    pub(crate) fn subscribe(&mut self, fields: Option<Vec<String>>) {
        self.subscribed = true;
        self.failing_since = None;
        self.alerted_at = None;
        self.disabled_at = None;
        if let Some(fields) = fields {
            self.subscribed_fields = fields;
        }
    }
}

/// All accounts, found by id.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    list: Vec<Account>,
    by_id: HashMap<String, usize>,
    by_mid: HashMap<String, (Place, usize)>,
}

impl Accounts {
    pub(crate) fn all(&self) -> &[Account] {
        &self.list
    }

    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn get(&self, index: usize) -> &Account {
        &self.list[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Account {
        &mut self.list[index]
    }

    /// For an index from before a possible reset.
    pub(crate) fn try_get_mut(&mut self, index: usize) -> Option<&mut Account> {
        self.list.get_mut(index)
    }

    pub(crate) fn at(&self, place: Place) -> (&Account, &Person) {
        let account = &self.list[place.account];
        (account, &account.people[place.person])
    }

    pub(crate) fn person_mut(&mut self, place: Place) -> &mut Person {
        &mut self.list[place.account].people[place.person]
    }

    pub(crate) fn add(&mut self, account: Account) -> usize {
        let index = self.list.len();
        self.by_id.insert(account.id.clone(), index);
        self.list.push(account);
        index
    }

    /// Adds a message to a thread.
    pub(crate) fn push(&mut self, place: Place, message: Message) {
        let person = self.person_mut(place);
        let index = person.messages.len();
        person.last_message = message.at;
        let mid = message.mid.clone();
        person.messages.push(message);
        self.by_mid.insert(mid, (place, index));
    }

    /// The message with that id, when it is in this thread.
    pub(crate) fn message_mut(&mut self, place: Place, mid: &str) -> Option<&mut Message> {
        let (found, index) = self.by_mid.get(mid).copied()?;
        if found != place {
            return None;
        }
        self.person_mut(place).messages.get_mut(index)
    }

    pub(crate) fn forget_messages(&mut self) {
        self.by_mid.clear();
        for account in &mut self.list {
            account.calls = 0;
            account.conversation_reads = Rate::default();
            account.sent.clear();
            if account.disabled_at.is_some() {
                account.subscribe(None);
            }
            account.failing_since = None;
            account.alerted_at = None;
            account.people.iter_mut().for_each(Person::forget_messages);
        }
    }

    /// The account as the control interface shows it.
    pub(crate) fn to_json(&self, index: usize) -> Value {
        let account = &self.list[index];
        let page = account.page.map(|page| &self.list[page]);
        let token = account.token.as_ref().or_else(|| page.and_then(|page| page.token.as_ref()));
        json!({
            "id": account.id, "platform": account.platform.name(),
            "login": account.logins.first().map(|login| login.name()),
            "logins": account.logins.iter().map(|login| login.name()).collect::<Vec<_>>(),
            "name": account.name, "username": account.username, "accessToken": token,
            "appScopedId": account.app_scoped_id, "pageId": page.map(|page| &page.id),
            "pageAccessToken": page.and_then(|page| page.token.as_ref()),
            "accountType": account.account_type, "picture": account.picture,
            "humanAgent": account.human_agent, "standby": account.standby, "subscribed": account.subscribed,
            "subscribedFields": account.subscribed_fields,
            "failingSince": account.failing_since.map(rfc3339), "alertedAt": account.alerted_at.map(rfc3339),
            "disabledAt": account.disabled_at.map(rfc3339), "customers": account.people.len(),
        })
    }
}
