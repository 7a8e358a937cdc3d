//! Who calls: the token decides the holder and the product, the proof that the app's secret is known.
//! A token of one product is unknown on the other's host, as with Meta.

use crate::{
    webhook::signature,
    world::{
        World,
        accounts::{Login, Platform},
        tokens::Token,
    },
};

use super::{
    call::{Call, Host},
    error::GraphError,
};

/// Whom a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A Page, or an account of Instagram Login.
    Account(usize),
    /// A Facebook person.
    Person(usize),
    /// The app itself.
    App(Login),
}

/// A valid token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer {
    pub(crate) holder: Holder,
    /// None for an app's `id|secret`.
    token: Option<usize>,
}

impl Bearer {
    pub(crate) fn token(self, world: &World) -> Option<&Token> {
        self.token.map(|token| world.tokens.get(token))
    }

    pub(crate) fn has(self, world: &World, scope: &str) -> bool {
        self.token(world).is_some_and(|token| token.has(scope))
    }

    /// Refuses a token without that permission.
    pub(crate) fn needs(self, world: &World, scope: &str) -> Result<(), GraphError> {
        if self.has(world, scope) { Ok(()) } else { Err(GraphError::permission(scope)) }
    }
}

/// The account behind a valid token: a Page, or an account of Instagram Login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) account: usize,
    pub(crate) platform: Platform,
    pub(crate) bearer: Bearer,
}

/// The token of a call, valid or not.
pub(crate) fn known_token<'a>(world: &'a World, call: &Call) -> Option<&'a Token> {
    world.tokens.find(&call.token()?).map(|token| world.tokens.get(token))
}

/// The account of the token, whether or not the call is allowed.
pub(crate) fn token_account(world: &World, call: &Call) -> Option<usize> {
    known_token(world, call)?.account
}

/// The app whose `id|secret` this is; refused when it only looks like one.
pub(crate) fn app(world: &World, text: &str) -> Option<Result<Login, GraphError>> {
    let (id, secret) = text.split_once('|')?;
    let config = &world.config;
    if world.tokens.find(text).is_some() {
        return None;
    }
    Some(match (id, secret) {
        _ if id == config.meta_app_id && secret == config.meta_app_secret => Ok(Login::Facebook),
        _ if id == config.instagram_app_id && secret == config.instagram_app_secret => Ok(Login::Instagram),
        _ => Err(GraphError::app_token_wrong()),
    })
}

/// Checks token, host and proof.
pub(crate) fn bearer(world: &World, call: &Call, me: bool) -> Result<Bearer, GraphError> {
    let text = call.token().ok_or_else(|| GraphError::no_token(me))?;
    if let Some(app) = app(world, &text) {
        // Whoever has the secret need not prove it again.
        return Ok(Bearer { holder: Holder::App(app?), token: None });
    }
    let index = world.tokens.find(&text).ok_or_else(GraphError::unknown_token)?;
    let token = world.tokens.get(index);
    let right_host = match call.host {
        Host::Any => true,
        Host::InstagramGraph => token.product == Login::Instagram,
        Host::FacebookGraph => token.product == Login::Facebook,
        Host::FacebookWeb | Host::InstagramWeb | Host::InstagramApi => false,
    };
    if !right_host {
        return Err(GraphError::unknown_token());
    }
    let secret = world.app_secret(token.product);
    match call.text("appsecret_proof") {
        Some(proof) if proof != signature::sha256(secret, text.as_bytes()) => return Err(GraphError::proof_wrong()),
        None if world.config.require_appsecret_proof && token.product == Login::Facebook => {
            return Err(GraphError::proof_missing());
        }
        _ => {}
    }
    if let Some(problem) = world.token_problem(token) {
        return Err(GraphError::dead(problem, world.clock.now()));
    }
    let holder = match (token.account, token.person) {
        (Some(account), _) => Holder::Account(account),
        (None, Some(person)) => Holder::Person(person),
        (None, None) => Holder::App(token.product),
    };
    Ok(Bearer { holder, token: Some(index) })
}

/// The same for what only a Page or an account of Instagram Login may do.
pub(crate) fn caller(world: &World, call: &Call, me: bool) -> Result<Caller, GraphError> {
    let bearer = bearer(world, call, me)?;
    match bearer.holder {
        Holder::Account(account) => Ok(Caller { account, platform: world.accounts.get(account).platform, bearer }),
        Holder::Person(_) | Holder::App(_) => Err(GraphError::page_token_required()),
    }
}

/// Whether `who` in the path means the caller itself.
pub(crate) fn is_caller(world: &World, caller: Caller, who: &str) -> bool {
    names(world, Holder::Account(caller.account), who)
}

/// Whether `who` in the path means that holder.
pub(crate) fn names(world: &World, holder: Holder, who: &str) -> bool {
    match holder {
        _ if who == "me" => true,
        Holder::Account(account) => {
            let account = world.accounts.get(account);
            who == account.id || account.app_scoped_id.as_deref() == Some(who)
        }
        Holder::Person(person) => who == world.managers[person].app_scoped_id,
        Holder::App(product) => who == world.app_id(product),
    }
}

/// The Instagram account linked to a calling Page, when `who` names it.
pub(crate) fn is_linked_instagram(world: &World, caller: Caller, who: &str) -> bool {
    let account = world.accounts.get(caller.account);
    account.instagram.is_some_and(|linked| world.accounts.get(linked).id == who)
}

/// Refuses a Page token whose person lacks a task on the Page.
pub(crate) fn needs_task(world: &World, bearer: Bearer, task: &str) -> Result<(), GraphError> {
    let token = bearer.token(world);
    let Some((person, page)) = token.and_then(|token| Some((token.person?, token.account?))) else { return Ok(()) };
    match world.managed_page(person, page) {
        Some(managed) if !managed.may(task) => Err(GraphError::task_missing(task)),
        _ => Ok(()),
    }
}

/// Refuses a token without the permission for that account's messages.
pub(crate) fn needs_messages(world: &World, caller: Caller, account: usize) -> Result<(), GraphError> {
    let scope = match (caller.platform, world.accounts.get(account).platform) {
        (Platform::Instagram, _) => "instagram_business_manage_messages",
        (Platform::Facebook, Platform::Instagram) => "instagram_manage_messages",
        (Platform::Facebook, Platform::Facebook) => "pages_messaging",
    };
    caller.bearer.needs(world, scope)
}

impl World {
    /// The id of a product's app.
    pub(crate) fn app_id(&self, product: Login) -> &str {
        match product {
            Login::Instagram => &self.config.instagram_app_id,
            Login::Facebook => &self.config.meta_app_id,
        }
    }

    /// The secret of a product's app.
    pub(crate) fn app_secret(&self, product: Login) -> &str {
        match product {
            Login::Instagram => &self.config.instagram_app_secret,
            Login::Facebook => &self.config.meta_app_secret,
        }
    }
}
