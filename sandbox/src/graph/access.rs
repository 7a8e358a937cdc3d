//! Who calls: the token decides the account and the product, the proof that the app's secret is known.
//! A token of one product is unknown on the other's host, as with Meta.

use crate::{
    webhook::signature,
    world::{World, accounts::Platform},
};

use super::{
    call::{Call, Host},
    error::GraphError,
};

/// The account behind a valid token: a Page, or an account of Instagram Login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) account: usize,
    pub(crate) platform: Platform,
}

/// The account of the token, whether or not the call is allowed.
pub(crate) fn token_account(world: &World, call: &Call) -> Option<usize> {
    world.accounts.by_token(&call.token()?)
}

/// Checks token, host and proof.
pub(crate) fn caller(world: &World, call: &Call, me: bool) -> Result<Caller, GraphError> {
    let token = call.token().ok_or_else(|| GraphError::no_token(me))?;
    let account = world.accounts.by_token(&token).ok_or_else(GraphError::unknown_token)?;
    let platform = world.accounts.get(account).platform;
    let right_host = match call.host {
        Host::Any => true,
        Host::InstagramGraph => platform == Platform::Instagram,
        Host::FacebookGraph => platform == Platform::Facebook,
        Host::FacebookWeb | Host::InstagramWeb | Host::InstagramApi => false,
    };
    if !right_host {
        return Err(GraphError::unknown_token());
    }
    let secret = match platform {
        Platform::Instagram => &world.config.instagram_app_secret,
        Platform::Facebook => &world.config.meta_app_secret,
    };
    match call.text("appsecret_proof") {
        Some(proof) if proof != signature::sha256(secret, token.as_bytes()) => Err(GraphError::proof_wrong()),
        None if world.config.require_appsecret_proof => Err(GraphError::proof_missing()),
        _ => Ok(Caller { account, platform }),
    }
}

/// Whether `who` in the path means the caller itself.
pub(crate) fn is_caller(world: &World, caller: Caller, who: &str) -> bool {
    let account = world.accounts.get(caller.account);
    who == "me" || who == account.id || account.app_scoped_id.as_deref() == Some(who)
}

/// The Instagram account linked to a calling Page, when `who` names it.
pub(crate) fn is_linked_instagram(world: &World, caller: Caller, who: &str) -> bool {
    let account = world.accounts.get(caller.account);
    account.instagram.is_some_and(|linked| world.accounts.get(linked).id == who)
}
