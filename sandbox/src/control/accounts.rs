//! Accounts and customers: made here, changed by posting their id again.
//! An Instagram account of Facebook Login gets a Page to be reached through.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{
    World,
    accounts::{Account, Login, Platform},
    tokens::Kind,
};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum AccountType {
    Business,
    MediaCreator,
    Personal,
}

impl AccountType {
    fn name(self) -> &'static str {
        match self {
            Self::Business => "BUSINESS",
            Self::MediaCreator => "MEDIA_CREATOR",
            Self::Personal => "PERSONAL",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountInput {
    platform: Option<Platform>,
    login: Option<Login>,
    id: Option<String>,
    name: Option<String>,
    username: Option<String>,
    account_type: Option<AccountType>,
    picture: Option<String>,
    access_token: Option<String>,
    page_id: Option<String>,
    human_agent: Option<bool>,
    standby: Option<bool>,
    subscribed: Option<bool>,
}

/// `POST accounts`
pub(crate) fn save_account(world: &mut World, input: &Input) -> Answer {
    let wanted: AccountInput = input.json()?;
    let existing = wanted.id.as_deref().and_then(|id| world.accounts.find(id));
    let existing_platform = existing.map(|index| world.accounts.get(index).platform);
    let platform = wanted
        .platform
        .or(existing_platform)
        .ok_or_else(|| ControlError::invalid("platform must be instagram or facebook"))?;
    if existing_platform.is_some_and(|existing| existing != platform) {
        return Err(ControlError::invalid("an account cannot change its platform"));
    }
    if wanted.id.as_deref().is_some_and(|id| id.is_empty() || id.len() > 128) {
        return Err(ControlError::invalid("id must have 1 to 128 characters"));
    }
    let login = match (platform, wanted.login) {
        (Platform::Facebook, Some(Login::Instagram)) => {
            return Err(ControlError::invalid("a Page has login facebook"));
        }
        (Platform::Facebook, _) => Login::Facebook,
        (Platform::Instagram, login) => match (login, existing) {
            (Some(login), _) => login,
            (None, Some(index)) => world.accounts.get(index).logins.first().copied().unwrap_or(Login::Instagram),
            (None, None) => Login::Instagram,
        },
    };
    // Everything that can be refused is refused before anything is made.
    let page = match (&wanted.page_id, login) {
        (Some(id), Login::Facebook) => Some(page_named(world, id, platform)?),
        (Some(_), Login::Instagram) => {
            return Err(ControlError::invalid("pageId belongs to login facebook"));
        }
        (None, _) => None,
    };
    if let Some(token) = &wanted.access_token {
        let known = world.tokens.find(token).map(|known| world.tokens.get(known));
        let owner = known.and_then(|known| known.account);
        let made_by_sign_in = known.is_some_and(|known| known.kind != Kind::Fixed);
        let own_page = existing.and_then(|index| world.accounts.get(index).page);
        if token.is_empty()
            || token.contains('|')
            || made_by_sign_in
            || owner.is_some_and(|owner| Some(owner) != existing && Some(owner) != page && Some(owner) != own_page)
        {
            return Err(ControlError::invalid("accessToken is empty or another account's"));
        }
    }
    let index = existing.unwrap_or_else(|| {
        let id = wanted.id.clone().unwrap_or_else(|| free_account_id(world, platform));
        world.accounts.add(Account::new(id, platform))
    });
    set_login(world, index, login, page, wanted.access_token);
    let account = world.accounts.get_mut(index);
    account.name = wanted.name.unwrap_or_else(|| std::mem::take(&mut account.name));
    account.username = wanted.username.or_else(|| account.username.take());
    account.account_type = wanted.account_type.map_or(account.account_type, AccountType::name);
    account.picture = wanted.picture.or_else(|| account.picture.take());
    account.human_agent = wanted.human_agent.unwrap_or(account.human_agent);
    account.standby = wanted.standby.unwrap_or(account.standby);
    if let Some(on) = wanted.subscribed {
        // Reached through a Page, an account has its webhooks by the Page's installation.
        let page = world.accounts.get(index).page.filter(|_| login == Login::Facebook);
        for index in [Some(index), page].into_iter().flatten() {
            let account = world.accounts.get_mut(index);
            if on { account.subscribe(None) } else { account.subscribed = false }
        }
    }
    Ok((201, world.accounts.to_json(index)))
}

/// A new id; a test may have chosen the one that would come next.
fn free_account_id(world: &mut World, platform: Platform) -> String {
    loop {
        let id = match platform {
            Platform::Instagram => world.ids.instagram_account(),
            Platform::Facebook => world.ids.page(),
        };
        if world.accounts.find(&id).is_none() {
            return id;
        }
    }
}

fn free_customer_id(world: &mut World, account: usize) -> String {
    loop {
        let instagram = world.accounts.get(account).is_instagram();
        let id = if instagram { world.ids.instagram_person() } else { world.ids.messenger_person() };
        if world.accounts.get(account).person(&id).is_none() {
            return id;
        }
    }
}

fn page_named(world: &World, id: &str, platform: Platform) -> Result<usize, ControlError> {
    let index = input::account(world, id)?;
    let page = world.accounts.get(index);
    if platform == Platform::Facebook || page.platform != Platform::Facebook {
        return Err(ControlError::invalid("pageId names the Page of an Instagram account"));
    }
    Ok(index)
}

fn set_login(world: &mut World, index: usize, login: Login, page: Option<usize>, token: Option<String>) {
    let account = world.accounts.get_mut(index);
    if !account.logins.contains(&login) {
        account.logins.push(login);
    }
    let instagram = account.is_instagram();
    if instagram && account.app_scoped_id.is_none() {
        account.app_scoped_id = Some(world.ids.app_scoped());
    }
    // Whose token it is: an account of Instagram Login and a Page have their own, else it is the Page's.
    let mut owner = index;
    if instagram && login == Login::Facebook {
        let page = page.or(world.accounts.get(index).page).unwrap_or_else(|| {
            let mut page = Account::new(free_account_id(world, Platform::Facebook), Platform::Facebook);
            page.logins.push(Login::Facebook);
            world.accounts.add(page)
        });
        // An account is linked to one Page: where it was before, it is no more.
        if let Some(before) = world.accounts.get(index).page.filter(|before| *before != page) {
            world.accounts.get_mut(before).instagram = None;
        }
        world.accounts.get_mut(index).page = Some(page);
        world.accounts.get_mut(page).instagram = Some(index);
        owner = page;
    }
    if token.is_some() || world.accounts.get(owner).token.is_none() {
        let own_kind = world.accounts.get(owner).is_instagram();
        let token = token.unwrap_or_else(|| world.ids.token(&mut world.rng, own_kind));
        world.fix_token(owner, token);
    }
}

/// `GET accounts`
pub(crate) fn list_accounts(world: &World) -> Value {
    let items: Vec<Value> = (0..world.accounts.all().len()).map(|index| world.accounts.to_json(index)).collect();
    json!({"total": items.len(), "items": items})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CustomerInput {
    account_id: String,
    id: Option<String>,
    name: Option<String>,
    username: Option<String>,
    profile_pic: Option<String>,
}

/// `POST customers`
pub(crate) fn save_customer(world: &mut World, input: &Input) -> Answer {
    let wanted: CustomerInput = input.json()?;
    let account = input::account(world, &wanted.account_id)?;
    let id = wanted.id.unwrap_or_else(|| free_customer_id(world, account));
    let place = input::place_or_new(world, &wanted.account_id, &id)?;
    let person = world.accounts.person_mut(place);
    person.name = wanted.name.or_else(|| person.name.take());
    person.username = wanted.username.or_else(|| person.username.take());
    person.profile_pic = wanted.profile_pic.or_else(|| person.profile_pic.take());
    Ok((201, person.to_json(&wanted.account_id)))
}

/// `GET customers`
pub(crate) fn list_customers(world: &World, input: &Input) -> Answer {
    let chosen = input.query("accountId").map(|id| input::account(world, id)).transpose()?;
    let all = world.accounts.all();
    let accounts = match chosen {
        Some(index) => std::slice::from_ref(&all[index]),
        None => all,
    };
    let items: Vec<Value> =
        accounts.iter().flat_map(|account| account.people.iter().map(|person| person.to_json(&account.id))).collect();
    Ok((200, json!({"total": items.len(), "items": items})))
}
